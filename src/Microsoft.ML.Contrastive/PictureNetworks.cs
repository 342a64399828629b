using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What a manifest describes: the column that its network takes, and a classifier on its encoder.</summary>
internal static class PictureNetworks
{
    /// <summary>The column of pictures in a schema.</summary>
    /// <exception cref="ArgumentException">It is missing, or not what the network was trained on.</exception>
    public static ImageColumn Bind(this EncoderManifest manifest, DataViewSchema schema)
    {
        var column = new ImageColumn(schema, manifest.InputColumn, manifest.ImageShape, manifest.MissingImages);
        return column.Channels == manifest.Channels
            ? column
            : throw new ArgumentException($"Column '{manifest.InputColumn}' has pictures of {column.Channels} channels, the encoder was trained on {manifest.Channels}.", nameof(schema));
    }

    /// <summary>A classifier with random weights.</summary>
    public static PictureClassifier CreateClassifier(this EncoderManifest manifest, int classes, long seed)
    {
        nn.Module<Tensor, Tensor> encoder = manifest.Encoder.CreateModule(manifest.Channels, manifest.Height, manifest.Width, seed);
        using var generator = new Generator((ulong)seed + 1);
        return new PictureClassifier(encoder, manifest.Encoder.FeatureSize, classes, generator);
    }
}
