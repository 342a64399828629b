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
public sealed record ClipTextTransformer : Encoder
{
    /// <summary>V, tokens of the vocabulary, 2 to 1,048,576; the last of them closes a text. The default value is 49,408.</summary>
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

    /// <summary>The default value is <see cref="ClipActivation.QuickGelu"/>.</summary>
    public ClipActivation Activation { get; init; } = ClipActivation.QuickGelu;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => EmbeddingSize;

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
        Activation.Check();
    }

    internal long CountWeights()
        => ((long)VocabularySize + ContextLength + 2 + EmbeddingSize) * Width + ClipTransformer.CountWeights(Width, Depth);

    internal nn.Module<Tensor, Tensor> Build(Generator generator) => new ClipTextModule(this, generator);
}

/// <summary>Token ids [N, T], -1 behind each text's end, to [N, E].</summary>
internal sealed class ClipTextModule : nn.Module<Tensor, Tensor>
{
    private readonly TokenTable token_embedding;
    private readonly Parameter positional_embedding, text_projection;
    private readonly ClipTransformer transformer;
    private readonly LayerNorm ln_final;

    public ClipTextModule(ClipTextTransformer shape, Generator generator)
        : base(nameof(ClipTextTransformer))
    {
        token_embedding = new TokenTable(shape.VocabularySize, shape.Width, generator);
        positional_embedding = new Parameter(empty(shape.ContextLength, shape.Width).normal_(0, 0.01, generator));
        transformer = new ClipTransformer(shape.Width, shape.Depth, shape.Heads, shape.Activation, isCausal: true, generator);
        ln_final = new LayerNorm(shape.Width, ClipTransformer.NormEpsilon);
        text_projection = new Parameter(empty(shape.Width, shape.EmbeddingSize).normal_(0, Math.Pow(shape.Width, -0.5), generator));
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        if (input.dim() != 2 || input.dtype != ScalarType.Int64 || input.shape[1] > positional_embedding.shape[0])
            throw new ArgumentException($"Token ids must be [N, T] of int64 with T of at most {positional_embedding.shape[0]}, not [{string.Join(", ", input.shape)}] of {input.dtype}.", nameof(input));
        using var scope = NewDisposeScope();
        // What fills a row stands behind its closing token, and tokens see only those before them.
        Tensor x = token_embedding.forward(input.clamp_min(0)).add(positional_embedding.narrow(0, 0, input.shape[1]));
        x = transformer.forward(x);
        Tensor places = TextPooling.PlaceOfLargest(input);
        Tensor closing = x.gather(1, places.view(-1, 1, 1).expand(-1, 1, x.shape[2])).squeeze(1);
        return ln_final.forward(closing).matmul(text_projection).MoveToOuterDisposeScope();
    }

    private sealed class TokenTable : nn.Module<Tensor, Tensor>
    {
        private readonly Parameter weight;

        public TokenTable(int tokens, int width, Generator generator)
            : base(nameof(TokenTable))
        {
            weight = new Parameter(empty(tokens, width).normal_(0, 0.02, generator));
            RegisterComponents();
        }

        public override Tensor forward(Tensor input) => weight.index_select(0, input.flatten()).view(input.shape[0], input.shape[1], -1);
    }
}
