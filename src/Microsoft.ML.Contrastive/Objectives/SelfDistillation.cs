using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// What DINO's teacher says (Caron et al. 2021, "Emerging properties in self-supervised vision transformers", section 3.1): its scores
/// less a moving centre, sharpened by a low temperature. The student learns it by <see cref="CrossViewEntropy"/>.
/// </summary>
/// <remarks>Centring alone pulls towards equal outcomes, sharpening alone towards a single one: each keeps the other from collapsing.</remarks>
public static class SelfDistillation
{
    /// <summary>softmax((scores - centre) / t), rows [N, K] that sum to 1, without gradient.</summary>
    /// <param name="scores">The teacher's, [N, K].</param>
    /// <param name="centre">[K], the mean of the teacher's scores in earlier steps: not of this one.</param>
    /// <param name="temperature">t, above 0; 0.04 to 0.07 in DINO, below the student's 0.1.</param>
    public static Tensor Targets(Tensor scores, Tensor centre, double temperature)
    {
        ShapeCheck.Matrix(scores);
        ArgumentNullException.ThrowIfNull(centre);
        if (centre.dim() != 1 || centre.shape[0] != scores.shape[1])
            throw new ArgumentException($"The centre must be [{scores.shape[1]}], not [{string.Join(", ", centre.shape)}].", nameof(centre));
        ShapeCheck.Positive(temperature);
        using var noGradient = no_grad();
        return softmax(scores.sub(centre).Divide(temperature), 1);
    }
}
