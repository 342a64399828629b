using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>The network of a <see cref="TextTransformer"/>.</summary>
internal sealed class TextTransformerModule : TextNetwork
{
    private readonly TextTransformer _shape;
    private readonly TokenEmbedding embeddings;
    private readonly TokenLayers encoder;
    private readonly Linear? dense;
    private readonly Tensor? token_weights;

    public TextTransformerModule(TextTransformer shape, Generator generator)
        : base(nameof(TextTransformer))
    {
        _shape = shape;
        embeddings = new TokenEmbedding(shape, generator);
        encoder = new TokenLayers(shape, generator);
        if (shape.DenseSize is { } size)
        {
            long pooled = (long)shape.Width * TextPoolings.Count(shape.Pooling);
            dense = Linear.Normal(pooled, size, generator, TokenEmbedding.Deviation, shape.DenseBias);
        }
        register_module(nameof(embeddings), embeddings);
        register_module(nameof(encoder), encoder);
        if (dense is not null)
            register_module(nameof(dense), dense);
        if (shape.WeighsTokens)
            register_buffer(nameof(token_weights), token_weights = ones(shape.VocabularySize));
    }

    public override Tensor Embed(Tensor tokens, Tensor? positions = null) => embeddings.forward(tokens, positions ?? PositionsOf(tokens));

    public override Tensor PositionsOf(Tensor tokens) => PositionsOf(MaskOf(tokens), _shape.PositionOffset);

    /// <summary>offset, offset + 1, ... for the tokens of each row; fillers have the one before the first, or 0 (Hugging Face's RoBERTa: the padding id).</summary>
    public static Tensor PositionsOf(Tensor mask, long offset)
    {
        Tensor real = mask.to(ScalarType.Int64);
        return real.cumsum(1).mul(real).Plus(offset - 1).AtLeast(0);
    }

    public override Tensor Represent(Tensor embedded, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        Tensor mask = MaskOf(tokens);
        TokenStates states = encoder.States(embedded, mask);
        Tensor[] parts = [.. TextPoolings.Parts(_shape.Pooling).Select(mode => mode switch
        {
            TextPooling.FirstLastMean => TextPoolings.MeanOfTwo(states.First, states.Last, mask),
            TextPooling.LastTwoMean => TextPoolings.MeanOfTwo(states.BeforeLast, states.Last, mask),
            TextPooling.Mean when token_weights is not null => TextPoolings.Weighted(states.Last, token_weights[tokens.AtLeast(0)].mul(mask.to(embedded.dtype))),
            _ => TextPoolings.Pool(states.Last, mask, mode),
        })];
        Tensor vector = parts is [var only] ? only : cat(parts, 1);
        if (dense is not null)
            vector = Activations.Apply(_shape.DenseActivation, dense.forward(vector));
        return (_shape.Normalizes ? nn.functional.normalize(vector) : vector).MoveToOuterDisposeScope();
    }

    /// <summary>The tokens' vectors behind each layer that a pooling may ask for.</summary>
    internal TokenStates States(Tensor tokens) => encoder.States(Embed(tokens), MaskOf(tokens));

    /// <summary>What each token weighs in the mean, [V]; null where all weigh the same.</summary>
    public Tensor? TokenWeights => token_weights;

    /// <param name="weights">[V], at least 0.</param>
    public void SetTokenWeights(float[] weights)
    {
        using var noGradient = no_grad();
        using Tensor values = tensor(weights);
        token_weights!.copy_(values);
    }

    /// <summary>The first layer's weights that a word-vector file may give: [V, H].</summary>
    internal Tensor TokenVectors => embeddings.Words;
}

/// <summary>Tokens' vectors [N, T, H] behind the first layer, the last but one (the embeddings where there is one layer), and the last.</summary>
internal readonly record struct TokenStates(Tensor First, Tensor BeforeLast, Tensor Last);

/// <summary>The functions of <see cref="TextActivation"/>.</summary>
internal static class Activations
{
    /// <param name="activation">Which.</param>
    /// <param name="x">May be overwritten, where no gradient will ask for it.</param>
    public static Tensor Apply(TextActivation activation, Tensor x) => activation switch
    {
        TextActivation.Gelu => is_grad_enabled() ? nn.functional.gelu(x) : x.gelu_(),
        TextActivation.GeluTanh => GeluTanh(x),
        TextActivation.QuickGelu => x.mul(x.Times(1.702).sigmoid()),
        TextActivation.Relu => x.relu(),
        TextActivation.Silu => x.mul(x.sigmoid()),
        TextActivation.Tanh => x.tanh(),
        TextActivation.Identity => x,
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "There is no such activation."),
    };

    private static Tensor GeluTanh(Tensor x) => x.Power(3).Times(0.044715).Plus(x).Times(Math.Sqrt(2 / Math.PI)).tanh().Plus(1).mul(x).Times(0.5);
}

