using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>The first layers of a <see cref="ResNet"/>.</summary>
public enum Stem
{
    /// <summary>7x7 convolution with stride 2, then 3x3 maximum with stride 2: for pictures of about 96 pixels and more.</summary>
    ImageNet,

    /// <summary>3x3 convolution with stride 1, no pooling: for pictures of about 28 to 64 pixels.</summary>
    Small,
}

/// <summary>
/// The shape of a network that turns a picture into a vector, as data: kept in the model's manifest, built when needed.
/// The set of encoders is closed, so that no model file can name code.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(SmallConvNet), "smallConvNet")]
[JsonDerivedType(typeof(ResNet), "resNet")]
public abstract record ImageEncoder
{
    private protected ImageEncoder()
    {
    }

    /// <summary>D, the length of the representation.</summary>
    [JsonIgnore]
    public abstract int FeatureSize { get; }

    /// <summary>Smallest height and width that it can take, in pixels.</summary>
    [JsonIgnore]
    public abstract int MinImageSize { get; }

    /// <summary>Four 3x3 convolutions; see <see cref="Contrastive.SmallConvNet"/>.</summary>
    /// <param name="width">Channels of the first convolution, 1 to 256. The default value is 32, which gives 256 features.</param>
    /// <param name="grid">Areas a side that the last map is averaged over, 1 to 4; features grow by its square. The default value is 1.</param>
    public static SmallConvNet SmallConvNet(int width = 32, int grid = 1) => new() { Width = width, Grid = grid };

    /// <summary>ResNet-18: 512 features, 11.2 million weights (He et al. 2016).</summary>
    public static ResNet ResNet18(Stem stem = Stem.ImageNet) => new() { Depth = 18, Stem = stem };

    /// <summary>ResNet-34: 512 features, 21.3 million weights.</summary>
    public static ResNet ResNet34(Stem stem = Stem.ImageNet) => new() { Depth = 34, Stem = stem };

    /// <summary>ResNet-50: 2,048 features, 23.5 million weights.</summary>
    public static ResNet ResNet50(Stem stem = Stem.ImageNet) => new() { Depth = 50, Stem = stem };

    /// <summary>Throws when a setting is out of its range.</summary>
    internal abstract void Validate();

    /// <summary>
    /// Numbers in the weights and statistics of what <see cref="Build"/> makes, told without making it: a model file whose weights are
    /// far fewer is refused before the memory is taken.
    /// </summary>
    internal abstract long CountWeights(int channels);

    internal abstract nn.Module<Tensor, Tensor> Build(int channels, Generator generator);
}
