using System.Text;

namespace Microsoft.ML.Contrastive.Tests.Tokenizers;

public sealed class VocabularyLearningTests
{
    /// <summary>The example of Sennrich, Haddow and Birch 2016: low 5 times, lowest 2, newer 6, wider 3.</summary>
    private static readonly string[] s_words =
        [.. Enumerable.Repeat("low", 5), .. Enumerable.Repeat("lowest", 2), .. Enumerable.Repeat("newer", 6), .. Enumerable.Repeat("wider", 3)];

    [Fact]
    public void Pairs_are_joined_by_frequency_and_equals_by_age()
    {
        var merges = new PairMerges(["d", "e", "i", "l", "n", "o", "r", "s", "t", "w"]);
        foreach ((string word, long count) in (ReadOnlySpan<(string, long)>)[("low", 5), ("lowest", 2), ("newer", 6), ("wider", 3)])
            merges.AddWord(word.Select(c => c.ToString()), count);
        merges.Learn(100, 2, string.Concat);
        // er comes 9 times; lo and ow come 7 times each, and l is older than o.
        Assert.Equal([("e", "r"), ("l", "o"), ("lo", "w")], merges.Merges[..3]);
        Assert.Equal(Slow(s_words, merges.Merges.Count), merges.Merges);
    }

    [Fact]
    public void Learning_is_the_slow_algorithm_on_words_with_repeats()
    {
        string[] words = ["aaa", "aaaa", "aab", "abab", "ababab", "bbbb", "aba", "banana", "bandana", "ananas", "aaaaa", "aab"];
        var merges = new PairMerges("abdns".Select(c => c.ToString()));
        foreach (IGrouping<string, string> word in words.GroupBy(word => word))
            merges.AddWord(word.Key.Select(c => c.ToString()), word.Count());
        merges.Learn(30, 1, string.Concat);
        Assert.Equal(Slow(words, merges.Merges.Count, "abdns"), merges.Merges);
        Assert.True(merges.Merges.Count > 10);
    }

    [Theory]
    [InlineData("wordpiece")]
    [InlineData("roberta")]
    [InlineData("clip")]
    public void The_order_of_texts_changes_nothing_and_every_word_is_known(string kind)
    {
        string[] corpus = [.. ToyTokenizers.Corpus];
        Tokenizer forward = Learn(corpus), backward = Learn([.. corpus.Reverse()]);
        Assert.Equal(forward.Vocabulary.Tokens, backward.Vocabulary.Tokens);
        Assert.Equal(forward.Vocabulary.Count, forward.Vocabulary.Tokens.Distinct().Count());
        foreach (string text in corpus)
            Assert.DoesNotContain(forward.Encode(text, 500)[forward.SpecialsPerText..^1], id => id == forward.UnknownId);
        // "the" comes six times and is a piece of its own.
        Assert.Equal(forward.SpecialsPerText + 1, forward.Encode("the", 10).Length);

        Tokenizer Learn(string[] texts) => kind switch
        {
            "wordpiece" => VocabularyLearning.WordPiece(texts, new() { Size = 300 }),
            "roberta" => VocabularyLearning.ByteLevelBpe(texts, new() { Size = 400 }, addsPrefixSpace: true),
            _ => VocabularyLearning.ClipBpe(texts, new() { Size = 700 }),
        };
    }

    [Fact]
    public void A_learned_vocabulary_has_the_size_asked_for_and_begins_with_the_special_tokens()
    {
        string[] texts = [.. Enumerable.Range(0, 2000).Select(i => $"word{i % 97} thing{i % 89} other{i % 83}")];
        Assert.Equal(300, VocabularyLearning.WordPiece(texts, new() { Size = 300 }).Vocabulary.Count);
        Assert.Equal(340, VocabularyLearning.ByteLevelBpe(texts, new() { Size = 340 }).Vocabulary.Count);
        ClipBpe clip = VocabularyLearning.ClipBpe(texts, new() { Size = 520 });
        Assert.Equal(520, clip.Vocabulary.Count);
        Assert.Equal(["<|startoftext|>", "<|endoftext|>"], clip.Vocabulary.Tokens.TakeLast(2));
        Assert.Equal(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], VocabularyLearning.WordPiece(texts, new() { Size = 300 }).Vocabulary.Tokens.Take(5));
    }

    [Fact]
    public void Rare_words_are_forgotten_and_common_ones_keep_their_counts()
    {
        var counts = new WordCounts(100);
        for (int i = 0; i < 5000; i++)
        {
            counts.Add($"rare{i}");
            counts.Add("common");
            counts.Add(i % 2 == 0 ? "even" : "odd");
        }
        (string Word, long Count)[] kept = [.. counts.Ordered];
        Assert.InRange(kept.Length, 3, 100);
        Assert.Equal([("common", 5000L), ("even", 2500), ("odd", 2500)], kept[..3]);
    }

    [Theory]
    [InlineData(100, 2, "Size")]
    [InlineData(400, 0, "MinFrequency")]
    public void An_option_out_of_range_is_named(int size, int frequency, string name)
        => Assert.Contains(name, Assert.Throws<ArgumentOutOfRangeException>(() => VocabularyLearning.WordPiece(["a"], new() { Size = size, MinFrequency = frequency })).Message, StringComparison.Ordinal);

    [Fact]
    public void Texts_without_words_and_alphabets_without_room_are_refused()
    {
        Assert.Throws<ArgumentException>(() => VocabularyLearning.WordPiece(["", "  "]));
        string many = string.Join(' ', Enumerable.Range(0x4E00, 400).Select(point => (char)point));
        Assert.Contains("no room", Assert.Throws<ArgumentException>(() => VocabularyLearning.WordPiece([many], new() { Size = 300 })).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => VocabularyLearning.ClipBpe(["a"], new() { Size = 500 }));
    }

    /// <summary>The paper's algorithm as it stands there: all pairs are counted anew for each merge.</summary>
    private static List<(string, string)> Slow(string[] words, int merges, string alphabet = "deilnorstw")
    {
        var age = alphabet.Select(c => c.ToString()).ToList();
        List<string>[] pieces = [.. words.Select(word => word.Select(c => c.ToString()).ToList())];
        var joined = new List<(string, string)>();
        for (; joined.Count < merges;)
        {
            (string, string) best = pieces.SelectMany(word => word.Zip(word.Skip(1))).GroupBy(pair => pair)
                .OrderByDescending(group => group.Count()).ThenBy(group => age.IndexOf(group.Key.First)).ThenBy(group => age.IndexOf(group.Key.Second)).First().Key;
            joined.Add(best);
            if (!age.Contains(best.Item1 + best.Item2))
                age.Add(best.Item1 + best.Item2);
            foreach (List<string> word in pieces)
                for (int i = 0; i + 1 < word.Count; i++)
                    if ((word[i], word[i + 1]) == best)
                    {
                        word[i] += word[i + 1];
                        word.RemoveAt(i + 1);
                    }
        }
        return joined;
    }
}
