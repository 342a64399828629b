using System.Globalization;
using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>What BERT's tokenizer does to a text before it looks words up.</summary>
internal sealed record WordPieceSettings
{
    /// <summary>Lower case, as in the "uncased" models. The default value is true.</summary>
    public bool LowerCase { get; init; } = true;

    /// <summary>Accents are dropped. The default value is null: where <see cref="LowerCase"/> is set.</summary>
    public bool? StripAccents { get; init; }

    /// <summary>Control characters are dropped and every blank is a space. The default value is true.</summary>
    public bool CleanText { get; init; } = true;

    /// <summary>Each Chinese character is a word. The default value is true.</summary>
    public bool SplitChinese { get; init; } = true;

    /// <summary>What a piece that does not begin a word begins with. The default value is "##".</summary>
    public string ContinuingPrefix { get; init; } = "##";

    /// <summary>A word of more characters is unknown, 1 to 1000. The default value is 100.</summary>
    public int MaxWordLength { get; init; } = 100;

    internal bool Strips => StripAccents ?? LowerCase;

    internal void Validate()
    {
        if (MaxWordLength is < 1 or > 1000)
            throw new ArgumentOutOfRangeException(nameof(MaxWordLength), MaxWordLength, "The longest word must have from 1 to 1000 characters.");
        if (ContinuingPrefix.Length > 16)
            throw new ArgumentException("The prefix of continuing pieces has at most 16 characters.", nameof(ContinuingPrefix));
    }
}

/// <summary>
/// BERT's tokenizer (Devlin et al. 2019): words and single punctuation marks, each as the longest pieces of the vocabulary from its start;
/// a word that pieces can't make up is unknown.
/// </summary>
/// <remarks>
/// Not by Microsoft.ML.Tokenizers, whose BertTokenizer 2.0.1 drops line breaks, symbols and emoji. Here is the classic Python code's
/// behaviour, to the id.
/// </remarks>
internal sealed class WordPiece : Tokenizer
{
    private readonly int _unknown;

    /// <exception cref="ArgumentException">A setting is out of its range, or a special token is not in the vocabulary.</exception>
    public WordPiece(Vocabulary vocabulary, WordPieceSettings settings, SpecialTokens? specials = null)
        : base(vocabulary, specials ?? SpecialTokens.Bert)
    {
        settings.Validate();
        Settings = settings;
        _unknown = UnknownId ?? throw new ArgumentException("WordPiece needs a token for unknown words.", nameof(specials));
    }

    public WordPieceSettings Settings { get; }

    private protected override void AddWords(ReadOnlySpan<char> text, List<int> ids, int most)
    {
        var words = new CharBuffer(text.Length + 16);
        try
        {
            Normalize(text, Settings, ref words);
            AddPieces(words.Written, ids, most);
        }
        finally
        {
            words.Dispose();
        }
    }

    private void AddPieces(ReadOnlySpan<char> text, List<int> ids, int most)
    {
        ReadOnlySpan<char> rest = text;
        while (!rest.IsEmpty && ids.Count <= most)
        {
            int length = WordLength(rest, out int blanks);
            if (length > 0)
                AddWord(rest[..length], ids);
            rest = rest[(length + blanks)..];
        }
    }

    /// <summary>The words of a normalised text, in order.</summary>
    internal static IEnumerable<string> Words(string text, WordPieceSettings settings)
    {
        string rest = Normalized(text, settings);
        for (int start = 0; start < rest.Length;)
        {
            int length = WordLength(rest.AsSpan(start), out int blanks);
            if (length > 0)
                yield return rest.Substring(start, length);
            start += length + blanks;
        }
    }

    private static string Normalized(string text, WordPieceSettings settings)
    {
        var words = new CharBuffer(text.Length + 16);
        try
        {
            Normalize(text, settings, ref words);
            return words.Written.ToString();
        }
        finally
        {
            words.Dispose();
        }
    }

    /// <summary>Characters of the first word, or 0 where the text begins with blanks; and the blanks behind it.</summary>
    private static int WordLength(ReadOnlySpan<char> text, out int blanks)
    {
        blanks = 0;
        int length = 0;
        while (length < text.Length)
        {
            char c = text[length];
            int taken = 1;
            bool isMark;
            if (char.IsAscii(c))
                isMark = IsAsciiPunctuation(c);
            else
            {
                _ = Rune.DecodeFromUtf16(text[length..], out Rune rune, out taken);
                isMark = Rune.IsPunctuation(rune);
            }
            if (UnicodeForms.IsPythonSpace(c))
            {
                blanks = 1;
                return length;
            }
            if (isMark)
                return length == 0 ? taken : length;
            length += taken;
        }
        return length;
    }