/// <summary>A row of a table for each index; rows start normal.</summary>
internal sealed class Table : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;

    public Table(long rows, long width, double deviation, Generator generator)
        : base(nameof(Table))
    {
        weight = new Parameter(empty(rows, width).normal_(0, deviation, generator));
        RegisterComponents();
    }

    public Tensor Weight => weight;

    public override Tensor forward(Tensor indices) => Rows(weight, indices);

    /// <summary>Rows of a table [R, D] by indices of any shape: [..., D].</summary>
    public static Tensor Rows(Tensor table, Tensor indices) => table.index_select(0, indices.reshape(-1)).view([.. indices.shape, table.shape[1]]);
}

/// <summary>Token, position and type vectors together, normed, with dropout (Devlin et al. 2019, figure 2).</summary>
internal sealed class TokenEmbedding : nn.Module<Tensor, Tensor, Tensor>
{
    public const double Deviation = 0.02; // of all first weights, as in BERT
    private readonly Table word_embeddings, position_embeddings;
    private readonly Table? token_type_embeddings;
    private readonly LayerNorm LayerNorm;
    private readonly Dropout dropout;

    public TokenEmbedding(TextTransformer shape, Generator generator)
        : base(nameof(TokenEmbedding))
    {
        word_embeddings = new Table(shape.VocabularySize, shape.Width, Deviation, generator);
        position_embeddings = new Table(shape.Positions, shape.Width, Deviation, generator);
        token_type_embeddings = shape.TokenTypes > 0 ? new Table(shape.TokenTypes, shape.Width, Deviation, generator) : null;
        (LayerNorm, dropout) = (new LayerNorm(shape.Width, shape.NormEpsilon), new Dropout(shape.Dropout));
        register_module(nameof(word_embeddings), word_embeddings);
        register_module(nameof(position_embeddings), position_embeddings);
        if (token_type_embeddings is not null)
            register_module(nameof(token_type_embeddings), token_type_embeddings);
        register_module(nameof(LayerNorm), LayerNorm);
        register_module(nameof(dropout), dropout);
    }

    public Tensor Words => word_embeddings.Weight;

    public override Tensor forward(Tensor tokens, Tensor positions)
    {
        using var scope = NewDisposeScope();
        Tensor sum = word_embeddings.forward(tokens.AtLeast(0)).Plus(position_embeddings.forward(positions));
        if (token_type_embeddings is not null)
            sum = sum.Plus(token_type_embeddings.Weight[0]);
        return dropout.forward(LayerNorm.forward(sum)).MoveToOuterDisposeScope();
    }
}

/// <summary>The layers behind each other.</summary>
internal sealed class TokenLayers : nn.Module
{
    private readonly ModuleList<TokenLayer> layer;
    private readonly Table? relative_attention_bias;

    public TokenLayers(TextTransformer shape, Generator generator)
        : base(nameof(TokenLayers))
    {
        layer = new ModuleList<TokenLayer>([.. Enumerable.Range(0, shape.Depth).Select(_ => new TokenLayer(shape, generator))]);
        relative_attention_bias = shape.RelativePositions ? new Table(TextTransformer.RelativeBuckets, shape.Heads, TokenEmbedding.Deviation, generator) : null;
        register_module(nameof(layer), layer);
        if (relative_attention_bias is not null)
            register_module(nameof(relative_attention_bias), relative_attention_bias);
    }

    public TokenStates States(Tensor embedded, Tensor mask)
    {
        Tensor bias = zeros([1], embedded.dtype, embedded.device).Filled(mask.logical_not(), double.NegativeInfinity).unsqueeze(1).unsqueeze(2); // [N, 1, 1, T]
        if (relative_attention_bias is not null)
        {
            Tensor place = Number.Range(mask.shape[1], device: mask.device);
            Tensor distances = place.unsqueeze(0).sub(place.unsqueeze(1)); // [query, key]
            bias = bias.Plus(relative_attention_bias.forward(Buckets(distances)).permute(2, 0, 1).unsqueeze(0)); // [N, heads, T, T]
        }
        (Tensor? first, Tensor beforeLast, Tensor last) = (null, embedded, embedded);
        foreach (TokenLayer each in layer)
        {
            (beforeLast, last) = (last, each.forward(last, bias));
            first ??= last;
        }
        return new TokenStates(first!, beforeLast, last);
    }

