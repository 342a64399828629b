using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Encoders as TorchSharp modules, for training and measuring outside a pipeline.</summary>
public static class ImageEncoderModules
{
    /// <summary>
    /// The network with random weights: pictures [N, C, H, W] in single precision, normalised, to representations [N, D].
    /// </summary>
    /// <param name="encoder">The network's shape.</param>
    /// <param name="channels">C: 1 or 3.</param>
    /// <param name="seed">Decides the weights; the process's global generator is not touched.</param>
    public static nn.Module<Tensor, Tensor> CreateModule(this ImageEncoder encoder, int channels, long seed)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        if (channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "Pictures have 1 or 3 channels.");
        encoder.Validate();
        NativeTorch.EnsureLoaded();
        using var generator = new Generator((ulong)seed);
        return encoder.Build(channels, generator);
    }
}
