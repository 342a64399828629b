namespace Microsoft.ML.Contrastive;

/// <summary>
/// Byte pair encoding over UTF-8 bytes as GPT-2 and RoBERTa have it (Radford et al. 2019; Liu et al. 2019): case and blanks are kept, and no
/// text is unknown.
/// </summary>
internal sealed class ByteLevelBpe : Tokenizer
{
    private readonly BpeWords _words;

    /// <param name="vocabulary">Tokens in <see cref="ByteSymbols"/>.</param>
    /// <param name="merges">"a b" each, in their order.</param>
    /// <param name="specials">RoBERTa's where null.</param>
    /// <param name="addsPrefixSpace">A text gets a space in front, so that its first word is encoded like the others.</param>
    /// <exception cref="ArgumentException">Vocabulary, merges and special tokens do not fit together.</exception>
    public ByteLevelBpe(Vocabulary vocabulary, IReadOnlyList<string> merges, SpecialTokens? specials = null, bool addsPrefixSpace = false)
        : base(vocabulary, specials ?? SpecialTokens.Roberta)
    {
        AddsPrefixSpace = addsPrefixSpace;
        _words = new BpeWords(vocabulary, merges, endOfWord: null, Specials.Unknown);
    }

    public bool AddsPrefixSpace { get; }

    public IReadOnlyList<string> Merges => _words.Merges;

    private protected override void AddWords(ReadOnlySpan<char> text, List<int> ids, int most)
    {
        if (AddsPrefixSpace && !text.IsEmpty && !char.IsWhiteSpace(text[0]))
        {
            var longer = new CharBuffer(text.Length + 1);
            try
            {
                longer.Append(' ');
                longer.Append(text);
                Split(longer.Written, ids, most);
            }
            finally
            {
                longer.Dispose();
            }
        }
        else
            Split(text, ids, most);
    }

    /// <summary>The words of a text, with the spaces before them.</summary>
    internal static IEnumerable<string> Words(string text, bool addsPrefixSpace)
    {
        string rest = addsPrefixSpace && text.Length > 0 && !char.IsWhiteSpace(text[0]) ? " " + text : text;
        for (int start = 0, length; start < rest.Length; start += length)
        {
            length = WordSplitter.FirstOfGpt2(rest.AsSpan(start));
            yield return rest.Substring(start, length);
        }
    }

    private void Split(ReadOnlySpan<char> text, List<int> ids, int most)
    {
        while (!text.IsEmpty && ids.Count <= most)
        {
            int length = WordSplitter.FirstOfGpt2(text);
            _words.Add(text[..length], ids);
            text = text[length..];
        }
    }
}
