using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A character for each byte, so that pieces of UTF-8 are text (Radford et al. 2019, GPT-2's released code): the 188 printable bytes of Latin-1
/// stand for themselves, the 68 others for U+0100 and on, in order.
/// </summary>
internal static class ByteSymbols
{
    /// <summary>The character of each byte.</summary>
    public static IReadOnlyList<char> OfByte { get; } = Make();

    /// <summary>The text that symbols stand for; what is no whole character is U+FFFD.</summary>
    public static string Decode(string symbols) => Encoding.UTF8.GetString(symbols.Select(symbol => s_bytes.GetValueOrDefault(symbol)).ToArray());

    /// <summary>The characters in the order of GPT-2's and CLIP's vocabularies: those that stand for themselves, then the others.</summary>
    public static IEnumerable<char> InVocabularyOrder => Enumerable.Range(0, 256).OrderBy(value => !IsPrintable(value)).Select(value => OfByte[value]);

    private static readonly Dictionary<char, byte> s_bytes = OfByte.Index().ToDictionary(pair => pair.Item, pair => (byte)pair.Index); // behind OfByte, which is made first

    private static bool IsPrintable(int value) => value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);

    private static char[] Make()
    {
        int others = 0;
        return [.. Enumerable.Range(0, 256).Select(value => (char)(IsPrintable(value) ? value : 0x100 + others++))];
    }
}
