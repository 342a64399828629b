using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Contrastive;

/// <summary>Reads a column, and labels beside it where they are wanted, from the first row to the last: once, before training.</summary>
internal sealed class ColumnReading(IHost host, IChannel channel, TrainingOptions training)
{
    /// <summary>The class of each row that was taken, where there are labels.</summary>
    /// <param name="input">The data.</param>
    /// <param name="column">Which is read.</param>
    /// <param name="columnName">Its name.</param>
    /// <param name="what">What its rows hold, in messages.</param>
    /// <param name="createReader">For a cursor, what takes its current row; false where the row is left out.</param>
    /// <param name="labels">Null: none are read.</param>
    /// <param name="argument">What the data are to the user, for messages.</param>
    /// <param name="more">Columns that are read beside it.</param>
    /// <exception cref="ArgumentException">No row was taken.</exception>
    public long[] Read(
        IDataView input, int column, string columnName, string what, Func<DataViewRow, Func<long, bool>> createReader,
        RowLabels? labels = null, string argument = "input", IEnumerable<int>? more = null)
    {
        long row = 0, skipped = 0, unlabelled = 0;
        var classes = new List<long>();
        List<DataViewSchema.Column> wanted = [input.Schema[column], .. (more ?? []).Select(index => input.Schema[index])];
        if (labels is not null)
            wanted.Add(labels.Column);
        using DataViewRowCursor cursor = input.GetRowCursor(wanted);
        Func<long, bool> read = createReader(cursor);
        Func<long, long>? readLabel = labels?.CreateReader(cursor);
        for (; cursor.MoveNext(); row++)
        {
            if (row % 1000 == 0)
            {
                training.CancellationToken.ThrowIfCancellationRequested();
                host.CheckAlive();
            }
            long label = readLabel?.Invoke(row) ?? LabelCrossEntropy.NoLabel;
            if (labels is { IsNeeded: true } && label == LabelCrossEntropy.NoLabel)
                unlabelled++;
            else if (!read(row))
                skipped++;
            else if (labels is not null)
                classes.Add(label);
        }
        if (skipped > 0)
            channel.Warning($"Left out {skipped} of {row} rows: column '{columnName}' held no readable {what} there.");
        if (unlabelled > 0)
            channel.Warning($"Left out {unlabelled} of {row} rows: column '{labels!.Name}' has no label there.");
        if (row == skipped + unlabelled)
            throw new ArgumentException($"There is nothing to learn from: column '{columnName}' has no {(row == 0 ? "rows" : unlabelled == row ? "row with a label" : $"readable {what}")}.", argument);
        return [.. classes];
    }

    /// <summary>Pictures into an empty store, which is sealed: <see cref="Read"/>.</summary>
    /// <param name="input">The data.</param>
    /// <param name="column">Their pictures.</param>
    /// <param name="columnName">That column's name.</param>
    /// <param name="store">Empty; its pictures stay in the rows' order.</param>
    /// <param name="largestSide">A picture whose shorter side is longer is shrunk to it.</param>
    /// <param name="labels">Null: none are read.</param>
    /// <param name="argument">What the data are to the user, for messages.</param>
    public long[] ReadPictures(
        IDataView input, ImageColumn column, string columnName, ImageStore store, int largestSide, RowLabels? labels = null, string argument = "input")
    {
        if (input.GetRowCount() is { } rows && column.DeclaredSize is { } declared)
            store.Expect(rows, declared.Height, declared.Width, largestSide);
        PictureReader? reader = null;
        long[] classes = Read(input, column.Index, columnName, "picture", row =>
        {
            reader = column.CreateReader(row);
            var resizer = new Resizer();
            return position =>
            {
                if (!reader.Read(position))
                    return false;
                store.AddShrunk(reader.Buffer.Picture, largestSide, resizer);
                return true;
            };
        }, labels, argument);
        reader!.CheckScale();
        store.Seal();
        Log(store.ScratchLength, "pictures");
        return classes;
    }

    /// <summary>The texts of some columns, row by row; those that are blank too, as empty ones, if wanted and they don't fail.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public IEnumerable<string> Texts(IDataView input, IReadOnlyList<TextColumn> columns, EmptyTexts emptyTexts = EmptyTexts.Encode, bool blanks = false)
    {
        using DataViewRowCursor cursor = input.GetRowCursor(columns.Select(column => input.Schema[column.Index]));
        Func<long, ReadOnlyMemory<char>>[] readers = [.. columns.Select(column => column.CreateReader(cursor, emptyTexts))];
        bool isEmpty = true;
        long row = 0;
        for (; cursor.MoveNext(); row++)
        {
            if (row % 1000 == 0)
            {
                training.CancellationToken.ThrowIfCancellationRequested();
                host.CheckAlive();
            }
            foreach (Func<long, ReadOnlyMemory<char>> read in readers)
                if (read(row) is var text && (blanks || !text.IsEmpty))
                {
                    isEmpty = false;
                    yield return text.ToString();
                }
        }
        if (isEmpty)
            throw new ArgumentException($"There is nothing to learn from: column '{string.Join("', '", columns.Select(column => input.Schema[column.Index].Name))}' has no {(row == 0 ? "rows" : "readable text")}.", nameof(input));
    }

    /// <summary>Says something once.</summary>
    public void Warn(string message) => channel.Warning(message);

    /// <summary>Says how much lies on the disk.</summary>
    public void Log(long scratchLength, string names)
    {
        if (scratchLength > 0)
            channel.Info($"{scratchLength >> 20} MiB of {names} beyond TrainingOptions.MemoryBudget lie in a scratch file until Fit ends.");
    }
}

/// <summary>The classes of rows, as numbers from 0.</summary>
/// <param name="Name">Of the column as the user knows it.</param>
/// <param name="Column">What is read.</param>
/// <param name="IsNeeded">True: rows without a label are of no use.</param>
/// <param name="CreateReader">Gives the current row's class, or <see cref="LabelCrossEntropy.NoLabel"/>; it is given the row's number, for messages.</param>
internal sealed record RowLabels(string Name, DataViewSchema.Column Column, bool IsNeeded, Func<DataViewRow, Func<long, long>> CreateReader);
