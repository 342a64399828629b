using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>All claims as claims.md, claims.json and claims.html, and the page's map as a picture by itself.</summary>
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
        if (Showcase.Read(options) is { } showcase)
            Put("map.svg", ClaimsPage.Maps(showcase));

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

    public static string Markdown(ClaimsOptions options, IReadOnlyList<ClaimOutcome> outcomes)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"# Claims: {options.Budget}").AppendLine().AppendLine(CultureInfo.InvariantCulture, $"{HowToRead} {Environment.ProcessorCount} processors.").AppendLine();
        text.Append(new ReportTable(["claim", "verdict"], [.. outcomes.Select(outcome => ReportTable.Row([outcome.Claim.Statement, outcome.Verdict.Text()]))]).Markdown());
        if (BudgetClaims.Table(outcomes) is { } budgets)
            text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"## {BudgetClaims.Title}").AppendLine().AppendLine(BudgetClaims.Caption).AppendLine().Append(budgets.Markdown());
        foreach (ClaimOutcome outcome in outcomes)
            Section(text, outcome);
        return text.ToString();
    }

    private static void Section(StringBuilder text, ClaimOutcome outcome)
    {
        Claim claim = outcome.Claim;
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"## {claim.Name}: {outcome.Verdict.Text()}").AppendLine().AppendLine(CultureInfo.InvariantCulture, $"{claim.Statement} ({claim.Source})").AppendLine();
        text.Append(ReportTable.OfArms(outcome).Markdown()).AppendLine();
        if (claim.Matrix is { } matrix)
            text.AppendLine(matrix.Caption).AppendLine().Append(ReportTable.OfMatrix(outcome, matrix).Markdown()).AppendLine();
        foreach ((Comparison comparison, PairedDifference difference) in outcome.Compared())
            text.AppendLine(CultureInfo.InvariantCulture, $"- {Compared(comparison, difference)}");
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"What differs from the paper: {claim.Differs}");
    }

    /// <summary>As the console has it: what is claimed, what was measured, and the verdict.</summary>
    public static string Plain(ClaimOutcome outcome)
    {
        string[] lines =
        [
            $"{outcome.Claim.Name}: {outcome.Claim.Statement}",
            .. outcome.Arms.Where(each => each.Rows.Count > 0).Select(each => $"  {Measured(outcome.Claim, each.Arm, each.Rows)}"),
            .. outcome.Compared().Select(each => $"  {Compared(each.Comparison, each.Difference)}"),
            $"  verdict: {outcome.Verdict.Text()}",
        ];
        return string.Join('\n', lines);
    }

    /// <summary>An arm with its figures.</summary>
    public static string Measured(Claim claim, Arm arm, IReadOnlyList<ClaimRow> rows)
        => $"{arm.Label}: {string.Join("; ", claim.Figures.Where(figure => Cell(rows, figure).Length > 0).Select(figure => $"{figure.Name} {Cell(rows, figure)}"))} ({MethodFigures.Seeds(rows.Count)})";

    /// <summary>Mean ± standard error over seeds; empty where it was not measured.</summary>
    public static string Cell(IReadOnlyList<ClaimRow> rows, Figure figure) => ClaimOutcome.Of(rows, figure) is not var (mean, error) ? ""
        : figure.Text(mean) + (error is { } spread ? $" ± {figure.Text(spread)}" : "");

    private static string Compared(Comparison comparison, PairedDifference difference) => $"{comparison}: {difference.Text(comparison.Figure)}, {difference.Verdict.Text()}";
}
