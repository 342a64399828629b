using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Networks that share a colour picture: each sees some of its planes, one of luminance and two of colour, and the representation is all of theirs
/// beside each other. <see cref="Cmc"/> makes one of whatever encoder it is given.
/// </summary>
public abstract record ColorViews : ImageEncoder
{
    private protected ColorViews()
    {
    }

    /// <summary>Whose planes they are. The default value is <see cref="CmcColorSpace.Lab"/>.</summary>
    public CmcColorSpace ColorSpace { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public sealed override int FeatureSize => Parts.Sum(part => part.Encoder.FeatureSize);

    /// <inheritdoc/>
    [JsonIgnore]
    public sealed override int MinImageSize => Parts.Max(part => part.Encoder.MinImageSize);

    internal override int SideMultiple => LeastCommonMultiple(Parts.Select(part => part.Encoder.SideMultiple));

    internal override bool TakesOneSize => Parts.Any(part => part.Encoder.TakesOneSize);

    /// <summary>The networks in the planes' order: name, shape, and how many planes each sees.</summary>
    private protected abstract IReadOnlyList<(string Name, ImageEncoder Encoder, int Planes)> Parts { get; }

    /// <summary>The conversion is defined on colours, not on what a normalisation made of them.</summary>
    internal override bool TakesUnitPixels => true;

    /// <summary>The parts' stages beside each other, the last with the last.</summary>
    internal override IReadOnlyList<string[]> Stages => [.. Enumerable.Range(1, Parts.Max(part => part.Encoder.Stages.Count)).Reverse().Select(fromEnd => (string[])
        [.. Parts.Where(part => fromEnd <= part.Encoder.Stages.Count).SelectMany(part => part.Encoder.Stages[^fromEnd].Select(name => $"{part.Name}.{name}"))])];

    /// <remarks>One within another is refused: its channels would be none of RGB, and a model file could nest them without end.</remarks>
    internal override void Validate()
    {
        if (!Enum.IsDefined(ColorSpace))
            throw new ArgumentOutOfRangeException(nameof(ColorSpace), ColorSpace, "Choose CmcColorSpace.Lab or CmcColorSpace.YCbCr.");
        foreach ((string name, ImageEncoder part, _) in Parts)
            MultiviewEncoder.CheckPart(part, $"{char.ToUpperInvariant(name[0])}{name[1..]}", GetType().Name);
    }

    internal override void CheckSize(int height, int width)
    {
        foreach ((_, ImageEncoder part, _) in Parts)
            part.CheckSize(height, width);
    }

    internal override void CheckChannels(int channels)
    {
        if (channels != 3)
            throw new ArgumentException($"Pictures of one channel have no colour that could be told from their luminance: bring RGB pictures, or choose another encoder than {GetType().Name} and another method than Cmc, such as SimClrV1 or MoCoV2.");
    }

    internal override long CountWeights(int channels, int height, int width) => Parts.Sum(part => part.Encoder.CountWeights(part.Planes, height, width));

    internal override nn.Module<Tensor, Tensor> Build(int channels, int height, int width, Generator generator) => new MultiviewModule(
        [.. Parts.Select(part => (part.Name, part.Encoder.Build(part.Planes, height, width, generator), part.Encoder.FeatureSize))], Split);

    /// <summary>RGB [N, 3, H, W] into what each network sees: [N, 1, H, W] or [N, 2, H, W].</summary>
    internal Tensor[] Split(Tensor rgb)
    {
        Tensor[] planes = ColorPlanes.FromRgb(rgb, ColorSpace);
        int next = 0;
        return [.. Parts.Select(part => part.Planes == 1 ? planes[next++] : cat(planes[next..(next += part.Planes)], 1))];
    }
}

/// <summary>Two networks, of which one sees a picture's luminance and the other its colour; see <see cref="ColorViews"/>.</summary>
/// <param name="Luminance">What sees L or Y, of one channel.</param>
/// <param name="Color">What sees a and b, or Cb and Cr: two channels.</param>
public sealed record LuminanceAndColor(ImageEncoder Luminance, ImageEncoder Color) : ColorViews
{
    private protected override IReadOnlyList<(string, ImageEncoder, int)> Parts => [("luminance", Luminance, 1), ("color", Color, 2)];

    internal override ImageEncoder HalfWidth() => this with { Luminance = Luminance.HalfWidth(), Color = Color.HalfWidth() };
}

/// <summary>Three networks, each of which sees one plane of a picture; see <see cref="ColorViews"/>.</summary>
/// <param name="Luminance">What sees L or Y.</param>
/// <param name="FirstColor">What sees a or Cb.</param>
/// <param name="SecondColor">What sees b or Cr.</param>
public sealed record LuminanceAndTwoColors(ImageEncoder Luminance, ImageEncoder FirstColor, ImageEncoder SecondColor) : ColorViews
{
    private protected override IReadOnlyList<(string, ImageEncoder, int)> Parts => [("luminance", Luminance, 1), ("firstColor", FirstColor, 1), ("secondColor", SecondColor, 1)];

    internal override ImageEncoder HalfWidth()
        => this with { Luminance = Luminance.HalfWidth(), FirstColor = FirstColor.HalfWidth(), SecondColor = SecondColor.HalfWidth() };
}
