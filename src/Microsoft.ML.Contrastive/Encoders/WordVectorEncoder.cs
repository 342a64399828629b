using System.Text.Json.Serialization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The mean of word vectors, each word weighed alike or by how rare it is: the oldest sentence encoder, strong for its price. Words that the vocabulary lacks are
/// left out; a text of none but such has the vector zero.
/// </summary>
public sealed record WordVectorEncoder : TextEncoder
{
    /// <summary>Words, 1 to 1,048,576: of a file, the most that are taken. The default value is 400,000.</summary>
    public int VocabularySize { get; init; } = 400_000;

    /// <summary>D, numbers of a vector, 1 to 4,096; set by the file where there is one. The default value is 100.</summary>
    public int Width { get; init; } = 100;

    /// <summary>The most words of a text, 1 to 4,096. The default value is 256.</summary>
    public int TokenLimit { get; init; } = 256;

    /// <summary>
    /// a of the weight a / (a + p(w)) of a word that is the share p of all words of the texts that Fit sees (Arora, Liang, Ma 2017, "A simple but
    /// tough-to-beat baseline", equation 3; they have 1e-3), above 0. Null, the default: every word weighs the same.
    /// </summary>
    public double? RarityWeight { get; init; }

    /// <summary>Whether the vectors are made unit. The default value is false.</summary>
    public bool Normalizes { get; init; }

    /// <summary>The file of word vectors, GloVe's or word2vec's text format. Null: random vectors for words that are learned from the texts.</summary>
    [JsonIgnore]
    public string? VectorsFrom { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => Width;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int MaxTokens => TokenLimit;

    [JsonIgnore]
    internal override int MostTokens => int.MaxValue;

    internal override void Validate()
    {
        Require(VocabularySize is >= 1 and <= 1 << 20, nameof(VocabularySize), VocabularySize, "from 1 to 1,048,576");
        Require(Width is >= 1 and <= 4096, nameof(Width), Width, "from 1 to 4,096");
        Require(TokenLimit is >= 1 and <= 4096, nameof(TokenLimit), TokenLimit, "from 1 to 4,096");
        Require(RarityWeight is null || (RarityWeight > 0 && double.IsFinite(RarityWeight.Value)), nameof(RarityWeight), RarityWeight ?? 0, "above 0 and finite, or null");

        static void Require(bool condition, string name, object value, string what)
        {
            if (!condition)
                throw new ArgumentOutOfRangeException(name, value, $"{name} of a WordVectorEncoder must be {what}.");
        }
    }

    internal override long CountWeights() => (Width + 1L) * VocabularySize;

    internal override TextNetwork Build(Generator generator) => new WordVectorModule(this, generator);
}

/// <summary>Token ids to the weighed mean of their vectors.</summary>
internal sealed class WordVectorModule : TextNetwork
{
    private readonly Parameter vectors;
    private readonly Tensor weights;
    private readonly bool _normalizes;

    public WordVectorModule(WordVectorEncoder shape, Generator generator)
        : base(nameof(WordVectorEncoder))
    {
        _normalizes = shape.Normalizes;
        vectors = new Parameter(empty(shape.VocabularySize, shape.Width).normal_(0, 1, generator));
        weights = ones(shape.VocabularySize);
        register_parameter(nameof(vectors), vectors);
        register_buffer(nameof(weights), weights);
    }

    /// <summary>[V, D].</summary>
    public Tensor Vectors => vectors;

    /// <summary>What each word weighs; 0 for one that is left out: [V].</summary>
    public Tensor Weights => weights;

    public override Tensor Embed(Tensor tokens, Tensor? positions = null) => Table.Rows(vectors, tokens.AtLeast(0));

    public override Tensor PositionsOf(Tensor tokens) => MaskOf(tokens).to(ScalarType.Int64).cumsum(1);

    public override Tensor Represent(Tensor embedded, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        Tensor mean = TextPoolings.Weighted(embedded, weights[tokens.AtLeast(0)].mul(MaskOf(tokens).to(embedded.dtype)));
        return (_normalizes ? nn.functional.normalize(mean) : mean).MoveToOuterDisposeScope();
    }
}
