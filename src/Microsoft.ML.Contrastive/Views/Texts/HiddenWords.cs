namespace Microsoft.ML.Contrastive;

/// <summary>What a view needs to know of a vocabulary and its network.</summary>
/// <param name="Count">Ids, from 0.</param>
/// <param name="IsSpecial">Whether an id stands for no text.</param>
/// <param name="Mask">The id that hides a word, or null.</param>
/// <param name="MostTokens">The longest view that the network has positions for. The default value is without a limit.</param>
internal sealed record TokenKinds(int Count, Func<int, bool> IsSpecial, int? Mask, int MostTokens = int.MaxValue);

/// <summary>BERT's view for guessing words (Devlin et al. 2019, section 3.1).</summary>
internal static class HiddenWords
{
    private const double Hidden = 0.15, BehindMask = 0.8, Replaced = 0.1;

    /// <summary>
    /// The ids of a text, where some words' places have another: the bitwise complement (below -1) of what the network is to see there. So one row says both which words are to be
    /// guessed and what stands in their place.
    /// </summary>
    /// <exception cref="ArgumentException">The vocabulary has no mask.</exception>
    public static int[] Hide(int[] ids, TokenKinds tokens, SeededRandom random)
    {
        int mask = tokens.Mask ?? throw new ArgumentException("The vocabulary has no token that hides a word: leave MaskedWordWeight out.", nameof(tokens));
        int[] seen = [.. ids];
        for (int place = 0; place < ids.Length; place++)
        {
            if (tokens.IsSpecial(ids[place]) || !random.NextBool(Hidden))
                continue;
            double fate = random.NextDouble();
            int shown = fate < BehindMask ? mask : fate < BehindMask + Replaced ? random.NextInt(tokens.Count) : ids[place];
            seen[place] = -2 - shown;
        }
        return seen;
    }
}
