using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The shape of a network that turns a text into a vector, and where its vocabulary and its first weights come from. The set of encoders is
/// closed, so that no model file can name code.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(TextTransformer), "textTransformer")]
[JsonDerivedType(typeof(WordVectorEncoder), "wordVectors")]
[JsonDerivedType(typeof(ClipTextTransformer), "clipTextTransformer")]
public abstract record TextEncoder : Encoder
{
    private protected TextEncoder()
    {
    }

    /// <summary>
    /// A published model: a folder as sentence-transformers or Hugging Face write it, of the BERT family (BERT, RoBERTa, XLM-R, DistilBERT, MiniLM, MPNet).
    /// </summary>
    /// <param name="path">The folder: config.json, model.safetensors, the tokenizer's files, and where it has them modules.json with its modules.</param>
    public static TextFolder FromFolder(string path) => new(path);

    /// <summary>A small transformer with random weights, to be trained on the user's own texts: 4 layers of 256, mean pooling.</summary>
    /// <param name="vocabulary">Most tokens of the vocabulary that is learned from the texts, 300 to 262,144. The default value is 8192.</param>
    public static TextTransformer Small(int vocabulary = 8192) => new() { VocabularySize = vocabulary };

    /// <summary>The mean of word vectors from a file, which trains no further unless a method is given.</summary>
    /// <param name="path">GloVe's or word2vec's text format: a word a line with its numbers behind it.</param>
    /// <param name="words">Words that are taken, from the file's start, where the commonest stand. The default value is 400,000.</param>
    public static WordVectorEncoder WordVectors(string path, int words = 400_000) => new() { VectorsFrom = path, VocabularySize = words };

    /// <summary>The most tokens of a text, special ones counted; what is longer is cut.</summary>
    [JsonIgnore]
    public abstract int MaxTokens { get; }

    /// <summary>True where the vector is made to be compared with pictures' vectors as it is; false, the rule, where training with pictures puts a matrix behind it.</summary>
    internal virtual bool ProjectsItself => false;

    /// <summary>The most tokens that the network has positions for: a view may be longer than a text.</summary>
    [JsonIgnore]
    internal virtual int MostTokens => MaxTokens;

    /// <summary>Numbers in the weights of what <see cref="Build"/> makes, told without making it.</summary>
    internal abstract long CountWeights();

    /// <summary>The network with random weights.</summary>
    internal abstract TextNetwork Build(Generator generator);
}

/// <summary>A published model in a folder; see <see cref="TextEncoder.FromFolder"/>.</summary>
/// <param name="Path">The folder.</param>
public sealed record TextFolder(string Path) : TextEncoder
{
    /// <summary>
    /// Whether the model's own pooler (a dense layer with tanh behind the first token's vector) gives the text's vector, as in the supervised SimCSE
    /// models on Hugging Face. Only for folders without modules.json. The default value is false: the mean over tokens.
    /// </summary>
    public bool UsesPooler { get; init; }

    /// <summary>How token vectors become one, in place of what the folder says. The default value is null.</summary>
    public TextPooling? Pooling { get; init; }

    /// <summary>The most tokens of a text, special ones counted, in place of what the folder says. The default value is null.</summary>
    public int? TokenLimit { get; init; }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The folder is read by Fit.</exception>
    public override int FeatureSize => throw Unread();

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The folder is read by Fit.</exception>
    public override int MaxTokens => throw Unread();

    internal override void Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Path);
        if (Pooling is { } pooling && (pooling == TextPooling.None || (pooling & ~TextPoolings.All) != 0))
            throw new ArgumentOutOfRangeException(nameof(Pooling), pooling, "Pooling of a TextFolder must be one of TextPooling or several, such as TextPooling.Mean.");
        if (TokenLimit is { } most && most < 3)
            throw new ArgumentOutOfRangeException(nameof(TokenLimit), most, "TokenLimit of a TextFolder must be at least 3: two special tokens and a word.");
        if (UsesPooler && Pooling is not null)
            throw new ArgumentException("A TextFolder has either UsesPooler or a Pooling: the pooler takes the first token's vector.", nameof(Pooling));
    }

    internal override long CountWeights() => throw Unread();

    internal override TextNetwork Build(Generator generator) => throw Unread();

    private static InvalidOperationException Unread() => new("What a folder holds is known once it was read: ask the fitted transformer.");
}

/// <summary>
/// A network of texts. It takes token ids [N, T] of int64, each row filled with -1 behind its text's end, and gives vectors [N, D]; in two parts, so
/// that a method can change what is between them.
/// </summary>
internal abstract class TextNetwork(string name) : nn.Module<Tensor, Tensor>(name)
{
    /// <summary>Stands behind a text's end.</summary>
    public const int Filler = -1;

    /// <summary>Vectors of the tokens, before any layer: [N, T, H].</summary>
    /// <param name="tokens">[N, T].</param>
    /// <param name="positions">[N, T] of int64, which position each token is told to have; null for its own.</param>
    public abstract Tensor Embed(Tensor tokens, Tensor? positions = null);

    /// <summary>Each token's place in its text, from the first that the network knows; the same for all fillers: [N, T].</summary>
    public abstract Tensor PositionsOf(Tensor tokens);

    /// <summary>Texts' vectors from their tokens': [N, D].</summary>
    /// <param name="embedded">[N, T, H].</param>
    /// <param name="tokens">[N, T], of which it takes what is a filler, and what a word weighs.</param>
    public abstract Tensor Represent(Tensor embedded, Tensor tokens);

    public sealed override Tensor forward(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        return Represent(Embed(tokens), tokens).MoveToOuterDisposeScope();
    }

    /// <summary>1 for a token, 0 for a filler: [N, T] of bool.</summary>
    public static Tensor MaskOf(Tensor tokens) => tokens.IsAtLeast(0);
}
