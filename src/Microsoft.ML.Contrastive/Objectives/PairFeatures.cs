using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// What a linear classifier of sentence pairs sees beside a contrastive loss (Conneau et al. 2017, "InferSent"; ConSERT's joint training,
/// Yan et al. 2021): both vectors, how they differ, and what both or one of them is strong in.
/// </summary>
public static class PairFeatures
{
    /// <summary>[u; v; |u - v|; max(u, v)²]: [N, 4 D], the released code's order.</summary>
    /// <param name="first">u [N, D].</param>
    /// <param name="second">v [N, D].</param>
    public static Tensor Joint(Tensor first, Tensor second)
    {
        ShapeCheck.SameMatrices(first, second);
        return cat([first, second, first.sub(second).abs(), maximum(first, second).Power(2)], 1);
    }
}
