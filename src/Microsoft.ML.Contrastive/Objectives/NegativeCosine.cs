using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// SimSiam's distance (Chen and He 2021, equation 1): minus the cosine between a prediction and a target that is held
/// constant, the mean over the batch. -1 where they are parallel, 0 where they are orthogonal.
/// </summary>
public static class NegativeCosine
{
    /// <summary>The loss of one direction, a scalar.</summary>
    /// <param name="prediction">p [N, D], of any length.</param>
    /// <param name="target">z [N, D], of any length.</param>
    /// <param name="stopsGradient">Whether no gradient flows into <paramref name="target"/>. The default value is true; without, both sides collapse (section 4.1).</param>
    public static Tensor Loss(Tensor prediction, Tensor target, bool stopsGradient = true)
    {
        ShapeCheck.SameMatrices(prediction, target);
        return normalize(prediction).mul(normalize(stopsGradient ? target.detach() : target)).sum(1).mean().neg();
    }

    /// <summary>Both directions, D(p1, z2) / 2 + D(p2, z1) / 2 (equation 2): a scalar in [-1, 1].</summary>
    public static Tensor Symmetric(Tensor prediction1, Tensor prediction2, Tensor target1, Tensor target2, bool stopsGradient = true)
        => Loss(prediction1, target2, stopsGradient).Plus(Loss(prediction2, target1, stopsGradient)).Times(0.5);
}
