using System.Text.Json.Serialization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// CLIP's vision transformer (Radford et al. 2021, "Learning transferable visual models from natural language supervision", section 2.4): square patches
/// and a class token, a norm before the first block, learned positions; the class token's last state through a norm and a matrix is the vector that
/// texts are compared with. Tensor names are OpenAI's. The default values are ViT-B/32's.
/// </summary>
/// <remarks>ViT-B/16: Patch 16. ViT-L/14: Patch 14, Width 1024, Depth 24, Heads 16, EmbeddingSize 768. Sides of the pictures are multiples of the patch.</remarks>
public sealed record ClipVisionTransformer : ImageEncoder
{
    /// <summary>More patches than this would make attention's matrices larger than a machine's memory.</summary>
    private const int MaxPatches = 4096;

    /// <summary>Height and width of a patch in pixels, 2 to 32. The default value is 32.</summary>
    public int Patch { get; init; } = 32;

    /// <summary>D, 4 to 2,048, a multiple of <see cref="Heads"/>. The default value is 768.</summary>
    public int Width { get; init; } = 768;

    /// <summary>Blocks, 1 to 48. The default value is 12.</summary>
    public int Depth { get; init; } = 12;

    /// <summary>Heads of attention, 1 to 32. The default value is 12.</summary>
    public int Heads { get; init; } = 12;

    /// <summary>E, length of the vector, 1 to 2,048. The default value is 512.</summary>
    public int EmbeddingSize { get; init; } = 512;

    /// <summary>
    /// Whether hidden layers bend by x * sigmoid(1.702 x), as OpenAI's weights need it, otherwise by GELU, as most of open_clip's do: weights used with the
    /// other are worse, silently. The default value is true.
    /// </summary>
    public bool QuickGelu { get; init; } = true;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => EmbeddingSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int MinImageSize => Patch;

    internal override int SideMultiple => Patch;

    internal override bool TakesOneSize => true;

    internal override bool ProjectsItself => true;

    /// <remarks>Bounded so that an edited model file cannot ask for more memory than the largest published ones would.</remarks>
    internal override void Validate()
    {
        SizeCheck.Within(nameof(ClipVisionTransformer), nameof(Patch), Patch, 2, 32);
        SizeCheck.Within(nameof(ClipVisionTransformer), nameof(Width), Width, 4, 2048);
        SizeCheck.Within(nameof(ClipVisionTransformer), nameof(Depth), Depth, 1, 48);
        SizeCheck.Within(nameof(ClipVisionTransformer), nameof(Heads), Heads, 1, 32);
        SizeCheck.Multiple(nameof(ClipVisionTransformer), nameof(Width), Width, Heads, "heads");
        SizeCheck.Within(nameof(ClipVisionTransformer), nameof(EmbeddingSize), EmbeddingSize, 1, 2048);
    }

    internal override IReadOnlyList<string[]> Stages =>
    [
        ["class_embedding", "positional_embedding", "conv1.", "ln_pre."],
        .. Enumerable.Range(0, Depth - 1).Select(block => new[] { $"transformer.resblocks.{block}." }),
        [$"transformer.resblocks.{Depth - 1}.", "ln_post.", "proj"],
    ];

    internal override ImageEncoder HalfWidth() => this with { Width = Math.Max(Heads * (int)Math.Ceiling(4.0 / Heads), Width / 2 / Heads * Heads) };

    internal override void CheckSize(int height, int width)
    {
        if (height % Patch != 0 || width % Patch != 0)
            throw new ArgumentException($"Views of {height} x {width} pixels do not divide into patches of {Patch}: set ImageSize to a multiple, such as {Math.Max(1, Math.Min(height, width) / Patch) * Patch}, or choose another Patch.");
        if ((long)(height / Patch) * (width / Patch) > MaxPatches)
            throw new ArgumentException($"Views of {height} x {width} pixels have more than {MaxPatches} patches of {Patch}: choose a larger Patch or a smaller ImageSize.");
    }

    internal override long CountWeights(int channels, int height, int width)
    {
        long size = Width, tokens = 1 + (long)(height / Patch) * (width / Patch);
        return size + tokens * size + (long)channels * Patch * Patch * size + 4 * size + ClipTransformer.CountWeights(size, Depth) + size * EmbeddingSize;
    }

    internal override nn.Module<Tensor, Tensor> Build(int channels, int height, int width, Generator generator)
        => new ClipVisionModule(this, channels, height, width, generator);
}

/// <summary>[N, C, H, W] of one size to [N, E].</summary>
internal sealed class ClipVisionModule : nn.Module<Tensor, Tensor>
{
    private readonly Parameter class_embedding, positional_embedding, proj;
    private readonly Convolution conv1;
    private readonly LayerNorm ln_pre, ln_post;
    private readonly ClipTransformer transformer;
    private readonly long[] _picture;

    public ClipVisionModule(ClipVisionTransformer shape, int channels, int height, int width, Generator generator)
        : base(nameof(ClipVisionTransformer))
    {
        _picture = [channels, height, width];
        double scale = Math.Pow(shape.Width, -0.5); // the released code's deviation of all that is no layer
        long tokens = 1 + (long)(height / shape.Patch) * (width / shape.Patch);
        class_embedding = new Parameter(empty(shape.Width).normal_(0, scale, generator));
        positional_embedding = new Parameter(empty(tokens, shape.Width).normal_(0, scale, generator));
        proj = new Parameter(empty(shape.Width, shape.EmbeddingSize).normal_(0, scale, generator));
        conv1 = Convolution.Patches(channels, shape.Width, shape.Patch, generator);
        ln_pre = new LayerNorm(shape.Width, ClipTransformer.NormEpsilon);
        transformer = new ClipTransformer(shape.Width, shape.Depth, shape.Heads, shape.QuickGelu, isCausal: false, generator);
        ln_post = new LayerNorm(shape.Width, ClipTransformer.NormEpsilon);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        if (input.dim() != 4 || !input.shape.AsSpan(1).SequenceEqual(_picture))
            throw new ArgumentException($"Pictures of [{string.Join(", ", input.shape)}] are not [N, {string.Join(", ", _picture)}], which the network was built for.", nameof(input));
        using var scope = NewDisposeScope();
        Tensor patches = conv1.forward(input).flatten(2).transpose(1, 2);
        Tensor x = cat([class_embedding.expand(input.shape[0], 1, -1), patches], 1).Plus(positional_embedding);
        x = transformer.forward(ln_pre.forward(x));
        return ln_post.forward(x.select(1, 0)).matmul(proj).MoveToOuterDisposeScope();
    }
}
