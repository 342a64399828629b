namespace Microsoft.ML.Contrastive;

/// <summary>
/// CLIP's tokenizer (Radford et al. 2021, released code): lower case, one blank between words, byte pair encoding over bytes in which a word's
/// last piece ends with a mark.
/// </summary>
/// <remarks>
/// The released code also repairs text that was decoded wrongly (the Python package ftfy); that is not done here. Opening and closing token,
/// written out in a text, are those tokens, as there.
/// </remarks>
internal sealed class ClipBpe : Tokenizer
{
    /// <summary>What a word's last piece ends with.</summary>
    public const string EndOfWord = "</w>";

    /// <summary>Most ids of a text in the published models.</summary>
    public const int PublishedLength = 77;

    private readonly BpeWords _words;

    /// <param name="vocabulary">Tokens in <see cref="ByteSymbols"/>, the last of a word with <see cref="EndOfWord"/>.</param>
    /// <param name="merges">"a b" each, in their order.</param>
    /// <param name="specials">CLIP's where null.</param>
    /// <param name="unescapesHtml">"&amp;amp;" is "&amp;", twice over, as in the released code; Hugging Face's has it not.</param>
    /// <param name="composes">Letters and accents are composed (NFC), as in Hugging Face's code; the released code leaves it to ftfy.</param>
    /// <exception cref="ArgumentException">Vocabulary, merges and special tokens do not fit together.</exception>
    public ClipBpe(Vocabulary vocabulary, IReadOnlyList<string> merges, SpecialTokens? specials = null, bool unescapesHtml = true, bool composes = false)
        : base(vocabulary, specials ?? SpecialTokens.Clip)
    {
        (UnescapesHtml, Composes) = (unescapesHtml, composes);
        _words = new BpeWords(vocabulary, merges, EndOfWord, Specials.Unknown);
    }

    public bool UnescapesHtml { get; }

    public bool Composes { get; }

    public IReadOnlyList<string> Merges => _words.Merges;

    /// <summary>The published models' tokenizer: 49,408 tokens, which the library carries.</summary>
    public static ClipBpe Published() => FromMerges(TokenizerData.ClipMerges());

    /// <summary>A vocabulary in CLIP's order: bytes, bytes that end a word, what each merge makes, then opening and closing token.</summary>
    /// <exception cref="ArgumentException">A merge does not fit.</exception>
    public static ClipBpe FromMerges(IReadOnlyList<string> merges, bool unescapesHtml = true)
        => new(new Vocabulary([
            .. ByteSymbols.InVocabularyOrder.Select(symbol => symbol.ToString()),
            .. ByteSymbols.InVocabularyOrder.Select(symbol => symbol + EndOfWord),
            .. merges.Select(merge => merge.Replace(" ", "", StringComparison.Ordinal)),
            SpecialTokens.Clip.Opening!, SpecialTokens.Clip.Closing!]), merges, unescapesHtml: unescapesHtml);

    private protected override void AddWords(ReadOnlySpan<char> text, List<int> ids, int most)
    {
        var cleaned = new CharBuffer(text.Length + 16);
        var other = new CharBuffer(text.Length + 16);
        try
        {
            // The two take turns: each step reads one and writes the other.
            if (UnescapesHtml && text.Contains('&'))
            {
                HtmlText.Unescape(text, ref other);
                HtmlText.Unescape(other.Written, ref cleaned);
                other.Cut(0);
                other.Append(cleaned.Written);
                cleaned.Cut(0);
            }
            else
                other.Append(text);
            if (Composes)
            {
                UnicodeForms.Compose(other.Written, ref cleaned);
                other.Cut(0);
                other.Append(cleaned.Written);
                cleaned.Cut(0);
            }
            UnicodeForms.Lower(TrimBlanks(other.Written), ref cleaned);
            Split(cleaned.Written, ids, most);
        }
        finally
        {
            cleaned.Dispose();
            other.Dispose();
        }
    }

    /// <summary>The words of a text, special tokens left out, for counting.</summary>
    internal static IEnumerable<string> Words(string text)
    {
        var lower = new CharBuffer(text.Length + 16);
        string rest;
        try
        {
            UnicodeForms.Lower(text, ref lower);
            rest = lower.Written.ToString();
        }
        finally
        {
            lower.Dispose();
        }
        for (int start = 0; start < rest.Length;)
        {
            if (char.IsWhiteSpace(rest[start]))
            {
                start++;
                continue;
            }
            int length = WordSplitter.FirstOfClip(rest.AsSpan(start));
            string word = rest.Substring(start, length);
            if (word != SpecialTokens.Clip.Opening && word != SpecialTokens.Clip.Closing)
                yield return word;
            start += length;
        }
    }

    private static ReadOnlySpan<char> TrimBlanks(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty && UnicodeForms.IsPythonSpace(text[0]))
            text = text[1..];
        while (!text.IsEmpty && UnicodeForms.IsPythonSpace(text[^1]))
            text = text[..^1];
        return text;
    }

    private void Split(ReadOnlySpan<char> text, List<int> ids, int most)
    {
        while (!text.IsEmpty && ids.Count <= most)
        {
            if (char.IsWhiteSpace(text[0]))
            {
                text = text[1..];
                continue;
            }
            int length = WordSplitter.FirstOfClip(text);
            ReadOnlySpan<char> word = text[..length];
            if (word.SequenceEqual(Specials.Opening) || word.SequenceEqual(Specials.Closing))
            {
                Vocabulary.TryFind(word, out int id);
                ids.Add(id);
            }
            else
                _words.Add(word, ids);
            text = text[length..];
        }
    }
}
