namespace Microsoft.ML.Contrastive;

/// <summary>
/// The tokens of a vocabulary that stand for no text: one before and one behind each text, one that fills a batch's shorter rows, one for
/// what the vocabulary lacks, one that hides a word in training. Null where a tokenizer has none.
/// </summary>
internal sealed record SpecialTokens(string? Opening, string? Closing, string? Padding, string? Unknown, string? Mask)
{
    /// <summary>BERT's, DistilBERT's and MiniLM's.</summary>
    public static SpecialTokens Bert { get; } = new("[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]");

    /// <summary>RoBERTa's and XLM-R's.</summary>
    public static SpecialTokens Roberta { get; } = new("<s>", "</s>", "<pad>", "<unk>", "<mask>");

    /// <summary>CLIP's. It fills with id 0, which is an ordinary token.</summary>
    public static SpecialTokens Clip { get; } = new("<|startoftext|>", "<|endoftext|>", null, "<|endoftext|>", null);

    /// <summary>Each once, in the order in which a learned vocabulary begins with them.</summary>
    public IEnumerable<string> All => new[] { Padding, Unknown, Opening, Closing, Mask }.OfType<string>().Distinct();
}

/// <summary>Token ids of many texts, and how many of them were cut.</summary>
internal readonly record struct EncodedTexts(int[][] Ids, int Truncated);

/// <summary>
/// Text to ids, exactly as the published models were trained. The kinds are a closed set, so that no model file can name code. Safe for
/// use by many threads.
/// </summary>
/// <remarks>
/// Special tokens that stand in a text are words like others, as in the classic BERT code: a user's text can't end itself. CLIP's own
/// code alone sees its two.
/// </remarks>
internal abstract class Tokenizer
{
    private readonly int[] _opening, _closing;
    private readonly HashSet<int> _specialIds;

    /// <exception cref="ArgumentException">A special token is not in the vocabulary.</exception>
    private protected Tokenizer(Vocabulary vocabulary, SpecialTokens specials)
    {
        Vocabulary = vocabulary;
        Specials = specials;
        _opening = specials.Opening is { } opening ? [vocabulary.Find(opening, "opening")] : [];
        _closing = specials.Closing is { } closing ? [vocabulary.Find(closing, "closing")] : [];
        PaddingId = specials.Padding is { } padding ? vocabulary.Find(padding, "padding") : 0;
        UnknownId = specials.Unknown is { } unknown ? vocabulary.Find(unknown, "unknown") : null;
        MaskId = specials.Mask is { } mask ? vocabulary.Find(mask, "mask") : null;
        _specialIds = [.. specials.All.Select(token => vocabulary.Find(token, "special"))];
    }

    public Vocabulary Vocabulary { get; }

    public SpecialTokens Specials { get; }

    /// <summary>Fills the rows of a batch; 0 where the tokenizer names no token for it.</summary>
    public int PaddingId { get; }

    public int? UnknownId { get; }

    public int? MaskId { get; }

    /// <summary>Ids that every text costs.</summary>
    public int SpecialsPerText => _opening.Length + _closing.Length;

    public bool IsSpecial(int id) => _specialIds.Contains(id);

    /// <summary>Appends a text's ids with its opening and closing tokens; of a text that is too long the last words are left out.</summary>
    /// <param name="text">Any; what is not valid UTF-16 counts as U+FFFD.</param>
    /// <param name="maxLength">Most ids, special ones counted.</param>
    /// <param name="ids">Where they go.</param>
    /// <returns>True where the text was cut.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The length leaves no room for the special tokens and one word.</exception>
    public bool Encode(ReadOnlySpan<char> text, int maxLength, List<int> ids)
    {
        if (maxLength <= SpecialsPerText)
            throw new ArgumentOutOfRangeException(nameof(maxLength), maxLength, $"A text needs at least {SpecialsPerText + 1} ids: {SpecialsPerText} special ones and a word.");
        ids.AddRange(_opening);
        int most = ids.Count + maxLength - SpecialsPerText;
        AddWords(text, ids, most);
        bool isCut = ids.Count > most;
        if (isCut)
            ids.RemoveRange(most, ids.Count - most);
        ids.AddRange(_closing);
        return isCut;
    }

    /// <inheritdoc cref="Encode(ReadOnlySpan{char}, int, List{int})"/>
    public int[] Encode(string text, int maxLength)
    {
        var ids = new List<int>();
        Encode(text, maxLength, ids);
        return [.. ids];
    }

    /// <summary>The ids of each text, and how many were cut, so that a caller can say it once.</summary>
    /// <inheritdoc cref="Encode(ReadOnlySpan{char}, int, List{int})"/>
    public EncodedTexts EncodeAll(IReadOnlyList<string> texts, int maxLength)
    {
        var ids = new List<int>();
        int truncated = 0;
        var all = new int[texts.Count][];
        foreach ((int row, string text) in texts.Index())
        {
            ids.Clear();
            truncated += Encode(text, maxLength, ids) ? 1 : 0;
            all[row] = [.. ids];
        }
        return new(all, truncated);
    }

    /// <summary>Appends the ids of the text alone; may stop when there are more than <paramref name="most"/> in the list.</summary>
    private protected abstract void AddWords(ReadOnlySpan<char> text, List<int> ids, int most);
}
