using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Contrastive;

/// <summary>Reads a column of pictures, and their labels where they are wanted, into memory or a scratch file: once, before training.</summary>
internal sealed class PictureRows(IHost host, IChannel channel, TrainingOptions training)
{
    /// <summary>Fills and seals a store; gives the class of each picture that was kept, where there are labels.</summary>
    /// <param name="input">The rows.</param>
    /// <param name="column">Their pictures.</param>
    /// <param name="name">Of that column.</param>
    /// <param name="store">Empty; its pictures stay in the rows' order.</param>
    /// <param name="largestSide">A picture whose shorter side is longer is shrunk to it.</param>
    /// <param name="labels">Null: none are read.</param>
    /// <param name="argument">What the rows are to the user, for messages.</param>
    /// <exception cref="ArgumentException">No row has a readable picture, and a label where one is needed.</exception>
    public long[] Read(IDataView input, ImageColumn column, string name, ImageStore store, int largestSide, RowLabels? labels = null, string argument = "input")
    {
        if (input.GetRowCount() is { } rows && column.DeclaredSize is { } size)
            store.Expect(rows, size.Height, size.Width, largestSide);
        var resizer = new Resizer();
        var classes = new List<long>();
        long row = 0, unreadable = 0, unlabelled = 0;
        DataViewSchema.Column[] wanted = labels is null ? [input.Schema[column.Index]] : [input.Schema[column.Index], input.Schema[labels.Column.Index]];
        using DataViewRowCursor cursor = input.GetRowCursor(wanted);
        PictureReader reader = column.CreateReader(cursor);
        Func<long, long>? readLabel = labels?.CreateReader(cursor, cursor.Schema[labels.Column.Index]);
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
            else if (reader.Read(row))
            {
                store.AddShrunk(reader.Buffer.Picture, largestSide, resizer);
                classes.Add(label);
            }
            else
                unreadable++;
        }
        if (unreadable > 0)
            channel.Warning($"Left out {unreadable} of {row} rows: column '{name}' held no readable picture there.");
        if (unlabelled > 0)
            channel.Warning($"Left out {unlabelled} of {row} rows: column '{labels!.Name}' has no label there.");
        if (store.Count == 0)
            throw new ArgumentException($"There is nothing to learn from: column '{name}' has no {(row == 0 ? "rows" : unlabelled == row ? "row with a label" : "readable picture")}.", argument);
        store.Seal();
        if (store.ScratchLength > 0)
            channel.Info($"{store.ScratchLength >> 20} MiB of pictures beyond TrainingOptions.MemoryBudget lie in a scratch file until Fit ends.");
        return [.. classes];
    }
}

/// <summary>The classes of rows, as numbers from 0.</summary>
/// <param name="Name">Of the column as the user knows it.</param>
/// <param name="Column">What is read.</param>
/// <param name="IsNeeded">True: rows without a label are of no use.</param>
/// <param name="CreateReader">Gives the current row's class, or <see cref="LabelCrossEntropy.NoLabel"/>; it is given the row's number, for messages.</param>
internal sealed record RowLabels(string Name, DataViewSchema.Column Column, bool IsNeeded, Func<DataViewRow, DataViewSchema.Column, Func<long, long>> CreateReader);
