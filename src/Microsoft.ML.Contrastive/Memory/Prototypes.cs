using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// K unit rows that representations are compared with, learned with the other weights (Caron et al. 2020, section 3.1). The optimizer
/// moves them off the sphere, so a step begins with <see cref="MakeUnit"/>; the gradient is that of the unit rows, and does not go through
/// the division.
/// </summary>
public sealed class Prototypes : nn.Module
{
    private readonly Parameter weight;

    /// <summary><paramref name="count"/> random unit rows of <paramref name="dimension"/> numbers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size below 1.</exception>
    public Prototypes(long count, long dimension, Generator generator)
        : base(nameof(Prototypes))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        using Tensor drawn = empty(count, dimension).normal_(0, 1, generator);
        weight = new Parameter(nn.functional.normalize(drawn, dim: 1));
        RegisterComponents();
    }

    /// <summary>The rows: [K, D].</summary>
    public Tensor Weight => weight;

    /// <summary>Divides each row by its length, in place.</summary>
    public void MakeUnit()
    {
        using var noGradient = no_grad();
        using Tensor lengths = weight.norm(1, keepdim: true);
        weight.div_(lengths.Raise(1e-12));
    }

    /// <summary>Similarity [N, K] of rows [N, D] to the prototypes: the cosine, as the rows are made unit here.</summary>
    /// <exception cref="ArgumentException">The rows have another length than the prototypes.</exception>
    public Tensor Scores(Tensor rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.dim() != 2 || rows.shape[1] != weight.shape[1])
            throw new ArgumentException($"Rows must be [N, {weight.shape[1]}], not [{string.Join(", ", rows.shape)}].", nameof(rows));
        return nn.functional.normalize(rows, dim: 1).mm(weight.t());
    }
}
