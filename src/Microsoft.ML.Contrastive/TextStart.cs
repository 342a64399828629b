using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What a text encoder is before training: its whole shape, its tokenizer, and its first weights where they are not random.</summary>
/// <param name="Encoder">With the vocabulary's size.</param>
/// <param name="Tokenizer">Its own.</param>
/// <param name="Load">Puts first weights over a network's random ones; null where these are all.</param>
internal sealed record TextStart(TextEncoder Encoder, Tokenizer Tokenizer, Action<nn.Module>? Load)
{
    private const string Padding = "[PAD]", Unknown = "[UNK]";

    /// <summary>Whether the weights were learned before: those of a folder, or of an earlier encoder.</summary>
    public bool IsPretrained { get; private init; }

    /// <summary>What its weights were learned with before every text; empty for nothing.</summary>
    public string Prompt { get; init; } = "";

    /// <summary>How texts come to it.</summary>
    /// <param name="emptyTexts">What is done with blank ones.</param>
    /// <param name="prompt">The user's; null for its own.</param>
    public TextInput Input(EmptyTexts emptyTexts, string? prompt) => new() { Encoder = Encoder, EmptyTexts = emptyTexts, Prompt = prompt ?? Prompt };

    /// <param name="chosen">The user's.</param>
    /// <param name="prompt">Stands before every text; null for nothing.</param>
    /// <param name="texts">What a vocabulary or word counts are learned from, if any are.</param>
    /// <exception cref="InvalidDataException">A file is damaged or does not fit.</exception>
    /// <exception cref="ArgumentException">A setting does not fit a file.</exception>
    public static TextStart Create(TextEncoder chosen, string? prompt, Func<IEnumerable<string>> texts) => Create(chosen, () => texts().Select(text => prompt + text));

    private static TextStart Create(TextEncoder chosen, Func<IEnumerable<string>> texts)
    {
        chosen.Validate();
        return chosen switch
        {
            TextFolder folder => FromFolder(folder),
            TextTransformer transformer => FromNothing(transformer, texts),
            WordVectorEncoder vectors => OfWords(vectors, texts),
            ClipTextTransformer clip => OfClip(clip, texts),
            _ => throw new NotSupportedException($"{chosen.GetType().Name} is no kind of text encoder that can be started."),
        };
    }

    /// <summary>That of a fitted encoder of texts.</summary>
    public static TextStart Of(PretrainedEncoder encoder)
    {
        var input = (TextInput)encoder.Manifest.Input;
        return new TextStart(input.Encoder, encoder.Tokenizer!, module => ModuleState.Copy(encoder.Module, module)) { IsPretrained = true, Prompt = input.Prompt };
    }

    /// <summary>The same with the encoder that a method trains.</summary>
    public TextStart For(TextMethod method, int texts) => this with { Encoder = method.EncoderFor(Encoder, texts) };

    private static TextStart FromFolder(TextFolder folder)
    {
        var checkpoint = new TextCheckpoint(folder);
        return new TextStart(checkpoint.Shape, checkpoint.Tokenizer, checkpoint.LoadInto) { IsPretrained = true, Prompt = checkpoint.Prompt };
    }

    /// <summary>The published vocabulary where it has its size, otherwise one learned from the texts.</summary>
    private static TextStart OfClip(ClipTextTransformer shape, Func<IEnumerable<string>> texts)
    {
        Tokenizer tokenizer = shape.VocabularySize == new ClipTextTransformer().VocabularySize ? ClipBpe.Published()
            : VocabularyLearning.ClipBpe(texts(), new VocabularyOptions { Size = shape.VocabularySize });
        return new TextStart(shape with { VocabularySize = tokenizer.Vocabulary.Count }, tokenizer, null);
    }

    private static TextStart FromNothing(TextTransformer shape, Func<IEnumerable<string>> texts)
    {
        var options = new VocabularyOptions { Size = shape.VocabularySize };
        Tokenizer tokenizer = shape.TokenizerFrom is { } folder ? TokenizerFiles.ReadFolder(folder)
            : shape.Tokenizer == LearnedTokenizer.ByteLevelBpe ? VocabularyLearning.ByteLevelBpe(texts(), options)
            : VocabularyLearning.WordPiece(texts(), options);
        TextTransformer resolved = shape with
        {
            VocabularySize = tokenizer.Vocabulary.Count, WeighsTokens = shape.WeighsTokens || shape.RarityWeight is not null,
            TokenizerFrom = null, VectorsFrom = null, RarityWeight = null, Tokenizer = default,
        };
        resolved.Validate();
        Action<nn.Module>? load = shape.VectorsFrom is { } file ? WordsFrom(file, tokenizer, shape.Width) : null;
        if (shape.RarityWeight is { } rarity)
        {
            float[] weights = Rarity(tokenizer, resolved.TokenLimit, texts(), rarity);
            load += module => ((TextTransformerModule)module).SetTokenWeights(weights);
        }
        return new TextStart(resolved, tokenizer, load);
    }

