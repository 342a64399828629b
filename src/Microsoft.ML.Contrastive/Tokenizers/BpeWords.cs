using System.Collections.Concurrent;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Byte pair encoding of single words over bytes, by Microsoft.ML.Tokenizers, with a memory of the words that were seen. What is a word, the
/// tokenizers decide themselves: .NET's regular expressions look at halves of characters beyond U+FFFF.
/// </summary>
internal sealed class BpeWords
{
    private const int MostRemembered = 1 << 16, LongestRemembered = 48;

    private readonly BpeTokenizer _merges;
    private readonly ConcurrentDictionary<string, int[]> _seen = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private int _remembered;

    /// <param name="vocabulary">Every merge's parts and result are in it.</param>
    /// <param name="merges">"a b" each, the first goes before the second.</param>
    /// <param name="endOfWord">What the last piece of a word ends with, or null.</param>
    /// <param name="unknown">Stands for a byte that the vocabulary lacks, or null: such a byte is left out.</param>
    /// <exception cref="ArgumentException">A merge is not two tokens whose sum is a token, or comes twice.</exception>
    public BpeWords(Vocabulary vocabulary, IReadOnlyList<string> merges, string? endOfWord, string? unknown)
    {
        Merges = merges;
        Check(vocabulary, merges);
        _merges = BpeTokenizer.Create(new BpeOptions(vocabulary.Tokens.Index().Where(each => each.Item is not null).DistinctBy(each => each.Item).Select(each => KeyValuePair.Create(each.Item!, each.Index)))
        {
            Merges = merges,
            EndOfWordSuffix = endOfWord,
            UnknownToken = unknown,
            ByteLevel = true,
        });
        _bySpan = _seen.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public IReadOnlyList<string> Merges { get; }

    /// <summary>Appends the word's ids.</summary>
    public void Add(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.Length > LongestRemembered)
        {
            ids.AddRange(Encode(word));
            return;
        }
        if (!_bySpan.TryGetValue(word, out int[]? known))
        {
            known = [.. Encode(word)];
            // Words of a language are few, but numbers and names are without end.
            if (_remembered < MostRemembered && _bySpan.TryAdd(word, known))
                Interlocked.Increment(ref _remembered);
        }
        ids.AddRange(known);
    }

    private IReadOnlyList<int> Encode(ReadOnlySpan<char> word) => _merges.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false);

    private static void Check(Vocabulary vocabulary, IReadOnlyList<string> merges)
    {
        var seen = new HashSet<string>(merges.Count, StringComparer.Ordinal);
        foreach ((int index, string merge) in merges.Index())
        {
            int blank = merge.IndexOf(' ', StringComparison.Ordinal);
            if (blank <= 0 || blank == merge.Length - 1 || merge.IndexOf(' ', blank + 1) >= 0)
                throw new ArgumentException($"Merge {index + 1}, '{merge}', must be two tokens with one blank between them.", nameof(merges));
            if (!vocabulary.TryFind(merge.AsSpan(0, blank), out _) || !vocabulary.TryFind(merge.AsSpan(blank + 1), out _)
                || !vocabulary.TryFind(string.Concat(merge.AsSpan(0, blank), merge.AsSpan(blank + 1)), out _))
                throw new ArgumentException($"Merge {index + 1}, '{merge}', joins or makes a token that the vocabulary lacks.", nameof(merges));
            if (!seen.Add(merge))
                throw new ArgumentException($"Merge {index + 1}, '{merge}', comes twice.", nameof(merges));
        }
    }
}
