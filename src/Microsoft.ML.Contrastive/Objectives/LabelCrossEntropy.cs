using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The cross-entropy of a classifier: -log softmax(logits)[label], the mean over the rows that have a label. With smoothing e, a share e of
/// what is wanted is spread over all classes alike (Szegedy et al. 2016, section 7).
/// </summary>
public static class LabelCrossEntropy
{
    /// <summary>Stands where a row has no label.</summary>
    public const long NoLabel = -1;

    /// <summary>The loss, a scalar; 0 where no row has a label.</summary>
    /// <param name="logits">[N, C].</param>
    /// <param name="labels">[N] of int64, 0 to C - 1, or <see cref="NoLabel"/>.</param>
    /// <param name="smoothing">e, 0 to below 1. The default value is 0.</param>
    /// <exception cref="ArgumentException">A shape or type doesn't fit, or the smoothing is out of its range.</exception>
    public static Tensor Loss(Tensor logits, Tensor labels, double smoothing = 0)
    {
        ShapeCheck.Matrix(logits);
        ShapeCheck.Indices(labels, logits.shape[0]);
        if (!(smoothing >= 0 && smoothing < 1))
            throw new ArgumentOutOfRangeException(nameof(smoothing), smoothing, "The label smoothing must be at least 0 and below 1.");
        Tensor logarithms = log_softmax(logits, 1);
        Tensor own = logarithms.gather(1, labels.AtLeast(0).unsqueeze(1)).squeeze(1);
        Tensor perRow = smoothing == 0 ? own : own.Times(1 - smoothing).Plus(logarithms.mean([1]), alpha: smoothing);
        Tensor has = labels.IsAtLeast(0).to(logits.dtype);
        return perRow.mul(has).sum().neg().div(has.sum().AtLeast(1));
    }
}
