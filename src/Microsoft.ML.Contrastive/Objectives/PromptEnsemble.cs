using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>A class as the mean of several sentences about it (Radford et al. 2021, section 3.1.4): each made unit, then the mean made unit.</summary>
internal static class PromptEnsemble
{
    /// <summary>[C, E] of length 1.</summary>
    /// <inheritdoc cref="Mean"/>
    public static Tensor Vectors(Tensor prompts) => normalize(Mean(prompts));

    /// <summary>The mean of the unit vectors, [C, E]: the shorter, the less the sentences agree.</summary>
    /// <param name="prompts">[C, P, E], of any length.</param>
    public static Tensor Mean(Tensor prompts) => normalize(prompts, dim: 2).mean([1]);
}
