using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Weights and statistics between two modules of one shape, whatever their devices.</summary>
internal static class ModuleState
{
    public static void Copy(nn.Module from, nn.Module to) => Copy(from.state_dict(), to);

    public static void Copy(IReadOnlyDictionary<string, Tensor> source, nn.Module to)
    {
        using var noGradient = no_grad();
        foreach ((string name, Tensor target) in to.state_dict())
        {
            if (!target.shape.AsSpan().SequenceEqual(source[name].shape))
                throw new ArgumentException($"'{name}' is [{string.Join(", ", source[name].shape)}] in one network and [{string.Join(", ", target.shape)}] in the other: both must be made for pictures of one size.", nameof(source));
            target.copy_(source[name]);
        }
    }
}
