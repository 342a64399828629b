using System.Text;
using System.Text.Json;

namespace Microsoft.ML.Contrastive;

/// <summary>The vocabularies that are files of their own: vocab.txt, vocab.json and merges.txt.</summary>
internal static class VocabularyText
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>A token a line; the first line has id 0.</summary>
    /// <exception cref="InvalidDataException">Not UTF-8, without a token, or with too many.</exception>
    public static Vocabulary Lines(byte[] bytes, string file)
    {
        List<string> lines = [.. Text(bytes, file).Split('\n').Select(line => line.TrimEnd('\r'))];
        if (lines[^1].Length == 0)
            lines.RemoveAt(lines.Count - 1);
        return Make(lines, file);
    }

    /// <summary>"a b" a line, the first goes before the second; a first line that begins with "#version" is no merge.</summary>
    /// <exception cref="InvalidDataException">Not UTF-8.</exception>
    public static string[] Merges(byte[] bytes, string file)
    {
        IEnumerable<string> lines = Text(bytes, file).Split('\n').Select(line => line.TrimEnd('\r'));
        return [.. lines.Where((line, index) => line.Length > 0 && !(index == 0 && line.StartsWith("#version", StringComparison.Ordinal)))];
    }

    /// <summary>An object of tokens with their ids.</summary>
    /// <exception cref="InvalidDataException">Not such an object; an id is negative, used twice or far above the number of tokens.</exception>
    public static string?[] ById(JsonElement vocabulary, string file)
    {
        if (vocabulary.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"{file} is damaged: the vocabulary must be an object of tokens and their ids, not {vocabulary.ValueKind}.");
        int count = vocabulary.GetPropertyCount();
        // A few published vocabularies have holes; a small file must not ask for a large table.
        var tokens = new string?[Math.Min(2L * count + 1024, Vocabulary.MaxSize)];
        var seen = new HashSet<string>(count, StringComparer.Ordinal);
        int used = 0;
        foreach (JsonProperty token in vocabulary.EnumerateObject())
        {
            if (token.Value.ValueKind != JsonValueKind.Number || !token.Value.TryGetInt32(out int id) || id < 0 || id >= tokens.Length)
                throw new InvalidDataException($"{file} is damaged: the id of token {Printable.Quote(token.Name)} must be a whole number from 0 to {tokens.Length - 1}.");
            if (tokens[id] is not null || !seen.Add(token.Name))
                throw new InvalidDataException($"{file} is damaged: token {Printable.Quote(token.Name)} or its id {id} comes twice.");
            tokens[id] = token.Name;
            used = Math.Max(used, id + 1);
        }
        return tokens[..used];
    }

    /// <exception cref="InvalidDataException">No token, or too many.</exception>
    public static Vocabulary Make(IReadOnlyList<string?> tokens, string file)
        => tokens.Count is 0 or > Vocabulary.MaxSize
            ? throw new InvalidDataException($"{file} is damaged: it has {tokens.Count} tokens; a vocabulary has from 1 to {Vocabulary.MaxSize}.")
            : new Vocabulary(tokens);

    private static string Text(byte[] bytes, string file)
    {
        try
        {
            string text = s_strict.GetString(bytes);
            return text is ['\uFEFF', ..] ? text[1..] : text;
        }
        catch (DecoderFallbackException error)
        {
            throw new InvalidDataException($"{file} is damaged: it is not UTF-8 at byte {error.Index}.", error);
        }
    }
}
