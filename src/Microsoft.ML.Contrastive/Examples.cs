using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The examples of a run, read from their column once, and all that training asks of them whatever they are. There is one class
/// for each kind of <see cref="ModelInput"/>.
/// </summary>
internal abstract class Examples : IDisposable
{
    /// <summary>What the run's encoder takes, and the encoder.</summary>
    public required ModelInput Input { get; init; }

    /// <summary>What they are called in messages: pictures, sequences.</summary>
    public abstract string Name { get; }

    public abstract int Count { get; }

    /// <summary>The run, as the method is told of it.</summary>
    public abstract RunFacts Facts(int batchSize, long steps);

    /// <summary>The same for the same examples in the same order, wherever they lie.</summary>
    public abstract string Fingerprint();

    /// <summary>What makes the views of a batch; one for each thread.</summary>
    public abstract BatchMaker CreateMaker(ContrastiveMethod method);

    /// <summary>Frees memory and scratch file. No thread may be reading.</summary>
    public abstract void Dispose();
}

/// <summary>The views of a batch: a function of its rows, the epoch and the seed alone.</summary>
internal delegate Views BatchMaker(ReadOnlySpan<int> rows, long epoch, ulong seed);

/// <summary>Reads a column from its first row to its last.</summary>
internal sealed class ColumnReading(IHost host, IChannel channel, ContrastivePretrainEstimator.Options options)
{
    /// <param name="input">The data.</param>
    /// <param name="column">Which is read.</param>
    /// <param name="name">What the rows hold, in messages.</param>
    /// <param name="createReader">For a cursor, what takes its current row; false where the row is left out.</param>
    /// <exception cref="ArgumentException">No row was taken.</exception>
    public void Read(IDataView input, int column, string name, Func<DataViewRow, Func<long, bool>> createReader)
    {
        long row = 0, skipped = 0;
        using DataViewRowCursor cursor = input.GetRowCursor([input.Schema[column]]);
        Func<long, bool> read = createReader(cursor);
        for (; cursor.MoveNext(); row++)
        {
            if (row % 1000 == 0)
            {
                options.Training.CancellationToken.ThrowIfCancellationRequested();
                host.CheckAlive();
            }
            if (!read(row))
                skipped++;
        }
        if (skipped > 0)
            channel.Warning($"Left out {skipped} of {row} rows: column '{options.Input}' held no readable {name} there.");
        if (row == skipped)
            throw new ArgumentException($"There is nothing to learn from: column '{options.Input}' has no {(row == 0 ? "rows" : $"readable {name}")}.", nameof(input));
    }

    /// <summary>Says how much lies on the disk.</summary>
    public void Log(long scratchLength, string names)
    {
        if (scratchLength > 0)
            channel.Info($"{scratchLength >> 20} MiB of {names} beyond TrainingOptions.MemoryBudget lie in a scratch file until Fit ends.");
    }
}
