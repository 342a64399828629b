namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>One method with one seed, as it lies in its own file and in sentences.json.</summary>
internal sealed record SentenceRow : IKeptRun
{
    public required string Method { get; init; }

    public required int Seed { get; init; }

    /// <summary>Spearman's correlation of cosine with the gold scores, over all pairs at once, times 100.</summary>
    public double? Sts { get; init; }

    /// <summary>The same of the network that training started from; null where nothing is trained.</summary>
    public double? Start { get; init; }

    /// <summary>Of pairs with gold above 4 of 5; null where there are none.</summary>
    public double? Alignment { get; init; }

    /// <summary>Of all sentences of the pairs, each once.</summary>
    public double? Uniformity { get; init; }

    /// <summary>Test accuracy of a linear probe, 0 to 1; null where there are no labels.</summary>
    public double? Accuracy { get; init; }

    /// <summary>Of training.</summary>
    public long Steps { get; init; }

    /// <summary>Of training, also before it was broken off and went on, to a minute.</summary>
    public double Seconds { get; init; }

    /// <summary>Why there is no result: a file that was not given.</summary>
    public string? NotApplicable { get; init; }

    /// <summary>What all rows of one folder have in common.</summary>
    public required string Budget { get; init; }
}
