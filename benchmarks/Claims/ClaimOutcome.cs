namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What came of a claim: the rows of its arms, and what they say.</summary>
/// <param name="Claim">The claim.</param>
/// <param name="Arms">Its arms that this form of it has, each with the rows that are there, by seed.</param>
internal sealed record ClaimOutcome(Claim Claim, IReadOnlyList<(Arm Arm, IReadOnlyList<ClaimRow> Rows)> Arms)
{
    /// <summary>The arms that are run: all, or those of the quick form.</summary>
    public static IEnumerable<Arm> ArmsOf(Claim claim, ClaimsOptions options) => claim.Arms.Where(arm => arm.InQuick || !options.Quick);

    /// <summary>From the files.</summary>
    public static ClaimOutcome Read(Claim claim, ClaimsOptions options) => new(claim, [.. ArmsOf(claim, options).Select(arm => (arm,
        (IReadOnlyList<ClaimRow>)[.. Enumerable.Range(1, options.Seeds).Select(seed => ClaimRow.Read(options.Out, arm.Setup(options), seed)).OfType<ClaimRow>()]))]);

    /// <summary>Of the arm of that label; none where it has not run.</summary>
    public IReadOnlyList<ClaimRow> RowsOf(string label) => [.. Arms.Where(each => each.Arm.Label == label).SelectMany(each => each.Rows)];

    /// <summary>Each comparison that has a pair of runs, with the difference over seeds that both arms have.</summary>
    public IEnumerable<(Comparison Comparison, PairedDifference Difference)> Compared()
    {
        foreach (Comparison comparison in Claim.Comparisons)
        {
            IReadOnlyDictionary<int, double> above = BySeed(comparison.Above, comparison.Figure), below = BySeed(comparison.Below, comparison.BelowFigure ?? comparison.Figure);
            int[] seeds = [.. above.Keys.Intersect(below.Keys).Order()];
            if (seeds.Length > 0)
                yield return (comparison, PairedDifference.Of([.. seeds.Select(seed => above[seed])], [.. seeds.Select(seed => below[seed])]));
        }
    }

    /// <summary>Of all comparisons together that this form has the arms for; one whose runs are not there yet can't be told.</summary>
    public Verdict Verdict
    {
        get
        {
            HashSet<string> labels = [.. Arms.Select(each => each.Arm.Label)];
            Verdict[] told = [.. Compared().Select(each => each.Difference.Verdict)];
            return Verdicts.Together([.. told, .. Enumerable.Repeat(Verdict.CannotBeTold, Claim.Comparisons.Count(each => labels.Contains(each.Above) && labels.Contains(each.Below)) - told.Length)]);
        }
    }

    /// <summary>An arm's figure over seeds; null where it was not measured.</summary>
    public static (double Mean, double? StandardError)? Of(IReadOnlyList<ClaimRow> rows, Figure figure)
    {
        double[] values = [.. rows.Where(row => row.Figures.ContainsKey(figure.Key)).Select(row => row.Figures[figure.Key])];
        return values.Length == 0 ? null : PairedDifference.MeanAndError(values);
    }

    private Dictionary<int, double> BySeed(string label, Figure figure) => RowsOf(label).Where(row => row.Figures.ContainsKey(figure.Key)).ToDictionary(row => row.Seed, row => row.Figures[figure.Key]);
}
