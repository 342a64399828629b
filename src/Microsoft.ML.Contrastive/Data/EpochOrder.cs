namespace Microsoft.ML.Contrastive;

/// <summary>Which rows each step reads: every epoch is a true random permutation, a function of seed and epoch alone.</summary>
internal sealed class EpochOrder(int rows, int batchSize, ulong seed)
{
    private readonly int[] _order = new int[rows];
    private long _epoch = -1;

    /// <summary>Steps of one epoch; the last partial batch is dropped.</summary>
    public long StepsPerEpoch { get; } = rows / batchSize;

    /// <summary>The rows of a step, and the epoch that it lies in. The span is valid until the next call.</summary>
    public (long Epoch, ReadOnlyMemory<int> Rows) Batch(long step)
    {
        long epoch = step / StepsPerEpoch;
        if (epoch != _epoch)
        {
            for (int i = 0; i < rows; i++)
                _order[i] = i;
            new SeededRandom(seed, (ulong)epoch, ulong.MaxValue).Shuffle(_order.AsSpan());
            _epoch = epoch;
        }
        int start = (int)(step % StepsPerEpoch) * batchSize;
        return (epoch, _order.AsMemory(start, batchSize));
    }
}
