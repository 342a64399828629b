using System.Globalization;
using System.Net;
using System.Text;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>The table as one page that needs nothing else: similarity as bars, and where each embedding lies between alignment and uniformity.</summary>
internal static class SentencePage
{
    private const int BarHeight = 26, BarsFrom = 190, BarsWide = 520, Plot = 420, PlotEdge = 50;

    public static string Html(SentencesOptions options, IReadOnlyList<SentenceSummary> table)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $$"""
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sentences</title>
            <style>
            body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222; background: #fff }
            table { border-collapse: collapse } td, th { padding: .2rem .6rem; border-bottom: 1px solid #ddd; text-align: right } td:first-child, td:nth-child(2), th:first-child, th:nth-child(2) { text-align: left }
            svg { max-width: 100%; height: auto } svg text { font: 12px system-ui, sans-serif; fill: #222 }
            </style></head><body>
            <h1>Sentences</h1><p>{{Text(options.Budget)}}.</p>
            <h2>Similarity</h2><p>Spearman's correlation of cosine with the gold scores, times 100. Blue was trained; the black mark is where it started.</p>

            """);
        text.Append(Bars(table));
        text.Append("<h2>Alignment and uniformity</h2><p>Of pairs with gold above 4, and of all sentences; lower is better for both.</p>\n").Append(Geometry(table));
        text.Append("<h2>All figures</h2>\n<table><tr><th>method<th><th>seeds<th>start<th>STS<th>alignment<th>uniformity<th>accuracy, %<th>steps<th>seconds</tr>\n");
        foreach (SentenceSummary row in table)
            text.AppendLine(row.Missing is { } missing
                ? $"<tr><td>{row.Method.Name}<td>{Text(row.Method.What)}<td><td colspan=7>no result: {Text(missing)}</tr>"
                : string.Create(CultureInfo.InvariantCulture, $"<tr><td>{row.Method.Name}<td>{Text(row.Method.What)}<td>{row.Seeds}<td>{row.Start?.Text(2)}<td>{row.Sts?.Text(2)}<td>{row.Alignment?.Text(3)}<td>{row.Uniformity?.Text(3)}<td>{row.Accuracy?.Text(1)}<td>{row.Steps}<td>{row.Seconds:f0}</tr>"));
        text.Append("</table>\n<ul>\n");
        foreach (string finding in SentenceTable.Findings(table))
            text.AppendLine(CultureInfo.InvariantCulture, $"<li>{Text(finding)}</li>");
        return text.Append("</ul></body></html>\n").ToString();
    }

    private static string Bars(IReadOnlyList<SentenceSummary> table)
    {
        SentenceSummary[] rows = [.. table.Where(row => row.Sts is not null)];
        var svg = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {BarsFrom + BarsWide + 110} {rows.Length * BarHeight + 4}\" width=\"{BarsFrom + BarsWide + 110}\" role=\"img\" aria-label=\"Similarity of each method\">\n"));
        foreach ((int place, SentenceSummary row) in rows.Index())
        {
            (int top, double wide) = (place * BarHeight, Width(row.Sts!.Mean));
            svg.AppendLine(CultureInfo.InvariantCulture, $"<text x=\"{BarsFrom - 8}\" y=\"{top + 17}\" text-anchor=\"end\">{row.Method.Name}</text><rect x=\"{BarsFrom}\" y=\"{top + 3}\" width=\"{wide:f1}\" height=\"20\" fill=\"{Color(row)}\"/><text x=\"{BarsFrom + wide + 6:f1}\" y=\"{top + 17}\">{row.Sts.Text(1)}</text>");
            if (row.Start is { } start)
                svg.AppendLine(CultureInfo.InvariantCulture, $"<rect x=\"{BarsFrom + Width(start.Mean) - 1:f1}\" y=\"{top + 1}\" width=\"2\" height=\"24\" fill=\"#000\"/>");
        }
        return svg.Append("</svg>\n").ToString();

        static double Width(double sts) => BarsWide * Math.Clamp(sts, 0, 100) / 100;
    }

    private static string Geometry(IReadOnlyList<SentenceSummary> table)
    {
        SentenceSummary[] rows = [.. table.Where(row => row.Alignment is not null && row.Uniformity is not null)];
        if (rows.Length == 0)
            return "<p>No pair has gold above 4.</p>\n";
        (double left, double right) = Range(row => row.Uniformity!.Mean);
        (double bottom, double top) = Range(row => row.Alignment!.Mean);
        var svg = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {Plot + 2 * PlotEdge + 140} {Plot + 2 * PlotEdge}\" width=\"{Plot + 2 * PlotEdge + 140}\" role=\"img\" aria-label=\"Alignment against uniformity\">\n"));
        svg.AppendLine(CultureInfo.InvariantCulture, $"<rect x=\"{PlotEdge}\" y=\"{PlotEdge}\" width=\"{Plot}\" height=\"{Plot}\" fill=\"none\" stroke=\"#999\"/>");
        svg.AppendLine(CultureInfo.InvariantCulture, $"<text x=\"{PlotEdge}\" y=\"{Plot + PlotEdge + 18}\">{left:f2}</text><text x=\"{PlotEdge + Plot}\" y=\"{Plot + PlotEdge + 18}\" text-anchor=\"end\">{right:f2}</text><text x=\"{PlotEdge + Plot / 2}\" y=\"{Plot + PlotEdge + 18}\" text-anchor=\"middle\">uniformity</text>");
        svg.AppendLine(CultureInfo.InvariantCulture, $"<text x=\"{PlotEdge - 6}\" y=\"{PlotEdge + Plot}\" text-anchor=\"end\">{bottom:f2}</text><text x=\"{PlotEdge - 6}\" y=\"{PlotEdge + 10}\" text-anchor=\"end\">{top:f2}</text><text x=\"{PlotEdge}\" y=\"{PlotEdge - 8}\">alignment</text>");
        foreach (SentenceSummary row in rows)
        {
            double x = PlotEdge + Plot * (row.Uniformity!.Mean - left) / (right - left), y = PlotEdge + Plot * (1 - (row.Alignment!.Mean - bottom) / (top - bottom));
            svg.AppendLine(CultureInfo.InvariantCulture, $"<circle cx=\"{x:f1}\" cy=\"{y:f1}\" r=\"5\" fill=\"{Color(row)}\"/><text x=\"{x + 8:f1}\" y=\"{y + 4:f1}\">{row.Method.Name}</text>");
        }
        return svg.Append("</svg>\n").ToString();

        (double, double) Range(Func<SentenceSummary, double> of)
        {
            (double least, double most) = (rows.Min(of), rows.Max(of));
            double edge = Math.Max(0.05, 0.08 * (most - least));
            return (least - edge, most + edge);
        }
    }

    private static string Color(SentenceSummary row) => row.Start is null ? "#bbb" : "#2b6cb0";

    private static string Text(string value) => WebUtility.HtmlEncode(value);
}
