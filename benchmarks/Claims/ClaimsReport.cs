using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>All claims as claims.md, claims.json and claims.html.</summary>
internal static class ClaimsReport
{
    /// <summary>What a verdict is worth, in a sentence: three seeds are few.</summary>
    public const string HowToRead = "Arms of one seed start alike and see the same examples in the same order; a comparison is the mean of their differences over seeds, ± its standard error. "
        + "It holds with two standard errors, which by chance alone three seeds would show in one of eleven comparisons (Student's t, two degrees of freedom), and can't be told with one seed, which has no error. "
        + "A claim holds where all its comparisons hold, and does not where one does not.";

    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static void Write(ClaimsOptions options, IReadOnlyList<ClaimOutcome> outcomes)
    {
        Put("claims.md", Markdown(options, outcomes));
        Put("claims.json", JsonSerializer.Serialize(new { options.Budget, options.Seeds, Processors = Environment.ProcessorCount, Claims = outcomes.Select(Data) }, s_json) + "\n");
        Put("claims.html", ClaimsPage.Html(options, outcomes));

        void Put(string name, string text) => AtomicFile.Write(Path.Combine(options.Out, name), stream => stream.Write(Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\n"))));
    }

    private static object Data(ClaimOutcome outcome) => new
    {
        outcome.Claim.Name,
        outcome.Claim.Statement,
        outcome.Claim.Source,
        Verdict = outcome.Verdict.Text(),
        Arms = outcome.Arms.Select(each => new
        {
            each.Arm.Label,
            each.Arm.Traits,
            Seeds = each.Rows.Select(row => row.Seed),
            Steps = each.Rows.Select(row => row.Steps).FirstOrDefault(),
            Seconds = each.Rows.Select(row => row.Seconds).DefaultIfEmpty().Average(),
            Figures = outcome.Claim.Figures.Where(figure => ClaimOutcome.Of(each.Rows, figure) is not null)
                .ToDictionary(figure => figure.Key, figure => ClaimOutcome.Of(each.Rows, figure) is var (mean, error) ? new { Mean = mean, StandardError = error } : null),
        }),
        Comparisons = outcome.Compared().Select(each => new
        {
            Expected = each.Comparison.ToString(), each.Difference.Seeds, each.Difference.Mean, each.Difference.StandardError, Verdict = each.Difference.Verdict.Text(),
        }),
        outcome.Claim.Differs,
    };

    private static string Markdown(ClaimsOptions options, IReadOnlyList<ClaimOutcome> outcomes)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"# Claims: {options.Budget}").AppendLine().AppendLine(CultureInfo.InvariantCulture, $"{HowToRead} {Environment.ProcessorCount} processors.").AppendLine();
        text.AppendLine("| claim | verdict |").AppendLine("|---|---|");
        foreach (ClaimOutcome outcome in outcomes)
            text.AppendLine(CultureInfo.InvariantCulture, $"| {outcome.Claim.Statement} | {outcome.Verdict.Text()} |");
        foreach (ClaimOutcome outcome in outcomes)
            Section(text, outcome);
        return text.ToString();
    }

    private static void Section(StringBuilder text, ClaimOutcome outcome)
    {
        Claim claim = outcome.Claim;
        string[] traits = [.. claim.Arms.SelectMany(arm => arm.Traits.Keys).Distinct()];
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"## {claim.Name}: {outcome.Verdict.Text()}").AppendLine().AppendLine(CultureInfo.InvariantCulture, $"{claim.Statement} ({claim.Source})").AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| | {string.Concat(traits.Select(trait => $"{trait} | "))}seeds | {string.Join(" | ", claim.Figures.Select(figure => figure.Name))} | steps | seconds |");
        text.AppendLine(CultureInfo.InvariantCulture, $"|---|{string.Concat(Enumerable.Repeat("---|", traits.Length + claim.Figures.Count + 3))}");
        foreach ((Arm arm, IReadOnlyList<ClaimRow> rows) in outcome.Arms.Where(each => each.Rows.Count > 0))
            text.AppendLine(CultureInfo.InvariantCulture, $"| {arm.Label} | {string.Concat(traits.Select(trait => $"{arm.Traits.GetValueOrDefault(trait)} | "))}{rows.Count} | {string.Join(" | ", claim.Figures.Select(figure => Cell(rows, figure)))} | {rows[0].Steps} | {rows.Average(row => row.Seconds):f0} |");
        text.AppendLine();
        foreach ((Comparison comparison, PairedDifference difference) in outcome.Compared())
            text.AppendLine(CultureInfo.InvariantCulture, $"- {comparison}: {difference.Text(comparison.Figure)}, {difference.Verdict.Text()}");
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"What differs from the paper: {claim.Differs}");
    }

    /// <summary>Mean ± standard error over seeds; empty where it was not measured.</summary>
    public static string Cell(IReadOnlyList<ClaimRow> rows, Figure figure) => ClaimOutcome.Of(rows, figure) is not var (mean, error) ? ""
        : figure.Text(mean) + (error is { } spread ? $" ± {figure.Text(spread)}" : "");
}
