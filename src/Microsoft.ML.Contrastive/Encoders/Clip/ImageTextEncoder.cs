using System.Text.Json.Serialization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Two networks, one for pictures and one for texts, whose vectors lie in one space: what CLIP trains, and what CLIP's checkpoints hold.
/// </summary>
/// <param name="Image">What takes pictures.</param>
/// <param name="Text">What takes texts.</param>
public sealed record ImageTextEncoder(ImageEncoder Image, TextEncoder Text) : Encoder
{
    /// <summary>E where neither network decides it.</summary>
    private const int StandardSize = 256;

    /// <summary>
    /// E, the vectors' length, 1 to 2,048. CLIP's own networks give it themselves; others get a matrix without bias behind them. Null, the default: that of a network of
    /// CLIP's where there is one, otherwise 256.
    /// </summary>
    public int? EmbeddingSize { get; init; }

    /// <summary>Whether similarities have a learned bias, as in <see cref="PairwiseSigmoid"/>. The default value is false.</summary>
    public bool HasBias { get; init; }

    /// <summary>What texts pass where nothing was chosen: 4 blocks of 256 and a vocabulary of at most 8,192 tokens.</summary>
    internal static ClipTextTransformer SmallText { get; } = new() { VocabularySize = 8192, Width = 256, Depth = 4, Heads = 4, EmbeddingSize = StandardSize };

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => EmbeddingSize ?? (Image.ProjectsItself ? Image.FeatureSize : Text.ProjectsItself ? Text.FeatureSize : StandardSize);

    internal override void Validate()
    {
        ArgumentNullException.ThrowIfNull(Image);
        ArgumentNullException.ThrowIfNull(Text);
        Image.Validate();
        Text.Validate();
        SizeCheck.Within(nameof(ImageTextEncoder), nameof(EmbeddingSize), FeatureSize, 1, 2048);
        foreach ((string name, Encoder tower, bool projectsItself) in new (string, Encoder, bool)[] { (nameof(Image), Image, Image.ProjectsItself), (nameof(Text), Text, Text.ProjectsItself) })
            if (projectsItself && tower.FeatureSize != FeatureSize)
                throw new ArgumentException($"{name} of an ImageTextEncoder, a {tower.GetType().Name}, gives vectors of {tower.FeatureSize} numbers, but both networks must give {FeatureSize}: set its EmbeddingSize to {FeatureSize}.", name);
    }

    internal long CountWeights(int channels, int height, int width)
        => Image.CountWeights(channels, height, width) + (Image.ProjectsItself ? 0 : (long)Image.FeatureSize * FeatureSize)
            + Text.CountWeights() + (Text.ProjectsItself ? 0 : (long)Text.FeatureSize * FeatureSize) + (HasBias ? 2 : 1);

    internal ImageTextModule Build(int channels, int height, int width, Generator generator) => new(
        Image.Build(channels, height, width, generator), Image.ProjectsItself ? null : Projection(Image.FeatureSize, generator),
        Text.Build(generator), Text.ProjectsItself ? null : Projection(Text.FeatureSize, generator), HasBias);

    private Linear Projection(int from, Generator generator) => Linear.Normal(from, FeatureSize, generator, Math.Pow(from, -0.5), hasBias: false);
}

/// <summary>Pictures [N, C, H, W] to unit vectors [N, E]; and both kinds of vectors, of whatever length, for training.</summary>
internal sealed class ImageTextModule : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor> image, text;
    private readonly Linear? image_projection, text_projection;
    private readonly Parameter logit_scale;
    private readonly Parameter? logit_bias;

    /// <param name="image">[N, C, H, W] to [N, D].</param>
    /// <param name="imageProjection">[N, D] to [N, E]; null where D is E.</param>
    /// <param name="text">Token ids [N, T] to [N, F].</param>
    /// <param name="textProjection">[N, F] to [N, E]; null where F is E.</param>
    /// <param name="hasBias">True for the published start of the pairwise sigmoid objective, false for CLIP's.</param>
    public ImageTextModule(nn.Module<Tensor, Tensor> image, Linear? imageProjection, nn.Module<Tensor, Tensor> text, Linear? textProjection, bool hasBias)
        : base(nameof(ImageTextEncoder))
    {
        (this.image, image_projection, this.text, text_projection) = (image, imageProjection, text, textProjection);
        logit_scale = new Parameter(tensor((float)(hasBias ? Math.Log(10) : Math.Log(1 / 0.07))));
        logit_bias = hasBias ? new Parameter(tensor(-10f)) : null;
        RegisterComponents();
    }

    /// <summary>What pictures pass, without its projection.</summary>
    public nn.Module<Tensor, Tensor> ImageTower => image;

    /// <summary>What texts pass, without its projection.</summary>
    public nn.Module<Tensor, Tensor> TextTower => text;

    /// <summary>Logarithm of what cosines are multiplied with: a scalar.</summary>
    public Parameter LogScale => logit_scale;

    /// <summary>What is added to the products: a scalar, or null.</summary>
    public Parameter? Bias => logit_bias;

    /// <summary>[N, C, H, W] to [N, E].</summary>
    public Tensor Images(Tensor pictures) => Through(image, image_projection, pictures);

    /// <summary>Token ids [N, T] to [N, E].</summary>
    public Tensor Texts(Tensor tokens) => Through(text, text_projection, tokens);

    public override Tensor forward(Tensor input)
    {
        using Tensor vectors = Images(input);
        return nn.functional.normalize(vectors);
    }

    private static Tensor Through(nn.Module<Tensor, Tensor> tower, Linear? projection, Tensor input)
    {
        Tensor features = tower.forward(input);
        if (projection is null)
            return features;
        using (features)
            return projection.forward(features);
    }
}
