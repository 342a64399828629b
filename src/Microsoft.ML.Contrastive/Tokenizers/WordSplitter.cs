using System.Globalization;
using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The words that byte-level encoders cut a text into, by GPT-2's and by CLIP's rule. Both are published as regular expressions over whole
/// characters; these are the same rules, read by hand.
/// </summary>
internal static class WordSplitter
{
    private enum Kind
    {
        Letter,
        Number,
        Blank,
        Other,
    }

    /// <summary>
    /// Characters of the first word of a text that is not empty: an English ending behind an apostrophe; or letters, numbers or other
    /// marks with a space before them; or blanks, without the last one where a word follows.
    /// </summary>
    public static int FirstOfGpt2(ReadOnlySpan<char> text)
    {
        int ending = Ending(text);
        if (ending > 0)
            return ending;
        int start = text[0] == ' ' && text.Length > 1 ? 1 : 0;
        Kind kind = KindAt(text, start, out _);
        if (kind != Kind.Blank)
            return start + Run(text[start..], kind);
        int blanks = Run(text, Kind.Blank);
        return blanks == text.Length || blanks == 1 ? blanks : blanks - 1;
    }

    /// <summary>
    /// Characters of the first word of a text that begins with no blank: one of the two special tokens, an English ending behind an
    /// apostrophe, letters, one number, or other marks.
    /// </summary>
    public static int FirstOfClip(ReadOnlySpan<char> text)
    {
        foreach (string special in (ReadOnlySpan<string>)[SpecialTokens.Clip.Opening!, SpecialTokens.Clip.Closing!])
            if (text.StartsWith(special))
                return special.Length;
        // The published rule ignores case, and a long s is a small s with another case.
        int ending = text is ['\'', 'ſ', ..] ? 2 : Ending(text);
        if (ending > 0)
            return ending;
        Kind kind = KindAt(text, 0, out int taken);
        return kind == Kind.Number ? taken : Run(text, kind);
    }

    private static int Ending(ReadOnlySpan<char> text) => text switch
    {
        ['\'', 's' or 't' or 'm' or 'd', ..] => 2,
        ['\'', 'r' or 'v', 'e', ..] or ['\'', 'l', 'l', ..] => 3,
        _ => 0,
    };

    private static int Run(ReadOnlySpan<char> text, Kind kind)
    {
        int length = 0;
        while (length < text.Length && KindAt(text, length, out int taken) == kind)
            length += taken;
        return length;
    }

    private static Kind KindAt(ReadOnlySpan<char> text, int place, out int taken)
    {
        char c = text[place];
        taken = 1;
        if (char.IsAscii(c))
            return char.IsAsciiLetter(c) ? Kind.Letter : char.IsAsciiDigit(c) ? Kind.Number : char.IsWhiteSpace(c) ? Kind.Blank : Kind.Other;
        _ = Rune.DecodeFromUtf16(text[place..], out Rune rune, out taken);
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            _ => Rune.IsWhiteSpace(rune) ? Kind.Blank : Kind.Other,
        };
    }
}
