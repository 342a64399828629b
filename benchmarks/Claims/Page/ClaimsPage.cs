using System.Globalization;
using System.Net;
using System.Text;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>The page: history, one training for the eye, and every claim with what came of it. It needs nothing beside itself.</summary>
internal static class ClaimsPage
{
    private const int MostCurves = 10;

    public static string Html(ClaimsOptions options, IReadOnlyList<ClaimOutcome> outcomes) => $"""
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/><meta name="color-scheme" content="light dark"/><title>What the survey claims</title>
        <style>
        {PageStyle.Css}
        {PageStyle.Series}</style></head><body>
        <svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="tip" d="M0 0 L8 4 L0 8 z"/></marker></defs></svg>
        <main>
        <h1>What the survey claims, tried</h1>
        <p>Contrastive learning from InstDisc to CLIP, and from SimCSE to ConSERT: how each method works, what one training does to a space of pictures, and {outcomes.Count} statements about what works and why, each an experiment.</p>
        <p class="soft small">{Text(options.Budget)}; {options.Seeds} {(options.Seeds == 1 ? "seed" : "seeds")}; {Environment.ProcessorCount} processors.</p>
        {Summary(outcomes)}{Methods(options, outcomes)}{OneTraining(Showcase.Read(options))}<h2 id="claims">The claims</h2>
        <p>{ClaimsReport.HowToRead}</p>
        {Budgets(outcomes)}{string.Concat(outcomes.Select(Card))}<footer>Made by <code>claims</code>, a benchmark of ContrastiveML. Figures were measured here; those of papers are not shown.</footer>
        </main></body></html>

        """;

    private static string Summary(IReadOnlyList<ClaimOutcome> outcomes)
    {
        var text = new StringBuilder("<div class=\"card scroll\" style=\"margin-top:1.5rem\"><table class=\"summary\">\n");
        foreach (ClaimOutcome outcome in outcomes)
            text.Append(CultureInfo.InvariantCulture, $"<tr><td><a href=\"#{outcome.Claim.Name}\">{Text(outcome.Claim.Statement)}</a></td><td>{Badge(outcome.Verdict)}</td></tr>\n");
        return text.Append("</table></div>\n").ToString();
    }

    private static string Methods(ClaimsOptions options, IReadOnlyList<ClaimOutcome> outcomes)
    {
        var figures = new MethodFigures(options);
        var shown = outcomes.SelectMany(outcome => outcome.Arms, (outcome, each) => (outcome.Claim, each.Arm, each.Rows)).Where(each => each.Arm.Shows && each.Rows.Count > 0).ToLookup(each => each.Arm.MethodName);
        var text = new StringBuilder("<h2 id=\"history\">A line of history</h2>\n<p class=\"soft\">By the month of the first public version. Solid boxes learn by the gradient, dashed ones follow (an exponential moving average, EMA) or are held still.</p>\n");
        text.Append(Rail()).Append("<div class=\"cards\">\n");
        foreach (Milestone each in History.All)
        {
            text.Append(CultureInfo.InvariantCulture, $"<section class=\"card\" id=\"m-{each.Method}\"><h3>{each.Name} <span class=\"soft small\">{each.When[..4]}, {Text(each.Authors)}</span></h3><p>{Text(each.Idea)}</p><div class=\"scroll\">{each.Flow.Svg(each.Name)}</div>");
            if (figures.Of(each.Method) is { } measured)
                text.Append(CultureInfo.InvariantCulture, $"<p class=\"small\"><b>{Text(measured)}</b></p>");
            else if (shown[each.Method].FirstOrDefault() is { Arm: not null } own)
                text.Append(CultureInfo.InvariantCulture, $"<p class=\"small\"><b>{Text(ClaimsReport.Measured(own.Claim, own.Arm, own.Rows))}</b> (<a href=\"#{own.Claim.Name}\">{own.Claim.Name}</a>)</p>");
            if (shown[each.Method].FirstOrDefault(arm => arm.Rows[0].Curve.Count > 2) is { Arm: not null } run)
                text.Append(CultureInfo.InvariantCulture, $"<details><summary>Its loss and its spread in training ({Text(run.Arm.Label)})</summary>{Curves([(run.Arm, run.Rows)])}</details>");
            text.Append("</section>\n");
        }
        return text.Append("</div>\n").ToString();
    }

