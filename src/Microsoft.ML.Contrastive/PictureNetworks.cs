using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Classifiers on an encoder of pictures, as a manifest describes them.</summary>
internal static class PictureNetworks
{
    /// <summary>How the pictures come, and the encoder.</summary>
    /// <exception cref="ArgumentException">It takes no pictures.</exception>
    public static PictureInput Pictures(this EncoderManifest manifest) => manifest.Input as PictureInput
        ?? throw new ArgumentException(manifest.Input is MultiviewInput several
            ? $"The encoder takes pictures of {several.Columns.Count} columns, fine-tuning and distillation those of one: give encoder.Only(\"{several.Columns[0]}\"), or put a trainer of ML.NET behind this one."
            : $"The encoder is a {manifest.Input.Network.GetType().Name}, which takes no pictures: fine-tuning and distillation are for encoders of pictures. Put a trainer of ML.NET behind this one.");

    /// <summary>The same pictures for another encoder.</summary>
    /// <param name="manifest">Of an encoder of pictures.</param>
    /// <param name="encoder">Takes its place.</param>
    /// <param name="normalization">Null: as it is.</param>
    public static EncoderManifest With(this EncoderManifest manifest, ImageEncoder encoder, Normalization? normalization = null)
        => manifest with { Input = manifest.Pictures() with { Encoder = encoder, Normalization = normalization ?? manifest.Pictures().Normalization } };

    /// <summary>A classifier with random weights.</summary>
    public static PictureClassifier CreateClassifier(this EncoderManifest manifest, int classes, long seed)
    {
        nn.Module<Tensor, Tensor> encoder = manifest.Input.CreateModule(seed);
        using var generator = new Generator((ulong)seed + 1);
        return new PictureClassifier(encoder, manifest.Input.Network.FeatureSize, classes, generator);
    }
}
