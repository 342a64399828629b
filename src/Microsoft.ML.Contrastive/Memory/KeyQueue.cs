using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The dictionary of negatives of MoCo as a queue (He et al. 2020, section 3.2): K unit rows, of which each batch of keys
/// replaces the oldest. A ring: the batch may wrap around the end, and K need not be a multiple of the batch.
/// Its rows and its place travel in the learner's state.
/// </summary>
public sealed class KeyQueue : nn.Module
{
    private readonly Tensor keys;
    private readonly Tensor pointer;
    private readonly Tensor? filled;

    /// <summary>A queue of <paramref name="length"/> random unit rows of <paramref name="dimension"/> numbers, as published.</summary>
    /// <param name="length">K, the most rows.</param>
    /// <param name="dimension">D.</param>
    /// <param name="generator">Where the first rows are drawn from.</param>
    /// <param name="startsEmpty">True: there are no rows until some are enqueued (ESimCSE). The default value is false.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size below 1.</exception>
    public KeyQueue(long length, long dimension, Generator generator, bool startsEmpty = false)
        : base(nameof(KeyQueue))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        using var scope = NewDisposeScope();
        using Tensor drawn = empty(length, dimension).normal_(0, 1, generator);
        keys = nn.functional.normalize(drawn, dim: 1).DetachFromDisposeScope();
        pointer = zeros(1, ScalarType.Int64).DetachFromDisposeScope();
        filled = startsEmpty ? zeros(1, ScalarType.Int64).DetachFromDisposeScope() : null;
        RegisterComponents();
    }

    /// <summary>The rows, oldest at <see cref="Pointer"/>: [K, D]; of a queue that started empty those that are there. A live view of the memory: clone what must not change.</summary>
    public Tensor Keys => filled is null ? keys : keys.narrow(0, 0, Count);

    /// <summary>How many rows there are.</summary>
    public long Count => filled is null ? keys.shape[0] : filled.item<long>();

    /// <summary>Index of the row that is overwritten next.</summary>
    public long Pointer => pointer.item<long>();

    /// <summary>Overwrites the oldest rows with <paramref name="batch"/> [N, D], in order; of more than K rows the last K stay.</summary>
    public void Enqueue(Tensor batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.dim() != 2 || batch.shape[1] != keys.shape[1])
            throw new ArgumentException($"Keys must be [N, {keys.shape[1]}], not [{string.Join(", ", batch.shape)}].", nameof(batch));
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        long length = keys.shape[0], count = batch.shape[0], start = Pointer;
        long skipped = Math.Max(0, count - length);
        for (long done = skipped; done < count;)
        {
            long row = (start + done) % length, run = Math.Min(count - done, length - row);
            keys.narrow(0, row, run).copy_(batch.narrow(0, done, run));
            done += run;
        }
        pointer.Fill((start + count) % length);
        filled?.Fill(Math.Min(length, Count + count));
    }
}
