namespace Microsoft.ML.Contrastive;

/// <summary>
/// How well scores follow a gold standard: the measure of semantic textual similarity, by convention Spearman's times 100 over all pairs
/// at once (Reimers, Beyer, Gurevych 2016).
/// </summary>
public static class RankCorrelation
{
    /// <summary>Spearman's correlation, -1 to 1: Pearson's of the ranks, equal values with their mean rank. NaN where all of one side are equal.</summary>
    /// <param name="first">At least two finite numbers.</param>
    /// <param name="second">As many.</param>
    /// <exception cref="ArgumentException">The lists do not fit, or a number is not finite.</exception>
    public static double Spearman(IReadOnlyList<double> first, IReadOnlyList<double> second) => Pearson(Ranks(first), Ranks(second));

    /// <summary>Pearson's correlation, -1 to 1. NaN where all of one side are equal.</summary>
    /// <inheritdoc cref="Spearman"/>
    public static double Pearson(IReadOnlyList<double> first, IReadOnlyList<double> second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        if (first.Count != second.Count || first.Count < 2)
            throw new ArgumentException($"A correlation needs two lists of the same length of at least 2, not {first.Count} and {second.Count}.", nameof(second));
        if (!first.Concat(second).All(double.IsFinite))
            throw new ArgumentException("A correlation needs finite numbers.", nameof(first));
        double meanFirst = first.Average(), meanSecond = second.Average(), product = 0, squares = 0, otherSquares = 0;
        for (int i = 0; i < first.Count; i++)
        {
            double a = first[i] - meanFirst, b = second[i] - meanSecond;
            product += a * b;
            squares += a * a;
            otherSquares += b * b;
        }
        return squares == 0 || otherSquares == 0 ? double.NaN : product / Math.Sqrt(squares * otherSquares);
    }

    /// <summary>Ranks from 1; equal values share the mean of theirs.</summary>
    public static double[] Ranks(IReadOnlyList<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        int[] order = [.. Enumerable.Range(0, values.Count).OrderBy(index => values[index])];
        var ranks = new double[values.Count];
        for (int start = 0, end; start < order.Length; start = end)
        {
            for (end = start + 1; end < order.Length && values[order[end]].Equals(values[order[start]]); end++)
            {
            }
            foreach (int index in order.AsSpan(start, end - start))
                ranks[index] = (start + 1 + end) / 2.0;
        }
        return ranks;
    }
}
