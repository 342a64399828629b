using System.Buffers;
using System.Globalization;
using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Character references of HTML ("&amp;amp;") back to characters, as Python's html.unescape does it, whose results CLIP was trained on. .NET's
/// WebUtility knows a tenth of the names, and none without a semicolon.
/// </summary>
internal static class HtmlText
{
    private const int LongestName = 32;

    // What browsers take 128 to 159 for: Windows-1252.
    private const string Windows1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

    private static readonly SearchValues<char> s_ends = SearchValues.Create("\t\n\f <&#;");
    private static readonly Dictionary<string, string> s_names = TokenizerData.Lines("html-entities.txt")
        .ToDictionary(line => line[..line.IndexOf('=')], line => TokenizerData.Text(line.AsSpan(line.IndexOf('=') + 1)), StringComparer.Ordinal);
    private static readonly Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> s_byName = s_names.GetAlternateLookup<ReadOnlySpan<char>>();

    public static void Unescape(ReadOnlySpan<char> text, ref CharBuffer result)
    {
        while (text.IndexOf('&') is >= 0 and var at)
        {
            result.Append(text[..at]);
            text = text[(at + 1)..];
            text = text[(text is ['#', ..] ? Number(text[1..], ref result) : Name(text, ref result))..];
        }
        result.Append(text);
    }

    /// <summary>Appends what the name stands for; returns the characters that it took.</summary>
    private static int Name(ReadOnlySpan<char> text, ref CharBuffer result)
    {
        int length = text[..Math.Min(text.Length, LongestName)].IndexOfAny(s_ends);
        if (length < 0)
            length = Math.Min(text.Length, LongestName);
        int whole = length < text.Length && text[length] == ';' && length > 0 ? length + 1 : length;
        // The longest known name at the start: some are known without their semicolon.
        for (int taken = whole; taken > (taken == whole ? 0 : 1); taken--)
            if (s_byName.TryGetValue(text[..taken], out string? meaning))
            {
                result.Append(meaning);
                return taken;
            }
        result.Append('&');
        return 0;
    }

    private static int Number(ReadOnlySpan<char> text, ref CharBuffer result)
    {
        bool isHex = text is ['x' or 'X', ..];
        ReadOnlySpan<char> digits = isHex ? text[1..] : text;
        int count = 0;
        while (count < digits.Length && (isHex ? char.IsAsciiHexDigit(digits[count]) : char.IsAsciiDigit(digits[count])))
            count++;
        if (count == 0)
        {
            result.Append('&');
            return 0;
        }
        ReadOnlySpan<char> significant = digits[..count].TrimStart('0');
        int point = significant.Length > 7 ? int.MaxValue
            : significant.IsEmpty ? 0
            : int.Parse(significant, isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture);
        AppendPoint(point, ref result);
        int taken = 1 + (isHex ? 1 : 0) + count;
        return count < digits.Length && digits[count] == ';' ? taken + 1 : taken;
    }

    private static void AppendPoint(int point, ref CharBuffer result)
    {
        if (point is >= 0x80 and <= 0x9F)
            result.Append(Windows1252[point - 0x80]);
        else if (point == 0 || !Rune.IsValid(point))
            result.Append('\uFFFD');
        else if (!(point is < 0x20 and not ('\t' or '\n' or '\f' or '\r') or 0x7F or (>= 0xFDD0 and <= 0xFDEF) || (point & 0xFFFE) == 0xFFFE))
            result.Append(new Rune(point));
    }
}
