using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The memory of Wu et al. 2018 (section 3.2): one row for each example of the data, which holds what the network last made of
/// it. A row changes only when its example is seen: <c>w = n(m w + (1 - m) v)</c>, n making it unit. It travels in the learner's state.
/// </summary>
/// <remarks>
/// As published, rows start uniform in +-sqrt(3 / D): about unit, and made exactly unit by their first update. An <see cref="Empty"/> bank
/// starts with zeros, and a row's first update makes it the feature itself.
/// </remarks>
public sealed class MemoryBank : nn.Module
{
    private readonly Tensor rows;

    /// <summary>A bank of <paramref name="count"/> random rows of <paramref name="dimension"/> numbers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size below 1.</exception>
    public MemoryBank(long count, long dimension, Generator generator)
        : this(count, dimension)
    {
        double bound = 1 / Math.Sqrt(dimension / 3.0);
        rows.uniform_(-bound, bound, generator);
    }

    private MemoryBank(long count, long dimension)
        : base(nameof(MemoryBank))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        rows = zeros(count, dimension).DetachFromDisposeScope();
        RegisterComponents();
    }

    /// <summary>A bank of <paramref name="count"/> rows of <paramref name="dimension"/> numbers that remember nothing yet: all zero.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size below 1.</exception>
    public static MemoryBank Empty(long count, long dimension) => new(count, dimension);

    /// <summary>The rows: [n, D]. A live view of the memory: clone what must not change.</summary>
    public Tensor Rows => rows;

    /// <summary>n, examples in the data.</summary>
    public long Count => rows.shape[0];

    /// <summary>Copies of the rows at <paramref name="indices"/> [N], int64: [N, D].</summary>
    /// <exception cref="ArgumentException">Not a list of int64, or an index that the bank does not have.</exception>
    public Tensor Lookup(Tensor indices)
    {
        Check(indices);
        return rows.index_select(0, indices);
    }

    /// <summary>Which of the rows at <paramref name="indices"/> [N], int64, hold something: [N], bool. Only those of an <see cref="Empty"/> bank may not.</summary>
    /// <exception cref="ArgumentException">As <see cref="Lookup"/>.</exception>
    public Tensor Holds(Tensor indices)
    {
        using Tensor found = Lookup(indices);
        return found.count_nonzero([1]).IsAbove(0);
    }

    /// <summary>Moves the rows at <paramref name="indices"/> towards <paramref name="features"/>; all others stay as they are.</summary>
    /// <param name="indices">[N], int64, none twice.</param>
    /// <param name="features">[N, D], of any length: rows are made unit here.</param>
    /// <param name="momentum">m, 0 to 1; 0.5 in the released code.</param>
    /// <exception cref="ArgumentException">Shapes that don't fit, or an index that the bank does not have.</exception>
    public void Update(Tensor indices, Tensor features, double momentum)
    {
        Check(indices);
        ArgumentNullException.ThrowIfNull(features);
        if (features.dim() != 2 || features.shape[0] != indices.shape[0] || features.shape[1] != rows.shape[1])
            throw new ArgumentException($"Features must be [{indices.shape[0]}, {rows.shape[1]}], not [{string.Join(", ", features.shape)}].", nameof(features));
        if (!(momentum >= 0 && momentum <= 1))
            throw new ArgumentOutOfRangeException(nameof(momentum), momentum, "The momentum must be from 0 to 1.");
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Tensor moved = rows.index_select(0, indices).Scale(momentum).AddScaled(nn.functional.normalize(features), 1 - momentum);
        rows.index_copy_(0, indices, nn.functional.normalize(moved));
    }

    /// <summary>Throws unless these are indices [N] of rows: on a GPU, one out of range would be found by native code and end the process.</summary>
    internal void Check(Tensor indices)
    {
        ArgumentNullException.ThrowIfNull(indices);
        if (indices.dim() != 1 || indices.dtype != ScalarType.Int64 || indices.shape[0] == 0)
            throw new ArgumentException($"Indices must be [N] of int64, not [{string.Join(", ", indices.shape)}] of {indices.dtype}.", nameof(indices));
        using var scope = NewDisposeScope();
        (long least, long most) = (indices.min().item<long>(), indices.max().item<long>());
        if (least < 0 || most >= Count)
            throw new ArgumentOutOfRangeException(nameof(indices), least < 0 ? least : most, $"The bank has rows 0 to {Count - 1}.");
    }
}
