namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>One run's result, as it lies in its own file and in survey.json.</summary>
internal sealed record SurveyRow : IKeptRun
{
    public required string Method { get; init; }

    public required int Seed { get; init; }

    /// <summary>Test accuracy of 200 nearest neighbours, fewer where there are fewer training pictures, at temperature 0.1.</summary>
    public double? Knn { get; init; }

    /// <summary>Test accuracy of the linear probe.</summary>
    public double? Linear { get; init; }

    /// <summary>Of training.</summary>
    public long Steps { get; init; }

    /// <summary>Of training, also before it was broken off and went on, to a minute.</summary>
    public double Seconds { get; init; }

    /// <summary>The most that the process held until the end of training, its pictures included.</summary>
    public long PeakMemoryBytes { get; init; }

    /// <summary>How many pictures the accuracies are of.</summary>
    public int TestPictures { get; init; }

    public double? EmbeddingDeviation { get; init; }

    public double? EffectiveRank { get; init; }

    /// <summary>The probe's.</summary>
    public double? LearningRate { get; init; }

    /// <summary>Why the method can't take these pictures; null where it can.</summary>
    public string? NotApplicable { get; init; }

    public required string Budget { get; init; }
}