    /// <summary>
    /// MPNet's 32 buckets of distances, key minus query (Song et al. 2020; from T5, Raffel et al. 2020, section 2.1): half for keys behind the query, of each
    /// half the first eight exact, the others in equal steps of the logarithm up to 128; in single precision, as where the weights were learned.
    /// </summary>
    internal static Tensor Buckets(Tensor distances)
    {
        const int half = TextTransformer.RelativeBuckets / 2, exact = half / 2, farthest = 128;
        Tensor length = distances.abs();
        Tensor far = length.AtLeast(1).to(ScalarType.Float32).Over(exact).log().Over(Math.Log((double)farthest / exact)).Times(half - exact).to(ScalarType.Int64).Plus(exact).AtMost(half - 1);
        return where(length.IsBelow(exact), length, far).Plus(distances.IsAbove(0).to(ScalarType.Int64).Times(half));
    }
}

/// <summary>One layer: attention, then two linear layers, each added to what came in and normed (Vaswani et al. 2017).</summary>
internal sealed class TokenLayer : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly TokenAttention attention;
    private readonly Named intermediate;
    private readonly Residual output;
    private readonly TextActivation _activation;

    public TokenLayer(TextTransformer shape, Generator generator)
        : base(nameof(TokenLayer))
    {
        _activation = shape.Activation;
        attention = new TokenAttention(shape, generator);
        intermediate = new Named(("dense", Linear.Normal(shape.Width, shape.Middle, generator, TokenEmbedding.Deviation)));
        output = new Residual(shape.Middle, shape, generator);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input, Tensor bias)
    {
        using var scope = NewDisposeScope();
        Tensor mixed = attention.forward(input, bias);
        return output.forward(Activations.Apply(_activation, intermediate.Of("dense", mixed)), mixed).MoveToOuterDisposeScope();
    }
}

/// <summary>Attention in heads, with what it gives added to what came in.</summary>
internal sealed class TokenAttention : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly Named self;
    private readonly Residual output;
    private readonly Dropout dropout;
    private readonly int _heads;

    public TokenAttention(TextTransformer shape, Generator generator)
        : base(nameof(TokenAttention))
    {
        _heads = shape.Heads;
        self = new Named([.. new[] { "query", "key", "value" }.Select(name => (name, Linear.Normal(shape.Width, shape.Width, generator, TokenEmbedding.Deviation)))]);
        output = new Residual(shape.Width, shape, generator);
        dropout = new Dropout(shape.AttentionDropout);
        register_module(nameof(self), self);
        register_module(nameof(output), output);
        register_module(nameof(dropout), dropout);
    }

    public override Tensor forward(Tensor input, Tensor bias)
    {
        using var scope = NewDisposeScope();
        (long rows, long tokens, long width) = (input.shape[0], input.shape[1], input.shape[2]);
        (Tensor query, Tensor key, Tensor value) = (Heads("query"), Heads("key"), Heads("value"));
        Tensor mixed = dropout.IsActive
            ? dropout.forward(query.matmul(key.transpose(2, 3)).Over(Math.Sqrt((double)width / _heads)).Plus(bias).softmax(-1)).matmul(value)
            : nn.functional.scaled_dot_product_attention(query, key, value, bias.expand(rows, bias.shape[1], tokens, tokens));
        return output.forward(mixed.transpose(1, 2).reshape(rows, tokens, width), input).MoveToOuterDisposeScope();

        Tensor Heads(string name) => self.Of(name, input).view(rows, tokens, _heads, width / _heads).transpose(1, 2); // [N, heads, T, H / heads]
    }
}

/// <summary>A linear layer with dropout, added to another way and normed.</summary>
internal sealed class Residual : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly Linear dense;
    private readonly LayerNorm LayerNorm;
    private readonly Dropout dropout;

    public Residual(long inputs, TextTransformer shape, Generator generator)
        : base(nameof(Residual))
    {
        dense = Linear.Normal(inputs, shape.Width, generator, TokenEmbedding.Deviation);
        (LayerNorm, dropout) = (new LayerNorm(shape.Width, shape.NormEpsilon), new Dropout(shape.Dropout));
        register_module(nameof(dense), dense);
        register_module(nameof(LayerNorm), LayerNorm);
        register_module(nameof(dropout), dropout);
    }

    public override Tensor forward(Tensor input, Tensor other)
    {
        using var scope = NewDisposeScope();
        return LayerNorm.forward(dropout.forward(dense.forward(input)).Add(other)).MoveToOuterDisposeScope();
    }
}

/// <summary>Linear layers under the names that files give them.</summary>
internal sealed class Named : nn.Module
{
    private readonly Dictionary<string, Linear> _layers = [];

    public Named(params (string Name, Linear Layer)[] layers)
        : base(nameof(Named))
    {
        foreach ((string name, Linear layer) in layers)
        {
            _layers.Add(name, layer);
            register_module(name, layer);
        }
    }

    public Tensor Of(string name, Tensor input) => _layers[name].forward(input);
}