    /// <summary>Tokens that are whole words start with a file's vectors, scaled to the deviation of the random ones.</summary>
    private static Action<nn.Module> WordsFrom(string file, Tokenizer tokenizer, int width)
    {
        Dictionary<string, int> words = Words(tokenizer);
        WordVectors vectors = WordVectorFile.Read(file, words.Keys.ToHashSet(StringComparer.Ordinal));
        if (vectors.Size != width)
            throw new ArgumentException($"{file} has vectors of {vectors.Size} numbers, the encoder tokens of {width}: set Width of the TextTransformer to {vectors.Size} and Heads to a divisor of it, or leave VectorsFrom out.");
        if (vectors.Words.Count == 0)
            throw new ArgumentException($"{file} has none of the vocabulary's words: is it of another language, or in upper case?");
        return module =>
        {
            using var scope = NewDisposeScope();
            using var noGradient = no_grad();
            Tensor rows = tensor(vectors.Values.ToArray()).view(vectors.Words.Count, width);
            long[] ids = [.. vectors.Words.Select(word => (long)words[word])];
            Tensor table = ((TextTransformerModule)module).TokenVectors;
            table.index_copy_(0, tensor(ids), rows.sub(rows.mean([0])).div(rows.std()).Times(TokenEmbedding.Deviation));
        };
    }

    /// <summary>The tokens that stand for a whole word, by the word: those with the mark of a word's begin (in CLIP's vocabularies of its end), where a vocabulary has one.</summary>
    private static Dictionary<string, int> Words(Tokenizer tokenizer)
    {
        var words = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach ((int id, string? token) in tokenizer.Vocabulary.Tokens.Index())
            if (token is not null && WordOf(token) is { Length: > 0 } word)
                words[word] = id;
        return words;

        string? WordOf(string token) => tokenizer switch
        {
            ByteLevelBpe => ByteSymbols.Decode(token) is [' ', .. var rest] ? rest : null,
            SentencePiece => token is [SentencePiece.Blank, .. var rest] ? rest : null,
            ClipBpe => token.EndsWith(ClipBpe.EndOfWord, StringComparison.Ordinal) ? ByteSymbols.Decode(token[..^ClipBpe.EndOfWord.Length]) : null,
            _ => token,
        };
    }

    private static TextStart OfWords(WordVectorEncoder shape, Func<IEnumerable<string>> texts)
    {
        WordVectors? file = shape.VectorsFrom is { } path ? WordVectorFile.Read(path, mostWords: shape.VocabularySize) : null;
        WordPieceSettings settings = new() { LowerCase = file is null || !file.Words.Any(word => word.Any(char.IsUpper)) };
        string[] words = file is not null ? [.. file.Words]
            : [.. VocabularyLearning.Words(texts(), new VocabularyOptions { Size = Math.Max(300, shape.VocabularySize) }, settings).Take(shape.VocabularySize)];
        int specials = 2;
        string[] tokens = [Padding, Unknown, .. words.Where(word => word is not (Padding or Unknown))];
        var tokenizer = new WordPiece(new Vocabulary(tokens), settings, new SpecialTokens(null, null, Padding, Unknown, null));
        WordVectorEncoder resolved = shape with { VocabularySize = tokens.Length, Width = file?.Size ?? shape.Width, VectorsFrom = null };
        resolved.Validate();
        float[] weights = shape.RarityWeight is { } rarity ? Rarity(tokenizer, resolved.TokenLimit, texts(), rarity) : [.. Enumerable.Repeat(1f, tokens.Length)];
        weights.AsSpan(0, specials).Clear();
        return new TextStart(resolved, tokenizer, module =>
        {
            using var scope = NewDisposeScope();
            using var noGradient = no_grad();
            var network = (WordVectorModule)module;
            network.Weights.copy_(tensor(weights));
            if (file is not null)
                network.Vectors.narrow(0, specials, file.Words.Count).copy_(tensor(file.Values.ToArray()).view(file.Words.Count, file.Size));
        })
        {
            IsPretrained = file is not null,
        };
    }

    /// <summary>a / (a + p) of each token that is the share p of the texts' known tokens.</summary>
    private static float[] Rarity(Tokenizer tokenizer, int limit, IEnumerable<string> texts, double rarity)
    {
        var counts = new long[tokenizer.Vocabulary.Count];
        var ids = new List<int>();
        foreach (string text in texts)
        {
            ids.Clear();
            tokenizer.Encode(text, limit, ids);
            foreach (int id in ids)
                counts[id]++;
        }
        if (tokenizer.UnknownId is { } unknown)
            counts[unknown] = 0;
        double all = Math.Max(1, counts.Sum());
        return [.. counts.Select(count => (float)(rarity / (rarity + count / all)))];
    }
}