    /// <summary>Two lines, pictures above and texts below, with a dot for each method.</summary>
    private static string Rail()
    {
        const int left = 70, step = 66, pictures = 62, texts = 138;
        IReadOnlyList<Milestone> all = History.All;
        int wide = left + all.Count * step;
        var svg = new StringBuilder($"<div class=\"card scroll\"><svg class=\"rail\" viewBox=\"0 0 {wide} 176\" role=\"img\" aria-label=\"Methods by date\"><line x1=\"{left - 10}\" x2=\"{wide - 10}\" y1=\"{pictures}\" y2=\"{pictures}\"/><line x1=\"{left - 10}\" x2=\"{wide - 10}\" y1=\"{texts}\" y2=\"{texts}\"/>"
            + $"<text class=\"lane\" x=\"0\" y=\"{pictures + 4}\">pictures</text><text class=\"lane\" x=\"0\" y=\"{texts + 4}\">texts</text>\n");
        foreach ((int index, Milestone each) in all.Index())
        {
            (int x, int y) = (left + index * step + step / 2, each.OfTexts ? texts : pictures);
            svg.Append(CultureInfo.InvariantCulture, $"<a href=\"#m-{each.Method}\"><circle class=\"dot{(each.OfTexts ? " texts" : "")}\" cx=\"{x}\" cy=\"{y}\" r=\"9\"/><text class=\"name\" x=\"{x}\" y=\"{y - (index % 2 == 0 ? 18 : 32)}\">{each.Name}</text><text class=\"when\" x=\"{x}\" y=\"{y + 25}\">{each.When}</text></a>\n");
        }
        return svg.Append("</svg></div>\n").ToString();
    }

    private static string OneTraining(Showcase? showcase) => showcase is null ? "" : $"""
        <h2 id="training">What one training does</h2>
        <p>SimCLR on pictures without labels: on the left a random network of the same shape, on the right after training.</p>
        <div class="side"><section class="card"><h3>Before</h3>{Space(showcase.Before)}</section><section class="card"><h3>After</h3>{Space(showcase.After)}</section></div>
        {Charts.Legend(showcase.Classes)}
        """;

