using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>Words with a vector each.</summary>
/// <param name="Words">Each once, in the file's order.</param>
/// <param name="Values">Word i has the numbers from i * <paramref name="Size"/> on.</param>
/// <param name="Size">Numbers of each vector.</param>
internal sealed record WordVectors(IReadOnlyList<string> Words, ReadOnlyMemory<float> Values, int Size);

/// <summary>
/// Reads the text formats of GloVe (Pennington, Socher, Manning 2014) and word2vec (Mikolov et al. 2013): a line for each word with its
/// numbers behind it; word2vec's has a first line with the number of words and of numbers.
/// </summary>
internal static class WordVectorFile
{
    private const int LongestLine = 1 << 18, MostNumbers = 1 << 14;

    /// <param name="path">The file.</param>
    /// <param name="only">Words that are kept; null for all.</param>
    /// <param name="mostWords">Words that are kept at most: files have the commonest first.</param>
    /// <exception cref="InvalidDataException">A line is no word with its vector; the message names file and line.</exception>
    public static WordVectors Read(string path, IReadOnlySet<string>? only = null, int mostWords = int.MaxValue)
    {
        using FileStream stream = File.OpenRead(path);
        return Read(stream, path, only, mostWords);
    }

    /// <inheritdoc cref="Read(string, IReadOnlySet{string}?, int)"/>
    public static WordVectors Read(Stream stream, string file, IReadOnlySet<string>? only = null, int mostWords = int.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(mostWords, 1);
        var words = new List<string>();
        var known = new HashSet<string>(StringComparer.Ordinal);
        var values = new List<float>();
        int size = 0;
        long line = 0, declared = -1, vectors = 0;
        bool isWhole = true;
        foreach (ReadOnlyMemory<byte> text in Lines(stream, file))
        {
            line++;
            if (line == 1 && Header(text.Span) is { } header)
            {
                (declared, size) = header;
                if (size is < 1 or > MostNumbers)
                    throw Damaged($"says that vectors have {size} numbers; 1 to {MostNumbers} are read");
                continue;
            }
            ReadOnlySpan<byte> row = text.Span.Trim((byte)' ');
            if (row.IsEmpty)
                continue;
            if (size == 0)
                size = row.Count((byte)' ');
            if (size is < 1 or > MostNumbers)
                throw Damaged($"has {size} numbers behind its word, separated by blanks; 1 to {MostNumbers} are read");
            vectors++;
            // From the end, as some of GloVe's words have blanks.
            int start = values.Count;
            ReadOnlySpan<byte> rest = row;
            for (int i = 0; i < size; i++)
            {
                int blank = rest.LastIndexOf((byte)' ');
                if (blank < 1)
                    throw Damaged($"has {i} numbers behind its word, and others have {size}");
                ReadOnlySpan<byte> number = rest[(blank + 1)..];
                if (!Utf8Parser.TryParse(number, out float value, out int taken) || taken != number.Length || !float.IsFinite(value))
                    throw Damaged($"has {Printable.Quote(Encoding.UTF8.GetString(number))} where a finite number must be");
                values.Add(value);
                rest = rest[..blank].TrimEnd((byte)' ');
            }
            string word = Encoding.UTF8.GetString(rest);
            if ((only is null || only.Contains(word)) && known.Add(word)) // of a word that comes twice, the first is kept
            {
                values.Reverse(start, size);
                words.Add(word);
                if (words.Count == mostWords || words.Count == only?.Count)
                {
                    isWhole = false;
                    break;
                }
            }
            else
                values.RemoveRange(start, size);
        }
        if (vectors == 0)
            throw new InvalidDataException($"{file} has no word vectors.");
        if (isWhole && declared >= 0 && declared != vectors)
            throw new InvalidDataException($"{file} is damaged: its first line says {declared} words, and there are {vectors}.");
        return new(words, values.ToArray(), size);

        InvalidDataException Damaged(string what) => new($"{file}, line {line}, {what}.");
    }

    private static (long Words, int Size)? Header(ReadOnlySpan<byte> line)
    {
        string[] parts = Encoding.UTF8.GetString(line.Length > 64 ? [] : line).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return parts.Length == 2 && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out long words)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int size) ? (words, size) : null;
    }

    /// <summary>The lines without their ends; each is valid until the next is asked for.</summary>
    private static IEnumerable<ReadOnlyMemory<byte>> Lines(Stream stream, string file)
    {
        byte[] buffer = new byte[1 << 16];
        int start = 0, end = 0;
        long number = 0;
        while (true)
        {
            int length = buffer.AsSpan(start, end - start).IndexOf((byte)'\n');
            if (length >= 0)
            {
                number++;
                yield return Line(buffer, start, length);
                start += length + 1;
                continue;
            }
            if (end - start >= LongestLine)
                throw new InvalidDataException($"{file}, line {number + 1}, has more than {LongestLine} bytes: this is no file of word vectors.");
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, end) = (0, end - start);
            if (end == buffer.Length)
                Array.Resize(ref buffer, 2 * end);
            int read = stream.Read(buffer, end, buffer.Length - end);
            if (read == 0)
                break;
            end += read;
        }
        if (end > start)
            yield return Line(buffer, start, end - start);
    }

    private static ReadOnlyMemory<byte> Line(byte[] buffer, int start, int length)
        => buffer.AsMemory(start, length > 0 && buffer[start + length - 1] == '\r' ? length - 1 : length);
}
