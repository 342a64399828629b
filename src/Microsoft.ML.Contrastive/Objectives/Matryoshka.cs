using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A loss of the first numbers of each vector, for several lengths at once (Kusupati et al. 2022, "Matryoshka representation learning",
/// equation 1), so that a vector cut short is still good.
/// </summary>
public static class Matryoshka
{
    /// <summary>The sum over the lengths of weight times loss: a scalar.</summary>
    /// <param name="first">[N, D].</param>
    /// <param name="second">[N, D].</param>
    /// <param name="lengths">Each from 1 to D.</param>
    /// <param name="weights">One for each length, at least 0; null where all are 1.</param>
    /// <param name="loss">Of both sides, [N, length] each; one that makes rows unit does so after the cut.</param>
    public static Tensor Loss(Tensor first, Tensor second, IReadOnlyList<int> lengths, IReadOnlyList<double>? weights, Func<Tensor, Tensor, Tensor> loss)
    {
        ShapeCheck.SameMatrices(first, second);
        ArgumentNullException.ThrowIfNull(loss);
        if (lengths.Count == 0 || lengths.Any(length => length < 1 || length > first.shape[1]))
            throw new ArgumentException($"Lengths must be from 1 to {first.shape[1]}, and at least one.", nameof(lengths));
        if (weights is not null && (weights.Count != lengths.Count || weights.Any(weight => !(weight >= 0 && double.IsFinite(weight)))))
            throw new ArgumentException($"There must be {lengths.Count} weights of at least 0, one for each length.", nameof(weights));
        return lengths.Select((length, index) => loss(first.narrow(1, 0, length), second.narrow(1, 0, length)).Times(weights?[index] ?? 1))
            .Aggregate((sum, next) => sum.Plus(next));
    }
}
