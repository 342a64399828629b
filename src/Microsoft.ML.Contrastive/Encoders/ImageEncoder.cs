using System.Numerics;
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
/// The shape of a network that turns a picture into a vector.
/// The set of encoders is closed, so that no model file can name code.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(SmallConvNet), "smallConvNet")]
[JsonDerivedType(typeof(ResNet), "resNet")]
[JsonDerivedType(typeof(VisionTransformer), "visionTransformer")]
[JsonDerivedType(typeof(PatchEncoder), "patchEncoder")]
[JsonDerivedType(typeof(LuminanceAndColor), "luminanceAndColor")]
[JsonDerivedType(typeof(LuminanceAndTwoColors), "luminanceAndTwoColors")]
[JsonDerivedType(typeof(EncoderWithHead), "encoderWithHead")]
[JsonDerivedType(typeof(ClipVisionTransformer), "clipVisionTransformer")]
[JsonDerivedType(typeof(ClipResNet), "clipResNet")]
public abstract record ImageEncoder : Encoder
{
    private protected ImageEncoder()
    {
    }

    /// <summary>Smallest height and width that it can take, in pixels.</summary>
    [JsonIgnore]
    public abstract int MinImageSize { get; }

    /// <summary>Height and width of what it takes are multiples of this.</summary>
    internal virtual int SideMultiple => 1;

    /// <summary>Whether it takes pictures of the size alone that it was built for, so that all views must have it.</summary>
    internal virtual bool TakesOneSize => false;

    /// <summary>The smallest number that all of them divide; 1 for none.</summary>
    internal static int LeastCommonMultiple(IEnumerable<int> numbers) => numbers.Aggregate(1, (sum, each) => sum / (int)BigInteger.GreatestCommonDivisor(sum, each) * each);

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

    /// <summary>ResNet-101: 2,048 features, 42.5 million weights.</summary>
    public static ResNet ResNet101(Stem stem = Stem.ImageNet) => new() { Depth = 101, Stem = stem };

    /// <summary>ResNet-152: 2,048 features, 58.1 million weights. The largest of SimCLR v2's: <c>ResNet152() with { Width = 192, SelectiveKernels = true }</c>.</summary>
    public static ResNet ResNet152(Stem stem = Stem.ImageNet) => new() { Depth = 152, Stem = stem };

    /// <summary>ViT-Ti: 192 features, 5.4 million weights and more with its patches (Touvron et al. 2021).</summary>
    /// <param name="patch">Height and width of a patch in pixels, 2 to 16; the pictures' sides must be multiples.</param>
    /// <param name="positions">How it knows where a patch lies.</param>
    public static VisionTransformer ViTTiny(int patch = 16, PositionEmbedding positions = PositionEmbedding.SinCos)
        => new() { Patch = patch, Positions = positions };

    /// <summary>ViT-S: 384 features, 21.3 million weights. MoCo v3 has 12 heads in it: <c>ViTSmall() with { Heads = 12 }</c>.</summary>
    /// <inheritdoc cref="ViTTiny"/>
    public static VisionTransformer ViTSmall(int patch = 16, PositionEmbedding positions = PositionEmbedding.SinCos)
        => new() { Patch = patch, Width = 384, Heads = 6, Positions = positions };

    /// <summary>ViT-B: 768 features, 85 million weights (Dosovitskiy et al. 2021).</summary>
    /// <inheritdoc cref="ViTTiny"/>
    public static VisionTransformer ViTBase(int patch = 16, PositionEmbedding positions = PositionEmbedding.SinCos)
        => new() { Patch = patch, Width = 768, Heads = 12, Positions = positions };

    /// <summary>A grid of patches that one small network sees each by itself, CPC's; see <see cref="Contrastive.PatchEncoder"/>.</summary>
    /// <param name="width">Channels of the first convolution, 1 to 128. The default value is 32, which gives 256 features.</param>
    /// <param name="grid">Areas a side that the patches are averaged over, 1 to 4; features grow by its square. The default value is 1.</param>
    /// <param name="patch">Side of a patch in pixels, 8, 16, 32 or 64; pictures are resized to four times as many. The default value is 16.</param>
    public static PatchEncoder PatchEncoder(int width = 32, int grid = 1, int patch = 16) => new() { Width = width, Grid = grid, Patch = patch };

    /// <summary>Two networks, of which one sees a picture's luminance and the other its colour; see <see cref="Contrastive.LuminanceAndColor"/>.</summary>
    public static LuminanceAndColor LuminanceAndColor(ImageEncoder luminance, ImageEncoder color) => new(luminance, color);

    /// <summary>A network for each of several columns of pictures, in the columns' order; see <see cref="MultiviewEncoder"/>.</summary>
    public static MultiviewEncoder Multiview(params ImageEncoder[] views) => new(views);

    /// <summary>The encoder whose features a classifier is fine-tuned on; another than this where the features that it gives are not the best start.</summary>
    internal virtual ImageEncoder ForFineTuning => this;

    /// <summary>
    /// What lies behind each other in the network, first to last: of each stage, how the names of its parameters begin. Fine-tuning may train the last of them.
    /// </summary>
    internal abstract IReadOnlyList<string[]> Stages { get; }

    /// <summary>True where pictures come as they are, from 0 to 1; false, the rule, where each channel is normalised over the data.</summary>
    internal virtual bool TakesUnitPixels => false;

    /// <summary>True where the vector is made to be compared with texts' vectors as it is; false, the rule, where training with texts puts a matrix behind it.</summary>
    internal virtual bool ProjectsItself => false;

    /// <summary>The same network with about half the width, and so a quarter of the work.</summary>
    internal abstract ImageEncoder HalfWidth();

    /// <summary>Throws when pictures of this size, which is at least <see cref="MinImageSize"/>, do not suit the network.</summary>
    internal virtual void CheckSize(int height, int width)
    {
    }

    /// <summary>Throws when pictures of this many channels, 1 or 3, do not suit the network.</summary>
    internal virtual void CheckChannels(int channels)
    {
    }

    /// <summary>
    /// Numbers in the weights and statistics of what <see cref="Build"/> makes, told without making it: a model file whose weights are
    /// far fewer is refused before the memory is taken.
    /// </summary>
    internal abstract long CountWeights(int channels, int height, int width);

    /// <summary>The network with random weights for pictures of a size that <see cref="CheckSize"/> let pass.</summary>
    internal abstract nn.Module<Tensor, Tensor> Build(int channels, int height, int width, Generator generator);
}
