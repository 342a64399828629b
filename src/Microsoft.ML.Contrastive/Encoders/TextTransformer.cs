using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What a text transformer's middle layers, and its last dense layer, pass their numbers through.</summary>
public enum TextActivation
{
    /// <summary>By the error function: BERT's "gelu".</summary>
    Gelu,

    /// <summary>The approximation by tanh: "gelu_new", "gelu_pytorch_tanh", "gelu_fast".</summary>
    GeluTanh,

    /// <summary>x * sigmoid(1.702 x): "quick_gelu".</summary>
    QuickGelu,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>x * sigmoid(x): "silu", "swish".</summary>
    Silu,

    /// <summary>Hyperbolic tangent.</summary>
    Tanh,

    /// <summary>x as it is.</summary>
    Identity,
}

/// <summary>How a learned vocabulary cuts words into tokens.</summary>
public enum LearnedTokenizer
{
    /// <summary>BERT's: lower case, accents removed, words split at punctuation, then into the longest known pieces.</summary>
    WordPiece,

    /// <summary>RoBERTa's: bytes joined by frequency; every text can be written, case is kept.</summary>
    ByteLevelBpe,
}

/// <summary>
/// A transformer of the BERT family (Devlin et al. 2019; RoBERTa, MiniLM, DistilBERT and MPNet differ in the settings): token, position and type
/// vectors, post-norm blocks of self-attention, pooling, and where wanted a dense layer and unit length.
/// </summary>
/// <remarks>Tensor names are Hugging Face's of BERT; other models' names are translated when they are read.</remarks>
public sealed record TextTransformer : TextEncoder
{
    internal const int MaxVocabulary = 1 << 18, RelativeBuckets = 32;

    /// <summary>V, 8 to 262,144: where the vocabulary is learned, its most tokens; otherwise set by it. The default value is 8192.</summary>
    public int VocabularySize { get; init; } = 8192;

    /// <summary>H, 4 to 1,024, a multiple of <see cref="Heads"/>. The default value is 256.</summary>
    public int Width { get; init; } = 256;

    /// <summary>Layers, 1 to 24. The default value is 4.</summary>
    public int Depth { get; init; } = 4;

    /// <summary>Heads of attention, 1 to 16. The default value is 4.</summary>
    public int Heads { get; init; } = 4;

    /// <summary>Width of the middle of each layer, 4 to 4,096. Null, the default: four times <see cref="Width"/>.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>The most tokens of a text, special ones counted, 3 to 4,096. The default value is 64.</summary>
    public int TokenLimit { get; init; } = 64;

    /// <summary>Rows of the position table that stand before the first token's: 0 in BERT, 2 in RoBERTa and MPNet. The default value is 0.</summary>
    public int PositionOffset { get; init; }

    /// <summary>Rows of the position table. Null, the default: <see cref="PositionOffset"/> and <see cref="TokenLimit"/> together.</summary>
    public int? PositionRows { get; init; }

    /// <summary>Rows of the table of token types, of which the first is used: 2 in BERT, 1 in RoBERTa, 0 in DistilBERT and MPNet. The default value is 0.</summary>
    public int TokenTypes { get; init; }

    /// <summary>Whether attention is biased by the distance of two tokens, as in MPNet. The default value is false.</summary>
    public bool RelativePositions { get; init; }

    /// <summary>Of the layers' middles. The default value is <see cref="TextActivation.Gelu"/>.</summary>
    public TextActivation Activation { get; init; }

    /// <summary>Added to the variance in layer norms, above 0, at most 0.1. The default value is 1e-12, BERT's.</summary>
    public double NormEpsilon { get; init; } = 1e-12;

    /// <summary>Share of numbers that training drops behind embeddings and layers, 0 to below 1. The default value is 0.1.</summary>
    public double Dropout { get; init; } = 0.1;

    /// <summary>Share of attention's weights that training drops, 0 to below 1. The default value is 0.1.</summary>
    public double AttentionDropout { get; init; } = 0.1;

    /// <summary>How token vectors become one. The default value is <see cref="TextPooling.Mean"/>.</summary>
    public TextPooling Pooling { get; init; } = TextPooling.Mean;

    /// <summary>Whether tokens have a weight each in the mean, which <see cref="RarityWeight"/> or a folder gives; only with <see cref="TextPooling.Mean"/>. The default value is false.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] // checkpoints of before have it not
    public bool WeighsTokens { get; init; }

    /// <summary>Width of a dense layer behind the pooling, 1 to 4,096. Null, the default, for none.</summary>
    public int? DenseSize { get; init; }

    /// <summary>Whether the dense layer has a bias. The default value is true.</summary>
    public bool DenseBias { get; init; } = true;

    /// <summary>Of the dense layer. The default value is <see cref="TextActivation.Tanh"/>.</summary>
    public TextActivation DenseActivation { get; init; } = TextActivation.Tanh;

    /// <summary>Whether the vectors are made unit. The default value is false.</summary>
    public bool Normalizes { get; init; }

    /// <summary>How the vocabulary is learned, unless <see cref="TokenizerFrom"/> names one. The default value is <see cref="LearnedTokenizer.WordPiece"/>.</summary>
    [JsonIgnore]
    public LearnedTokenizer Tokenizer { get; init; }

