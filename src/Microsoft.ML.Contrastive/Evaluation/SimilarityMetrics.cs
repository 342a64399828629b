namespace Microsoft.ML.Contrastive;

/// <summary>How well similarities of sentence pairs follow people's, over one or several sets of pairs.</summary>
public sealed class SimilarityMetrics
{
    /// <param name="scores">A similarity for each pair. What is no number counts as 0, as in the field's own code.</param>
    /// <param name="gold">What people said.</param>
    /// <param name="sets">The set that each pair is of; null for one set.</param>
    /// <exception cref="ArgumentException">The lists are not of one length of at least 2, or a set has one pair.</exception>
    public SimilarityMetrics(IReadOnlyList<double> scores, IReadOnlyList<double> gold, IReadOnlyList<string>? sets = null)
    {
        ArgumentNullException.ThrowIfNull(scores);
        double[] numbers = [.. scores.Select(score => double.IsNaN(score) ? 0 : score)];
        Spearman = RankCorrelation.Spearman(numbers, gold);
        Pairs = numbers.Length;
        if (sets is not null && sets.Count != numbers.Length)
            throw new ArgumentException($"There are {sets.Count} names of sets for {numbers.Length} pairs.", nameof(sets));
        IGrouping<string, int>[] groups = [.. Enumerable.Range(0, numbers.Length).GroupBy(index => sets?[index] ?? "")];
        if (groups.FirstOrDefault(group => group.Count() < 2) is { } single)
            throw new ArgumentException($"The set '{single.Key}' has one pair; a correlation needs two.", nameof(sets));
        OfSets = groups.ToDictionary(
            group => group.Key, group => RankCorrelation.Spearman([.. group.Select(index => numbers[index])], [.. group.Select(index => gold[index])]));
        MeanOfSets = OfSets.Values.Average();
        WeightedMeanOfSets = groups.Sum(group => group.Count() * OfSets[group.Key]) / numbers.Length;
    }

    /// <summary>Spearman's correlation over all pairs at once, -1 to 1: the field's "all" setting, which is quoted times 100.</summary>
    public double Spearman { get; }

    /// <summary>Spearman's correlation of each set.</summary>
    public IReadOnlyDictionary<string, double> OfSets { get; }

    /// <summary>The mean of <see cref="OfSets"/>: another setting, not to be compared with <see cref="Spearman"/>.</summary>
    public double MeanOfSets { get; }

    /// <summary>The mean of <see cref="OfSets"/>, weighted by their pairs.</summary>
    public double WeightedMeanOfSets { get; }

    /// <summary>Pairs in all.</summary>
    public int Pairs { get; }
}
