namespace Microsoft.ML.Contrastive;

/// <summary>What is done with rows whose text is null, empty or blank.</summary>
public enum EmptyTexts
{
    /// <summary>Transform gives the encoder's vector of the empty text, the same for all of them. Fit leaves such rows out, with a warning.</summary>
    Encode,

    /// <summary>An <see cref="InvalidOperationException"/> that names row and column.</summary>
    Fail,
}