    /// <summary>The two maps alone, with the classes' colours: a picture that stands by itself.</summary>
    public static string Maps(Showcase showcase)
    {
        const int side = 340, gap = 40, line = 22, column = 145, perLine = 5;
        IReadOnlyList<string> classes = showcase.Classes;
        int wide = 2 * side + gap, high = side + 40 + line * ((classes.Count + perLine - 1) / perLine) + 10;
        var svg = new StringBuilder($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" role=\"img\" aria-label=\"Test pictures by two principal components of their features, before and after training without labels\">\n<style>{PageStyle.Colours}\n{PageStyle.Series}text {{ font: 14px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: var(--ink) }} .ground {{ fill: var(--ground) }} .frame {{ fill: none; stroke: var(--rule) }}</style>\n<rect class=\"ground\" width=\"{wide}\" height=\"{high}\"/>\n");
        foreach ((int place, string name, Showcase.Space space) in new[] { (0, "A random network", showcase.Before), (1, "After SimCLR, without labels", showcase.After) })
            svg.Append($"<text x=\"{place * (side + gap)}\" y=\"18\">{name}</text>\n{Charts.Map(name, space.Map, $"x=\"{place * (side + gap)}\" y=\"28\" width=\"{side}\" height=\"{side}\" ")}");
        foreach ((int index, string name) in classes.Index())
            svg.Append($"<circle class=\"s{index % Charts.Colours} fill\" cx=\"{8 + index % perLine * column}\" cy=\"{side + 45 + index / perLine * line}\" r=\"6\"/><text x=\"{20 + index % perLine * column}\" y=\"{side + 50 + index / perLine * line}\">{Text(name)}</text>\n");
        return svg.Append("</svg>\n").ToString();
    }

    private static string Space(Showcase.Space space) => string.Create(CultureInfo.InvariantCulture, $"""
        <p class="soft small">Test pictures by the first two principal components of their features ({100 * space.Explained:f0} % of the variance): a linear map, which shows less than the space holds.</p>
        {Charts.Map("Features by two principal components", space.Map)}
        <p class="soft small" style="margin-top:1rem">Nearest neighbours of the first picture of each row; {100 * space.Share:f0} % of those shown are of its class (framed green).</p>
        <div class="faces">{string.Concat(space.Rows.Select(Faces))}</div>
        """);

    private static string Faces(IReadOnlyList<Showcase.Picture> row) => $"<div><img class=\"own\" src=\"{row[0].Png}\" alt=\"asked\"/>{string.Concat(row.Skip(1).Select(picture => $"<img class=\"{(picture.Class == row[0].Class ? "right" : "wrong")}\" src=\"{picture.Png}\" alt=\"neighbour\"/>"))}</div>\n";

    private static string Budgets(IReadOnlyList<ClaimOutcome> outcomes)
        => BudgetClaims.Table(outcomes) is not { } table ? "" : $"<section class=\"card claim\" id=\"budgets\"><h3>{Text(BudgetClaims.Title)}</h3><p class=\"soft small\">{Text(BudgetClaims.Caption)}</p>{table.Html()}</section>\n";

    private static string Card(ClaimOutcome outcome)
    {
        Claim claim = outcome.Claim;
        (Arm Arm, IReadOnlyList<ClaimRow> Rows)[] run = [.. outcome.Arms.Where(each => each.Rows.Count > 0)];
        var text = new StringBuilder($"<article class=\"card claim\" id=\"{claim.Name}\"><header><h3>{Text(claim.Statement)}</h3>{Badge(outcome.Verdict)}</header><p class=\"soft small\">{Text(claim.Source)}</p>\n");
        if (run.Length == 0)
            return text.Append("<p>Not run yet.</p></article>\n").ToString();
        text.Append("<div class=\"side\"><div class=\"scroll\">").Append(Picture(claim, run)).Append("</div><div>").Append(Compared(outcome)).Append("</div></div>\n");
        if (claim.Matrix is { } matrix)
            text.Append(CultureInfo.InvariantCulture, $"<p class=\"small soft\">{Text(matrix.Caption)}</p>{ReportTable.OfMatrix(outcome, matrix).Html()}");
        text.Append(ReportTable.OfArms(outcome).Html());
        text.Append(CultureInfo.InvariantCulture, $"<p class=\"small\"><b>What differs from the paper.</b> {Text(claim.Differs)}</p>");
        if (run.Length <= MostCurves && run.Any(each => each.Rows[0].Curve.Count > 2))
            text.Append(CultureInfo.InvariantCulture, $"<details><summary>Loss and spread in training</summary>{Curves(run)}</details>");
        return text.Append("</article>\n").ToString();
    }

    private static string Picture(Claim claim, (Arm Arm, IReadOnlyList<ClaimRow> Rows)[] run)
    {
        if (claim.Path is var (across, up))
        {
            // An arm's label begins with the name of the course that it is a part of; all courses begin where the first arm, the start, lies.
            var points = run.Select(each => (Course: each.Arm.Label.Split(", ")[0], X: ClaimOutcome.Of(each.Rows, across)?.Mean, Y: ClaimOutcome.Of(each.Rows, up)?.Mean)).Where(point => point.X is not null && point.Y is not null)
                .Select(point => (point.Course, At: (point.X!.Value, point.Y!.Value))).ToArray();
            var courses = points.Skip(1).GroupBy(point => point.Course).Select(course => (course.Key, (IReadOnlyList<(double, double)>)[points[0].At, .. course.Select(point => point.At)])).ToArray();
            return Charts.Lines($"{up.Name} against {across.Name}, from the start on", courses, dots: true, across.Name) + Charts.Legend(courses.Select(course => course.Key));
        }
        Figure figure = claim.Figures[0];
        return $"<p class=\"small soft\">{Text(figure.Name)}: mean, two standard errors, seeds</p>"
            + Charts.Dots(figure.Name, [.. run.Where(each => ClaimOutcome.Of(each.Rows, figure) is not null).Select(each => (each.Arm.Label, (IReadOnlyList<double>)[.. each.Rows.Select(row => row.Figures[figure.Key])]))], figure.Text);
    }

    private static string Compared(ClaimOutcome outcome)
    {
        var text = new StringBuilder("<ul class=\"compared\">\n");
        foreach ((Comparison comparison, PairedDifference difference) in outcome.Compared())
            text.Append(CultureInfo.InvariantCulture, $"<li><span>{Text(comparison.ToString())}</span><span>{difference.Text(comparison.Figure)} {Badge(difference.Verdict)}</span></li>\n");
        return text.Append("</ul>").ToString();
    }

    /// <summary>Of each arm's first seed.</summary>
    private static string Curves(IReadOnlyList<(Arm Arm, IReadOnlyList<ClaimRow> Rows)> run)
    {
        var drawn = run.Where(each => each.Rows[0].Curve.Count > 2).ToArray();
        return $"<div class=\"curves\">{Lines("loss", point => point.Loss)}{Lines("embedding deviation (0: collapsed)", point => point.Deviation)}</div>{(drawn.Length > 1 ? Charts.Legend(drawn.Select(each => each.Arm.Label)) : "")}";

        string Lines(string name, Func<CurvePoint, double> of)
            => Charts.Lines(name, [.. drawn.Select(each => (each.Arm.Label, (IReadOnlyList<(double, double)>)[.. each.Rows[0].Curve.Where(point => double.IsFinite(of(point))).Select(point => ((double)point.Step, of(point)))]))]);
    }

    private static string Badge(Verdict verdict) => $"<span class=\"badge {verdict switch { Verdict.Holds => "holds", Verdict.DoesNotHold => "not", _ => "open" }}\">{Text(verdict.Text())}</span>";

    private static string Text(string value) => WebUtility.HtmlEncode(value);
}
