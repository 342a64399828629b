namespace Microsoft.ML.Contrastive;

/// <summary>
/// Which rows each step reads: every epoch is a true random permutation, a function of seed and epoch alone. Where rows have lengths, the rows of
/// some batches behind each other are dealt out to these by length, and the epoch's batches come in an order that is random again.
/// </summary>
/// <param name="rows">How many there are.</param>
/// <param name="batchSize">Of each step.</param>
/// <param name="seed">The run's.</param>
/// <param name="sortedBatches">How many batches are dealt out together; 1 for none.</param>
/// <param name="length">A row's length; null where all have the same.</param>
internal sealed class EpochOrder(int rows, int batchSize, ulong seed, int sortedBatches = 1, Func<int, int>? length = null)
{
    private readonly int[] _order = new int[rows];
    private readonly int[] _batches = new int[rows / batchSize];
    private long _epoch = -1;

    /// <summary>Steps of one epoch; the last partial batch is dropped.</summary>
    public long StepsPerEpoch { get; } = rows / batchSize;

    /// <summary>The rows of a step, and the epoch that it lies in. The span is valid until the next call.</summary>
    public (long Epoch, ReadOnlyMemory<int> Rows) Batch(long step)
    {
        long epoch = step / StepsPerEpoch;
        if (epoch != _epoch)
            Begin(epoch);
        return (epoch, _order.AsMemory(_batches[step % StepsPerEpoch] * batchSize, batchSize));
    }

    private void Begin(long epoch)
    {
        for (int i = 0; i < rows; i++)
            _order[i] = i;
        for (int i = 0; i < _batches.Length; i++)
            _batches[i] = i;
        var random = new SeededRandom(seed, (ulong)epoch, ulong.MaxValue);
        random.Shuffle(_order.AsSpan());
        _epoch = epoch;
        if (sortedBatches == 1 || length is null)
            return;
        int used = _batches.Length * batchSize;
        for (int start = 0; start < used; start += sortedBatches * batchSize)
        {
            Span<int> together = _order.AsSpan(start, Math.Min(sortedBatches * batchSize, used - start));
            long[] keys = new long[together.Length]; // equal lengths stay in their random order
            for (int i = 0; i < keys.Length; i++)
                keys[i] = ((long)length(together[i]) << 32) + i;
            keys.AsSpan().Sort(together);
        }
        random.Shuffle(_batches.AsSpan());
    }
}
