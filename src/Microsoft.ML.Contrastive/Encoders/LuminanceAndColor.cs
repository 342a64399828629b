using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Two networks that share a picture: one sees its luminance, the other its colour (L and ab of CIE L*a*b*), and the representation is
/// both of theirs. <see cref="Cmc"/> makes one of whatever encoder it is given; give it one of these for two networks of your choice.
/// </summary>
/// <param name="Luminance">What sees L, of one channel.</param>
/// <param name="Color">What sees a and b, two channels.</param>
public sealed record LuminanceAndColor(ImageEncoder Luminance, ImageEncoder Color) : ImageEncoder
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => Luminance.FeatureSize + Color.FeatureSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int MinImageSize => Math.Max(Luminance.MinImageSize, Color.MinImageSize);

    /// <summary>The conversion is defined on colours, not on what a normalisation made of them.</summary>
    internal override bool TakesUnitPixels => true;

    /// <summary>The parts' stages beside each other, the last with the last.</summary>
    internal override IReadOnlyList<string[]> Stages
    {
        get
        {
            IReadOnlyList<string[]> first = Luminance.Stages, second = Color.Stages;
            return [.. Enumerable.Range(1, Math.Max(first.Count, second.Count)).Reverse().Select(fromEnd => (string[])[.. Named(first, fromEnd, "luminance."), .. Named(second, fromEnd, "color.")])];

            static IEnumerable<string> Named(IReadOnlyList<string[]> stages, int fromEnd, string part)
                => fromEnd > stages.Count ? [] : stages[^fromEnd].Select(name => part + name);
        }
    }

    internal override ImageEncoder HalfWidth() => new LuminanceAndColor(Luminance.HalfWidth(), Color.HalfWidth());

    /// <remarks>One within another is refused: its channels would be none of RGB, and a model file could nest them without end.</remarks>
    internal override void Validate()
    {
        foreach ((string name, ImageEncoder part) in new[] { (nameof(Luminance), Luminance), (nameof(Color), Color) })
        {
            ArgumentNullException.ThrowIfNull(part, name);
            if (part is Contrastive.LuminanceAndColor or EncoderWithHead)
                throw new ArgumentException($"{name} of a LuminanceAndColor can't be another {part.GetType().Name}.", name);
            part.Validate();
        }
    }

    internal override void CheckSize(int height, int width)
    {
        Luminance.CheckSize(height, width);
        Color.CheckSize(height, width);
    }

    internal override void CheckChannels(int channels)
    {
        if (channels != 3)
            throw new ArgumentException("Pictures of one channel have no colour that could be told from their luminance: bring RGB pictures, or choose another encoder than LuminanceAndColor and another method than Cmc, such as SimClrV1 or MoCoV2.");
    }

    internal override long CountWeights(int channels, int height, int width)
        => Luminance.CountWeights(1, height, width) + Color.CountWeights(2, height, width);

    internal override nn.Module<Tensor, Tensor> Build(int channels, int height, int width, Generator generator) => new LuminanceAndColorModule(
        (Luminance.Build(1, height, width, generator), Luminance.FeatureSize), (Color.Build(2, height, width, generator), Color.FeatureSize), LabColor.Views);
}

/// <summary>Pictures in, both parts' representations out, beside each other: [N, 3, H, W] from 0 to 1 to [N, D].</summary>
internal sealed class LuminanceAndColorModule : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor> luminance, color;
    private readonly Func<Tensor, (Tensor, Tensor)> _split;

    /// <param name="luminance">With the length of its representation.</param>
    /// <param name="color">With the length of its representation.</param>
    /// <param name="split">A batch into what each sees.</param>
    public LuminanceAndColorModule(
        (nn.Module<Tensor, Tensor> Module, int Size) luminance, (nn.Module<Tensor, Tensor> Module, int Size) color, Func<Tensor, (Tensor, Tensor)> split)
        : base(nameof(LuminanceAndColor))
    {
        (this.luminance, LuminanceSize) = luminance;
        (this.color, ColorSize) = color;
        _split = split;
        RegisterComponents();
    }

    public int LuminanceSize { get; }

    public int ColorSize { get; }

    /// <summary>Both representations: [N, <see cref="LuminanceSize"/>] and [N, <see cref="ColorSize"/>].</summary>
    public (Tensor Luminance, Tensor Color) Features(Tensor pictures)
    {
        using var scope = NewDisposeScope();
        (Tensor lightness, Tensor colors) = _split(pictures);
        return (luminance.forward(lightness).MoveToOuterDisposeScope(), color.forward(colors).MoveToOuterDisposeScope());
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        (Tensor first, Tensor second) = Features(input);
        return cat([first, second], 1).MoveToOuterDisposeScope();
    }
}