    /// <summary>A folder whose tokenizer is taken (tokenizer.json, vocab.txt, ...) with new weights. Null, the default: a vocabulary is learned from the texts.</summary>
    [JsonIgnore]
    public string? TokenizerFrom { get; init; }

    /// <summary>
    /// A file of word vectors (GloVe's or word2vec's text format) of <see cref="Width"/> numbers: tokens that are whole words start with theirs, scaled
    /// to the deviation of the others. Null, the default, for random ones.
    /// </summary>
    [JsonIgnore]
    public string? VectorsFrom { get; init; }

    /// <summary>
    /// a of the weight a / (a + p) in the mean of a token that is the share p of all tokens of the texts that Fit sees (Arora, Liang, Ma 2017, equation 3, of words; they have
    /// 1e-3), above 0. Layer norms give all tokens the same length: with it rare ones, which carry what a text is about, count for more from the first step of training.
    /// Sets <see cref="WeighsTokens"/>. Null, the default: every token weighs the same.
    /// </summary>
    [JsonIgnore]
    public double? RarityWeight { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => DenseSize ?? Width * TextPoolings.Count(Pooling);

    /// <inheritdoc/>
    [JsonIgnore]
    public override int MaxTokens => TokenLimit;

    [JsonIgnore]
    internal override int MostTokens => Positions - PositionOffset;

    [JsonIgnore]
    internal int Middle => HiddenSize ?? 4 * Width;

    [JsonIgnore]
    internal int Positions => PositionRows ?? PositionOffset + TokenLimit;

    /// <remarks>Bounded so that an edited model file cannot ask for more memory than the largest of the family would.</remarks>
    internal override void Validate()
    {
        Require(VocabularySize is >= 8 and <= MaxVocabulary, nameof(VocabularySize), VocabularySize, "from 8 to 262,144");
        Require(Width is >= 4 and <= 1024, nameof(Width), Width, "from 4 to 1,024");
        Require(Depth is >= 1 and <= 24, nameof(Depth), Depth, "from 1 to 24");
        Require(Heads is >= 1 and <= 16, nameof(Heads), Heads, "from 1 to 16");
        Require(Width % Heads == 0, nameof(Width), Width, $"a multiple of its {Heads} heads");
        Require(Middle is >= 4 and <= 4096, nameof(HiddenSize), Middle, "from 4 to 4,096");
        Require(TokenLimit is >= 3 and <= 4096, nameof(TokenLimit), TokenLimit, "from 3 to 4,096");
        Require(PositionOffset is >= 0 and <= 1024, nameof(PositionOffset), PositionOffset, "from 0 to 1,024");
        Require(Positions >= PositionOffset + TokenLimit && Positions <= 1 << 13, nameof(PositionRows), Positions, $"from {PositionOffset + TokenLimit}, PositionOffset and TokenLimit together, to 8,192");
        Require(TokenTypes is >= 0 and <= 16, nameof(TokenTypes), TokenTypes, "from 0 to 16");
        Require(Enum.IsDefined(Activation), nameof(Activation), Activation, "one of TextActivation");
        Require(Enum.IsDefined(DenseActivation), nameof(DenseActivation), DenseActivation, "one of TextActivation");
        Require(Enum.IsDefined(Tokenizer), nameof(Tokenizer), Tokenizer, "WordPiece or ByteLevelBpe");
        Require(NormEpsilon is > 0 and <= 0.1, nameof(NormEpsilon), NormEpsilon, "above 0, at most 0.1");
        Require(Dropout is >= 0 and < 1, nameof(Dropout), Dropout, "at least 0 and below 1");
        Require(AttentionDropout is >= 0 and < 1, nameof(AttentionDropout), AttentionDropout, "at least 0 and below 1");
        Require(Pooling != TextPooling.None && (Pooling & ~TextPoolings.All) == 0, nameof(Pooling), Pooling, "one of TextPooling or several, such as TextPooling.Mean");
        Require(RarityWeight is null || (RarityWeight > 0 && double.IsFinite(RarityWeight.Value)), nameof(RarityWeight), RarityWeight ?? 0, "above 0 and finite, or null");
        Require((RarityWeight is null && !WeighsTokens) || Pooling == TextPooling.Mean, nameof(Pooling), Pooling, "TextPooling.Mean where tokens have a weight each");
        Require(DenseSize is null or (>= 1 and <= 4096), nameof(DenseSize), DenseSize ?? 0, "from 1 to 4,096, or null");

        static void Require(bool condition, string name, object value, string what)
        {
            if (!condition)
                throw new ArgumentOutOfRangeException(name, value, $"{name} of a TextTransformer must be {what}.");
        }
    }

    internal override long CountWeights()
    {
        long width = Width, middle = Middle;
        long layer = 4 * (width + 1) * width + (width + 1) * middle + (middle + 1) * width + 4 * width;
        long dense = DenseSize is { } size ? (width * TextPoolings.Count(Pooling) + (DenseBias ? 1 : 0)) * size : 0;
        return ((long)VocabularySize + Positions + TokenTypes + 2) * width + Depth * layer + (RelativePositions ? RelativeBuckets * Heads : 0) + dense + (WeighsTokens ? VocabularySize : 0);
    }

    internal override TextNetwork Build(Generator generator) => new TextTransformerModule(this, generator);
}
