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
    /// <param name="imageSize">Height and width of the pictures in pixels, which a <see cref="VisionTransformer"/>'s positions belong to; the others take any. The default value is 224.</param>
    public static nn.Module<Tensor, Tensor> CreateModule(this ImageEncoder encoder, int channels, long seed, int imageSize = 224)
        => encoder.CreateModule(channels, imageSize, imageSize, seed);

    internal static nn.Module<Tensor, Tensor> CreateModule(this ImageEncoder encoder, int channels, int height, int width, long seed)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        if (channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "Pictures have 1 or 3 channels.");
        encoder.Validate();
        encoder.CheckChannels(channels);
        ArgumentOutOfRangeException.ThrowIfLessThan(Math.Min(height, width), encoder.MinImageSize, "imageSize");
        encoder.CheckSize(height, width);
        NativeTorch.EnsureLoaded();
        using var generator = new Generator((ulong)seed);
        return encoder.Build(channels, height, width, generator);
    }
}
