using System.Globalization;
using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// What a file says, as it can stand in a message: on one line, short, and without characters that a console or a log would obey.
/// </summary>
internal static class Printable
{
    private const int LongestName = 200, LongestMessage = 600;

    /// <summary>A name from a file in quotes, cut where it is long.</summary>
    public static string Quote(string name) => $"'{Escape(name.Length > LongestName ? name[..LongestName] + "..." : name)}'";

    /// <summary>A parser's or a check's message, which may quote the file at any length: its start and its end.</summary>
    public static string Message(string message)
    {
        string line = message.Length <= LongestMessage ? message : $"{message[..(LongestMessage / 2)]} ... {message[^(LongestMessage / 2)..]}";
        return Escape(line.ReplaceLineEndings(" "));
    }

    private static string Escape(string text)
    {
        var shown = new StringBuilder();
        foreach (char c in text)
        {
            bool prints = char.GetUnicodeCategory(c) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
            shown.Append(prints ? c : $"\\u{(int)c:x4}");
        }
        return shown.ToString();
    }
}
