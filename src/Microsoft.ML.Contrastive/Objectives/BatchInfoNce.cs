using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// MoCo v3's contrast (Chen, Xie, He 2021, "An empirical study of training self-supervised vision transformers", algorithm 1): each
/// query is to find its key among the keys of the same batch, 2 t times the cross-entropy of q.k / t, the mean over the batch.
/// </summary>
/// <remarks>
/// The factor 2 t, as published, keeps the gradient's size from changing with the temperature. <see cref="InfoNce"/> has its negatives
/// from a queue; <see cref="InBatchContrast"/> lets gradient into both sides; <see cref="NtXent"/> has the queries among them too.
/// </remarks>
public static class BatchInfoNce
{
    /// <summary>The loss of one direction, a scalar. Gradient flows into the query alone.</summary>
    /// <param name="query">[N, D], of any length: rows are made unit here.</param>
    /// <param name="key">[N, D], row i from the same example; rows are made unit, no gradient.</param>
    /// <param name="temperature">t, above 0; 1 for ResNet-50 and 0.2 for ViT in the paper.</param>
    public static Tensor Loss(Tensor query, Tensor key, double temperature)
        => InBatchContrast.Loss(query, key.detach(), temperature).Times(2 * temperature);

    /// <summary>Both directions added, as published: each view's query looks for the other view's key.</summary>
    public static Tensor Symmetric(Tensor query1, Tensor query2, Tensor key1, Tensor key2, double temperature)
        => Loss(query1, key2, temperature).Plus(Loss(query2, key1, temperature));

    /// <summary>The symmetric loss when all similarities are equal: 4 t ln N.</summary>
    public static double FlatLoss(long rows, double temperature) => 4 * temperature * Math.Log(rows);
}
