using System.Text.Json.Serialization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// CLIP's text transformer (Radford et al. 2021, section 2.4): tokens see those before them, and the closing token's last state, through a norm and a
/// matrix, is the vector that pictures are compared with. Tensor names are OpenAI's. The default values are those beside ViT-B/32.
/// </summary>
/// <remarks>Beside ViT-L/14: Width 768, Heads 12, EmbeddingSize 768.</remarks>
public sealed record ClipTextTransformer : TextEncoder
{
    /// <summary>
    /// V, tokens of the vocabulary, 2 to 1,048,576; the last of them closes a text. The default value is 49,408, the published vocabulary's. Training from nothing with another
    /// number, at least 520, learns one of at most so many tokens from the texts.
    /// </summary>
    public int VocabularySize { get; init; } = 49_408;

    /// <summary>Most tokens of a text, opening and closing ones counted, 3 to 1,024. The default value is 77.</summary>
    public int ContextLength { get; init; } = 77;

    /// <summary>D, 4 to 2,048, a multiple of <see cref="Heads"/>. The default value is 512.</summary>
    public int Width { get; init; } = 512;

    /// <summary>Blocks, 1 to 48. The default value is 12.</summary>
    public int Depth { get; init; } = 12;

    /// <summary>Heads of attention, 1 to 32. The default value is 8.</summary>
    public int Heads { get; init; } = 8;

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
    public override int MaxTokens => ContextLength;

    internal override bool ProjectsItself => true;

    /// <remarks>Bounded so that an edited model file cannot ask for more memory than the largest published ones would.</remarks>
    internal override void Validate()
    {
        SizeCheck.Within(nameof(ClipTextTransformer), nameof(VocabularySize), VocabularySize, 2, 1 << 20);
        SizeCheck.Within(nameof(ClipTextTransformer), nameof(ContextLength), ContextLength, 3, 1024);
        SizeCheck.Within(nameof(ClipTextTransformer), nameof(Width), Width, 4, 2048);
        SizeCheck.Within(nameof(ClipTextTransformer), nameof(Depth), Depth, 1, 48);
        SizeCheck.Within(nameof(ClipTextTransformer), nameof(Heads), Heads, 1, 32);
        SizeCheck.Multiple(nameof(ClipTextTransformer), nameof(Width), Width, Heads, "heads");
        SizeCheck.Within(nameof(ClipTextTransformer), nameof(EmbeddingSize), EmbeddingSize, 1, 2048);
    }

    internal override long CountWeights()
        => ((long)VocabularySize + ContextLength + 2 + EmbeddingSize) * Width + ClipTransformer.CountWeights(Width, Depth);

    internal override TextNetwork Build(Generator generator) => new ClipTextModule(this, generator);
}

/// <summary>The network of a <see cref="ClipTextTransformer"/>.</summary>
internal sealed class ClipTextModule : TextNetwork
{
    private readonly Table token_embedding;
    private readonly Parameter positional_embedding, text_projection;
    private readonly ClipTransformer transformer;
    private readonly LayerNorm ln_final;

    public ClipTextModule(ClipTextTransformer shape, Generator generator)
        : base(nameof(ClipTextTransformer))
    {
        token_embedding = new Table(shape.VocabularySize, shape.Width, 0.02, generator);
        positional_embedding = new Parameter(empty(shape.ContextLength, shape.Width).normal_(0, 0.01, generator));
        transformer = new ClipTransformer(shape.Width, shape.Depth, shape.Heads, shape.QuickGelu, isCausal: true, generator);
        ln_final = new LayerNorm(shape.Width, ClipTransformer.NormEpsilon);
        text_projection = new Parameter(empty(shape.Width, shape.EmbeddingSize).normal_(0, Math.Pow(shape.Width, -0.5), generator));
        RegisterComponents();
    }

    public override Tensor Embed(Tensor tokens, Tensor? positions = null)
    {
        if (tokens.dim() != 2 || tokens.dtype != ScalarType.Int64 || tokens.shape[1] > positional_embedding.shape[0])
            throw new ArgumentException($"Token ids must be [N, T] of int64 with T of at most {positional_embedding.shape[0]}, not [{string.Join(", ", tokens.shape)}] of {tokens.dtype}.", nameof(tokens));
        using var scope = NewDisposeScope();
        Tensor places = positions is null ? positional_embedding.narrow(0, 0, tokens.shape[1]) : Table.Rows(positional_embedding, positions);
        return token_embedding.forward(tokens.AtLeast(0)).Plus(places).MoveToOuterDisposeScope();
    }

    public override Tensor PositionsOf(Tensor tokens) => Number.Range(tokens.shape[1], device: tokens.device).expand_as(tokens);

    /// <remarks>What fills a row stands behind its closing token, and tokens see only those before them.</remarks>
    public override Tensor Represent(Tensor embedded, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        Tensor x = transformer.forward(embedded), places = TextPoolings.PlaceOfLargest(tokens);
        Tensor closing = x.gather(1, places.view(-1, 1, 1).expand(-1, 1, x.shape[2])).squeeze(1);
        return ln_final.forward(closing).matmul(text_projection).MoveToOuterDisposeScope();
    }
}
