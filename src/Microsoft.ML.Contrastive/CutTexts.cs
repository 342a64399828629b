namespace Microsoft.ML.Contrastive;

/// <summary>What is said of texts that are longer than an encoder takes: once, the first time that there are any.</summary>
/// <param name="encoder">Theirs.</param>
/// <param name="warn">Says it.</param>
internal sealed class CutTexts(TextEncoder encoder, Action<string> warn)
{
    private int _told;

    /// <summary>How many of how many, and what to do.</summary>
    public static string Message(long cut, long texts, TextEncoder encoder)
        => $"{cut} of {texts} texts were longer than the encoder's {encoder.MaxTokens} tokens, and were cut: their ends count for nothing. Shorten or split them, or choose an encoder with a larger {(encoder is ClipTextTransformer ? nameof(ClipTextTransformer.ContextLength) : nameof(TextTransformer.TokenLimit))}.";

    /// <param name="cut">How many were cut.</param>
    /// <param name="texts">Of how many.</param>
    public void Tell(long cut, long texts)
    {
        if (cut > 0 && Interlocked.Exchange(ref _told, 1) == 0)
            warn(Message(cut, texts, encoder));
    }
}
