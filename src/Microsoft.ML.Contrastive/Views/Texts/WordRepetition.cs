namespace Microsoft.ML.Contrastive;

/// <summary>ESimCSE's view (Wu et al. 2022, section 3.1): some tokens of a text are said twice, in place. Special tokens are not.</summary>
public static class WordRepetition
{
    /// <summary>The paper's bound: of N tokens at most max(2, rate * N) are repeated, each number from 0 on equally likely.</summary>
    public static int MostRepeated(int tokens, double rate) => Math.Max(2, (int)(rate * tokens));

    /// <summary>The released code's: from 0 to this bound less 1; rate * N or 10, whichever is less, N with the special tokens. 0: nothing is repeated.</summary>
    public static int ReleasedCount(int tokens, double rate) => Math.Min(10, (int)(rate * tokens));

    /// <summary>The tokens with those at <paramref name="places"/> twice.</summary>
    /// <param name="tokens">Any.</param>
    /// <param name="places">Places in the text, from 0.</param>
    public static T[] Repeat<T>(ReadOnlySpan<T> tokens, IReadOnlySet<int> places)
    {
        var repeated = new List<T>(tokens.Length + places.Count);
        for (int place = 0; place < tokens.Length; place++)
        {
            repeated.Add(tokens[place]);
            if (places.Contains(place))
                repeated.Add(tokens[place]);
        }
        return [.. repeated];
    }

    /// <summary>The ids of a text with some repeated, places drawn without replacement; where that makes it too long, words at its end are left out.</summary>
    /// <param name="ids">With special tokens.</param>
    /// <param name="tokens">Which are these, and what is too long.</param>
    /// <param name="rate">0 to 1.</param>
    /// <param name="releasedCode">Whether the number of them is drawn as in the released code.</param>
    /// <param name="random">Belongs to the text and the epoch.</param>
    internal static int[] Repeat(int[] ids, TokenKinds tokens, double rate, bool releasedCode, SeededRandom random)
    {
        int[] words = [.. Enumerable.Range(0, ids.Length).Where(place => !tokens.IsSpecial(ids[place]))];
        int bound = releasedCode ? ReleasedCount(ids.Length, rate) : rate == 0 ? 1 : MostRepeated(words.Length, rate) + 1;
        if (bound < 1 || words.Length == 0)
            return ids;
        int count = Math.Min(random.NextInt(bound), words.Length);
        random.Shuffle(words.AsSpan());
        int[] repeated = Repeat<int>(ids, words.Take(count).ToHashSet());
        if (repeated.Length <= tokens.MostTokens)
            return repeated;
        int[] closing = tokens.IsSpecial(repeated[^1]) ? [repeated[^1]] : [];
        return [.. repeated[..(tokens.MostTokens - closing.Length)], .. closing];
    }
}