    private static bool IsAsciiPunctuation(char c) => c is (>= '!' and <= '/') or (>= ':' and <= '@') or (>= '[' and <= '`') or (>= '{' and <= '~');

    private void AddWord(ReadOnlySpan<char> word, List<int> ids)
    {
        if (Vocabulary.TryFind(word, out int whole) && word.Length <= Settings.MaxWordLength)
        {
            ids.Add(whole);
            return;
        }
        if (word.Length > Settings.MaxWordLength && Count(word) > Settings.MaxWordLength)
        {
            ids.Add(_unknown);
            return;
        }
        int before = ids.Count, prefix = Settings.ContinuingPrefix.Length;
        Span<char> piece = stackalloc char[prefix + word.Length];
        Settings.ContinuingPrefix.CopyTo(piece);
        for (int start = 0; start < word.Length;)
        {
            int head = start == 0 ? 0 : prefix, length = Math.Min(word.Length - start, Math.Max(Vocabulary.Longest - head, 0));
            word[start..].CopyTo(piece[prefix..]);
            ReadOnlySpan<char> candidate = start == 0 ? word : piece;
            int id = -1;
            while (length > 0 && !Vocabulary.TryFind(candidate[..(head + length)], out id))
                length--;
            if (length == 0)
            {
                ids.RemoveRange(before, ids.Count - before);
                ids.Add(_unknown);
                return;
            }
            ids.Add(id);
            start += length;
        }
    }

    private static int Count(ReadOnlySpan<char> word)
    {
        int count = 0;
        foreach (Rune _ in word.EnumerateRunes())
            count++;
        return count;
    }

    private static void Normalize(ReadOnlySpan<char> text, WordPieceSettings settings, ref CharBuffer words)
    {
        Clean(text, settings, ref words);
        if (System.Text.Ascii.IsValid(words.Written))
            return; // lower already
        if (settings.LowerCase)
            Change(UnicodeForms.Lower, ref words);
        if (settings.Strips)
            Change(StripAccents, ref words);
    }

    private delegate void Step(ReadOnlySpan<char> text, ref CharBuffer result);

    private static void Change(Step step, ref CharBuffer words)
    {
        var changed = new CharBuffer(words.Length + 16);
        try
        {
            step(words.Written, ref changed);
            words.Cut(0);
            words.Append(changed.Written);
        }
        finally
        {
            changed.Dispose();
        }
    }

    private static void StripAccents(ReadOnlySpan<char> text, ref CharBuffer result)
    {
        var decomposed = new CharBuffer(text.Length + 16);
        try
        {
            UnicodeForms.Decompose(text, ref decomposed);
            foreach (Rune rune in decomposed.Written.EnumerateRunes())
                if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark)
                    result.Append(rune);
        }
        finally
        {
            decomposed.Dispose();
        }
    }

    /// <summary>Drops what is no text, sets Chinese characters apart, and makes ASCII lower where asked for.</summary>
    private static void Clean(ReadOnlySpan<char> text, WordPieceSettings settings, ref CharBuffer words)
    {
        for (int i = 0; i < text.Length;)
        {
            char c = text[i];
            if (c is >= ' ' and < '\u007f')
            {
                words.Append(settings.LowerCase ? char.ToLowerInvariant(c) : c);
                i++;
                continue;
            }
            _ = Rune.DecodeFromUtf16(text[i..], out Rune rune, out int taken);
            i += taken;
            UnicodeCategory category = Rune.GetUnicodeCategory(rune);
            if (settings.CleanText)
            {
                if (c is '\t' or '\n' or '\r' || category == UnicodeCategory.SpaceSeparator)
                {
                    words.Append(' ');
                    continue;
                }
                if (rune.Value == 0xFFFD || category is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned
                    or UnicodeCategory.PrivateUse or UnicodeCategory.Surrogate)
                    continue;
            }
            bool isApart = settings.SplitChinese && IsChinese(rune.Value);
            if (isApart)
                words.Append(' ');
            words.Append(rune);
            if (isApart)
                words.Append(' ');
        }
    }

    // The blocks of CJK ideographs that BERT's code names; Hangul, Hiragana and Katakana are written with blanks or marks and stay.
    private static bool IsChinese(int point) => point is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
        or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B820 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}
