namespace Microsoft.ML.Contrastive;

/// <summary>
/// Watches a training on texts by pairs of texts that people have scored: Spearman's correlation of the scores with the vectors' cosines, as SimCSE's authors do every 125
/// steps on STS-B's development set.
/// </summary>
/// <remarks>Whoever keeps the best by these figures has chosen by <see cref="Pairs"/>: report on others.</remarks>
public sealed record SimilarityMonitor : TrainingMonitor
{
    /// <summary>A pair a row, at least two.</summary>
    public required IDataView Pairs { get; init; }

    /// <summary>The column of one of the two texts. The default value is First.</summary>
    public string FirstColumnName { get; init; } = "First";

    /// <summary>The column of the other. The default value is Second.</summary>
    public string SecondColumnName { get; init; } = "Second";

    /// <summary>The column of scores, numbers that are higher where the texts are more alike. The default value is Score.</summary>
    public string ScoreColumnName { get; init; } = "Score";

    internal override void Validate()
    {
        base.Validate();
        ArgumentNullException.ThrowIfNull(Pairs, $"{nameof(TrainingOptions.Monitor)}.{nameof(Pairs)}");
        ArgumentException.ThrowIfNullOrEmpty(FirstColumnName, nameof(FirstColumnName));
        ArgumentException.ThrowIfNullOrEmpty(SecondColumnName, nameof(SecondColumnName));
        ArgumentException.ThrowIfNullOrEmpty(ScoreColumnName, nameof(ScoreColumnName));
    }
}
