using System.Globalization;
using System.IO.Compression;

namespace Microsoft.ML.Contrastive;

/// <summary>The tables that the library carries for its tokenizers: embedded files of Data/.</summary>
internal static class TokenizerData
{
    /// <summary>The file's lines without the first, which says what it is.</summary>
    public static IEnumerable<string> Lines(string name) => Read(name).Skip(1);

    /// <summary>CLIP's 48,894 merges in their order ("a b").</summary>
    public static string[] ClipMerges() => [.. Read("clip-merges.txt.gz")];

    /// <summary>Code points in hexadecimal, with blanks between them, as text.</summary>
    public static string Text(ReadOnlySpan<char> codePoints)
    {
        string text = "";
        foreach (Range each in codePoints.Split(' '))
            text += char.ConvertFromUtf32(CodePoint(codePoints[each]));
        return text;
    }

    public static int CodePoint(ReadOnlySpan<char> hexadecimal) => int.Parse(hexadecimal, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static IEnumerable<string> Read(string name)
    {
        Stream file = typeof(TokenizerData).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"The library lacks its file {name}.");
        using var reader = new StreamReader(name.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file);
        while (reader.ReadLine() is { } line)
            yield return line;
    }
}
