using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>What a learned vocabulary is to be.</summary>
internal sealed record VocabularyOptions
{
    /// <summary>Most tokens, special ones counted, 300 to 1,048,576. The default value is 8192.</summary>
    public int Size { get; init; } = 8192;

    /// <summary>Times that two neighbours must come together to be one piece, at least 1. The default value is 2.</summary>
    public int MinFrequency { get; init; } = 2;

    /// <summary>WordPiece's alphabet: so many of the commonest characters, at least 1; a word with another is unknown. The default value is 1000.</summary>
    public int MaxCharacters { get; init; } = 1000;

    /// <summary>Different words that are counted at once, 1,000 to 100,000,000; beyond, the rarest are forgotten. The default value is 1,000,000, about 100 MB.</summary>
    public int MaxWords { get; init; } = 1_000_000;

    internal void Validate()
    {
        Check(Size is >= 300 and <= Vocabulary.MaxSize, nameof(Size), Size, $"from 300 to {Vocabulary.MaxSize}");
        Check(MinFrequency >= 1, nameof(MinFrequency), MinFrequency, "at least 1");
        Check(MaxCharacters >= 1, nameof(MaxCharacters), MaxCharacters, "at least 1");
        Check(MaxWords is >= 1000 and <= 100_000_000, nameof(MaxWords), MaxWords, "from 1,000 to 100,000,000");

        static void Check(bool isRight, string name, int value, string range)
        {
            if (!isRight)
                throw new ArgumentOutOfRangeException(name, value, $"{name} of a vocabulary must be {range}.");
        }
    }
}

/// <summary>
/// Tokenizers whose vocabulary is learned from texts. The same texts in any order give the same vocabulary, as long as their words are no more
/// than <see cref="VocabularyOptions.MaxWords"/>.
/// </summary>
internal static class VocabularyLearning
{
    // Longer ones are addresses and the like.
    private const int LongestWord = 100;

    /// <summary>BERT's kind: special tokens, characters, characters inside a word, then what was joined by frequency.</summary>
    /// <exception cref="ArgumentException">An option is out of its range, the texts have no words, or their characters alone fill the vocabulary.</exception>
    public static WordPiece WordPiece(IEnumerable<string> texts, VocabularyOptions? options = null, WordPieceSettings? settings = null, SpecialTokens? specials = null)
    {
        (options, settings, specials) = (options ?? new(), settings ?? new(), specials ?? SpecialTokens.Bert);
        settings.Validate();
        string prefix = settings.ContinuingPrefix;
        (string Word, long Count)[] words = Count(texts, text => Contrastive.WordPiece.Words(text, settings), options);
        var characters = new Dictionary<Rune, long>();
        foreach ((string word, long count) in words)
            foreach (Rune rune in word.EnumerateRunes())
                characters[rune] = characters.GetValueOrDefault(rune) + count;
        HashSet<Rune> alphabet = [.. characters.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).Take(options.MaxCharacters).Select(pair => pair.Key)];
        string[] single = [.. alphabet.Order().Select(rune => rune.ToString())];
        var learned = new PairMerges([.. specials.All, .. single, .. single.Select(character => prefix + character)]);
        Fits(learned, options, $"{single.Length} characters of the texts, at a word's start and inside it");
        foreach ((string word, long count) in words.Where(each => each.Word.EnumerateRunes().All(alphabet.Contains)))
            learned.AddWord(word.EnumerateRunes().Select((rune, index) => index == 0 ? rune.ToString() : prefix + rune), count);
        learned.Learn(options.Size, options.MinFrequency, (first, second) => first + second[prefix.Length..]);
        return new(new Vocabulary([.. learned.Pieces]), settings, specials);
    }

    /// <summary>RoBERTa's kind: special tokens, bytes, then what was joined.</summary>
    /// <inheritdoc cref="WordPiece"/>
    public static ByteLevelBpe ByteLevelBpe(IEnumerable<string> texts, VocabularyOptions? options = null, SpecialTokens? specials = null, bool addsPrefixSpace = false)
    {
        (options, specials) = (options ?? new(), specials ?? SpecialTokens.Roberta);
        (string Word, long Count)[] words = Count(texts, text => Contrastive.ByteLevelBpe.Words(text, addsPrefixSpace), options);
        var learned = new PairMerges([.. specials.All, .. ByteSymbols.InVocabularyOrder.Select(symbol => symbol.ToString())]);
        Fits(learned, options, "256 bytes");
        foreach ((string word, long count) in words)
            learned.AddWord(Encoding.UTF8.GetBytes(word).Select(value => ByteSymbols.OfByte[value].ToString()), count);
        return new(new Vocabulary(Joined(learned, options)), Lines(learned), specials, addsPrefixSpace);
    }

    /// <summary>CLIP's kind, in its order; without HTML's references, which learned text has not.</summary>
    /// <inheritdoc cref="WordPiece"/>
    public static ClipBpe ClipBpe(IEnumerable<string> texts, VocabularyOptions? options = null)
    {
        options ??= new() { Size = 49_408 };
        (string Word, long Count)[] words = Count(texts, Contrastive.ClipBpe.Words, options);
        string[] symbols = [.. ByteSymbols.InVocabularyOrder.Select(symbol => symbol.ToString())];
        var learned = new PairMerges([.. symbols, .. symbols.Select(symbol => symbol + Contrastive.ClipBpe.EndOfWord)]);
        options = options with { Size = options.Size - SpecialTokens.Clip.All.Count() };
        Fits(learned, options, "512 bytes, inside a word and at its end");
        foreach ((string word, long count) in words)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(word);
            learned.AddWord(bytes.Select((value, index) => ByteSymbols.OfByte[value] + (index == bytes.Length - 1 ? Contrastive.ClipBpe.EndOfWord : "")), count);
        }
        return new(new Vocabulary([.. Joined(learned, options), SpecialTokens.Clip.Opening, SpecialTokens.Clip.Closing]), Lines(learned), unescapesHtml: false);
    }

    /// <summary>Whole words, as BERT's code splits texts, the commonest first.</summary>
    /// <inheritdoc cref="WordPiece"/>
    public static IEnumerable<string> Words(IEnumerable<string> texts, VocabularyOptions options, WordPieceSettings settings)
        => Count(texts, text => Contrastive.WordPiece.Words(text, settings), options).Where(word => word.Count >= options.MinFrequency).Take(options.Size).Select(word => word.Word);

    private static IReadOnlyList<string> Joined(PairMerges learned, VocabularyOptions options)
    {
        learned.Learn(options.Size, options.MinFrequency, string.Concat);
        return learned.Pieces;
    }

    private static string[] Lines(PairMerges learned) => [.. learned.Merges.Select(merge => $"{merge.First} {merge.Second}")];

    private static (string Word, long Count)[] Count(IEnumerable<string> texts, Func<string, IEnumerable<string>> split, VocabularyOptions options)
    {
        options.Validate();
        var counts = new WordCounts(options.MaxWords);
        foreach (string text in texts)
            foreach (string word in split(text))
                if (word.Length <= LongestWord)
                    counts.Add(word);
        (string, long)[] words = [.. counts.Ordered];
        return words.Length > 0 ? words : throw new ArgumentException("A vocabulary can't be learned: the texts have no words.", nameof(texts));
    }

    private static void Fits(PairMerges learned, VocabularyOptions options, string what)
    {
        if (learned.Pieces.Count >= options.Size)
            throw new ArgumentException($"A vocabulary of {options.Size} tokens has no room for pieces: {what} and the special tokens are {learned.Pieces.Count}. Choose a larger Size.", nameof(options));
    }
}
