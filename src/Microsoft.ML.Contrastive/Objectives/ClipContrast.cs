using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// CLIP's objective (Radford et al. 2021, figure 3): picture and caption are to find each other in the batch, the mean of both directions'
/// cross-entropy over cosines times a scale that is learned as its logarithm.
/// </summary>
public static class ClipContrast
{
    /// <summary>Where the published scale's logarithm starts: ln(1 / 0.07).</summary>
    public static double InitialLogScale { get; } = Math.Log(1 / 0.07);

    /// <summary>The most that the scale's logarithm may become: ln 100. The least is 0.</summary>
    public static double MaxLogScale { get; } = Math.Log(100);

    /// <summary>The loss, a scalar. Gradient flows into both sides and the scale.</summary>
    /// <inheritdoc cref="Logits"/>
    /// <param name="images">See <see cref="Logits"/>.</param>
    /// <param name="texts">See <see cref="Logits"/>.</param>
    /// <param name="logScale">See <see cref="Logits"/>.</param>
    /// <param name="captionIds">[N] of int64 or null: equal numbers are equal captions, whose pictures are not each other's negatives.</param>
    public static Tensor Loss(Tensor images, Tensor texts, Tensor logScale, Tensor? captionIds = null)
    {
        Tensor logits = Logits(images, texts, logScale);
        if (captionIds is not null)
        {
            ShapeCheck.Indices(captionIds, images.shape[0]);
            Tensor others = eye(images.shape[0], dtype: ScalarType.Bool, device: images.device).logical_not();
            logits = logits.Filled(captionIds.unsqueeze(1).eq(captionIds).logical_and(others), double.NegativeInfinity);
        }
        return InBatchContrast.BothWays(logits);
    }

    /// <summary>[N, N]: the cosine of every picture with every text, times exp(logScale).</summary>
    /// <param name="images">[N, D], of any length: rows are made unit here.</param>
    /// <param name="texts">[N, D], row i belongs to picture i; rows are made unit.</param>
    /// <param name="logScale">A scalar tensor.</param>
    public static Tensor Logits(Tensor images, Tensor texts, Tensor logScale)
    {
        ShapeCheck.SameMatrices(images, texts);
        ShapeCheck.Scalar(logScale);
        return normalize(images).mm(normalize(texts).t()).mul(logScale.exp());
    }

    /// <summary>The loss when all similarities are equal: ln N.</summary>
    public static double FlatLoss(long rows) => Math.Log(rows);
}
