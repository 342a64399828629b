using System.Globalization;
using System.Net;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>A table of the report, as Markdown and as HTML.</summary>
/// <param name="Columns">Their names.</param>
/// <param name="Rows">A cell for each column.</param>
internal sealed record ReportTable(IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<ReportTable.Cell>> Rows)
{
    /// <summary>Of the colour, in percent: what is written on it can be read in light and in dark.</summary>
    private const int DeepestShade = 50;

    /// <param name="Text">Empty where there is nothing.</param>
    /// <param name="Shade">How deep its colour is, from 0 to 1; null for none.</param>
    internal sealed record Cell(string Text, double? Shade = null);

    public static Cell[] Row(string[] texts) => [.. texts.Select(text => new Cell(text))];

    /// <summary>What was measured of each arm that has run.</summary>
    public static ReportTable OfArms(ClaimOutcome outcome)
    {
        Claim claim = outcome.Claim;
        string[] traits = [.. claim.Arms.SelectMany(arm => arm.Traits.Keys).Distinct()];
        return new ReportTable(
            ["", .. traits, .. claim.Figures.Select(figure => figure.Name), "seeds", "steps", "seconds"],
            [.. outcome.Arms.Where(each => each.Rows.Count > 0).Select(each => Row(
            [
                each.Arm.Label,
                .. traits.Select(trait => each.Arm.Traits.GetValueOrDefault(trait) ?? ""),
                .. claim.Figures.Select(figure => ClaimsReport.Cell(each.Rows, figure)),
                $"{each.Rows.Count}",
                $"{each.Rows[0].Steps}",
                each.Rows.Average(row => row.Seconds).ToString("f0", CultureInfo.InvariantCulture),
            ]))]);
    }

    /// <summary>The claim's first figure, the deeper coloured the higher it is; empty where an arm has not run.</summary>
    public static ReportTable OfMatrix(ClaimOutcome outcome, ArmMatrix matrix)
    {
        Figure figure = outcome.Claim.Figures[0];
        double[] means = [.. matrix.Arms.SelectMany(row => row).Select(label => Mean(label)).OfType<double>()];
        return new ReportTable(
            ["", .. matrix.Columns],
            [.. matrix.Rows.Zip(matrix.Arms, (name, labels) => (Cell[])[new(name), .. labels.Select(label => new Cell(ClaimsReport.Cell(outcome.RowsOf(label), figure), Shade(Mean(label))))])]);

        double? Mean(string label) => ClaimOutcome.Of(outcome.RowsOf(label), figure)?.Mean;

        double? Shade(double? mean) => mean is { } value && means.Max() > means.Min() ? (value - means.Min()) / (means.Max() - means.Min()) : null;
    }

    public string Markdown()
        => $"| {string.Join(" | ", Columns)} |\n|{string.Concat(Columns.Select(_ => "---|"))}\n{string.Concat(Rows.Select(row => $"| {string.Join(" | ", row.Select(cell => cell.Text))} |\n"))}";

    public string Html()
        => $"<div class=\"scroll\"><table><tr>{string.Concat(Columns.Select(name => $"<th>{WebUtility.HtmlEncode(name)}</th>"))}</tr>\n{string.Concat(Rows.Select(row => $"<tr>{string.Concat(row.Select(Td))}</tr>\n"))}</table></div>\n";

    private static string Td(Cell cell)
    {
        string style = cell.Shade is { } shade ? string.Create(CultureInfo.InvariantCulture, $" style=\"background: color-mix(in srgb, var(--s0) {DeepestShade * shade:f0}%, transparent)\"") : "";
        return $"<td{style}>{WebUtility.HtmlEncode(cell.Text)}</td>";
    }
}
