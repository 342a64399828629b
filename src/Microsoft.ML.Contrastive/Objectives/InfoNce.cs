using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The InfoNCE of MoCo (He et al. 2020, equation 1): each query is to find its key among K negatives from a queue,
/// -log( exp(q.k / t) / (exp(q.k / t) + sum over the queue of exp(q.n / t)) ), the mean over the batch.
/// </summary>
public static class InfoNce
{
    /// <summary>The loss, a scalar. Gradient flows into the query alone.</summary>
    /// <inheritdoc cref="Logits"/>
    public static Tensor Loss(Tensor query, Tensor key, Tensor queue, double temperature) => PerRow(query, key, queue, temperature).mean();

    /// <summary>The loss of each row: [N].</summary>
    /// <inheritdoc cref="Logits"/>
    public static Tensor PerRow(Tensor query, Tensor key, Tensor queue, double temperature)
    {
        Tensor logits = Logits(query, key, queue, temperature);
        return cross_entropy(logits, zeros(query.shape[0], ScalarType.Int64, query.device), reduction: nn.Reduction.None);
    }

    /// <summary>[N, 1 + K]: the positive in column 0, the queue behind it, divided by the temperature.</summary>
    /// <param name="query">[N, D], of any length: rows are made unit here.</param>
    /// <param name="key">[N, D], row i from the same example; rows are made unit, no gradient.</param>
    /// <param name="queue">[K, D], taken as it is: keys of earlier batches are unit already. No gradient.</param>
    /// <param name="temperature">t, above 0; 0.07 in MoCo v1, 0.2 in v2.</param>
    public static Tensor Logits(Tensor query, Tensor key, Tensor queue, double temperature)
    {
        ShapeCheck.SameMatrices(query, key);
        ShapeCheck.SameWidth(query, queue);
        ShapeCheck.Positive(temperature);
        Tensor q = normalize(query), k = normalize(key.detach());
        Tensor positive = q.mul(k).sum(1, keepdim: true);
        return cat([positive, q.mm(queue.detach().t())], 1).Divide(temperature);
    }

    /// <summary>The loss when all similarities are equal: ln(1 + K).</summary>
    public static double FlatLoss(long queueLength) => Math.Log(1 + queueLength);
}
