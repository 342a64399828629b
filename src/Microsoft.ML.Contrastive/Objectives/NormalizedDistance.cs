using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// BYOL's distance (Grill et al. 2020, equation 2): the squared distance between a prediction and a target that is held constant,
/// both made unit, ||p - z||^2 = 2 - 2 cos(p, z), the mean over the batch. 0 where they are parallel, 2 where they are orthogonal.
/// </summary>
/// <remarks>The sum of both directions is 4 + 4 times <see cref="NegativeCosine.Symmetric"/>: SimSiam's loss with four times its gradient.</remarks>
public static class NormalizedDistance
{
    /// <summary>The loss of one direction, a scalar in [0, 4].</summary>
    /// <param name="prediction">p [N, D], of any length.</param>
    /// <param name="target">z [N, D], of any length; no gradient flows into it.</param>
    public static Tensor Loss(Tensor prediction, Tensor target) => NegativeCosine.Loss(prediction, target).Times(2).Plus(2);

    /// <summary>Both directions added, as published: d(p1, z2) + d(p2, z1), a scalar in [0, 8].</summary>
    public static Tensor Symmetric(Tensor prediction1, Tensor prediction2, Tensor target1, Tensor target2)
        => Loss(prediction1, target2).Plus(Loss(prediction2, target1));
}
