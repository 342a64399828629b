namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>
/// A text as made words that stand for its words and character trigrams: each is hashed to six letters, so that an encoder of word vectors takes them as words. With
/// random vectors its mean is a random projection of the counts, near the cosine of TF-IDF; training then moves what is alike together.
/// </summary>
internal static class HashedTerms
{
    private const int Letters = 6;

    /// <summary>For one pass over the triplets: behind it the loss falls to a quarter, because they are known by heart.</summary>
    public static TextMethod Method { get; } = new SimCse { LearningRate = SentenceMethods.Rate(3e-2) };

    public static TextEncoder Encoder(SentenceData data) => new WordVectorEncoder { VocabularySize = 30_000, Width = 512, RarityWeight = 1e-3, TokenLimit = 512 };

    public static string Of(string text)
        => string.Join(' ', CountedTerms.Trigrams(text).Concat(CountedTerms.Words(text).Select(word => $"word {word}")).Select(Hash));

    /// <summary>FNV-1a, of 64 bits, in letters.</summary>
    private static string Hash(string term)
    {
        ulong hash = 14695981039346656037;
        foreach (char each in term)
            hash = (hash ^ each) * 1099511628211;
        return string.Create(Letters, hash, (letters, rest) =>
        {
            for (int place = 0; place < letters.Length; place++, rest /= 26)
                letters[place] = (char)('a' + rest % 26);
        });
    }
}
