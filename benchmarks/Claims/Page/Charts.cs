using System.Globalization;
using System.Net;
using System.Text;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Charts as svg elements whose colours are the page's classes s0 to s9.</summary>
internal static class Charts
{
    public const int Colours = 10;

    /// <summary>A dot for each arm's mean with two standard errors, small ones for its seeds.</summary>
    public static string Dots(string name, IReadOnlyList<(string Label, IReadOnlyList<double> Values)> rows, Func<double, string> text)
    {
        const int wide = 330, high = 26, edge = 62, letter = 7;
        int left = 14 + letter * rows.Max(row => row.Label.Length);
        var spread = rows.Select(row => PairedDifference.MeanAndError(row.Values)).ToArray();
        Axis axis = Axis.Of(rows.SelectMany(row => row.Values).Concat(spread.SelectMany(each => new[] { each.Mean - 2 * (each.StandardError ?? 0), each.Mean + 2 * (each.StandardError ?? 0) })));
        int bottom = rows.Count * high + 4;
        var svg = new StringBuilder($"<svg class=\"chart\" viewBox=\"0 0 {left + wide + edge} {bottom + 20}\" role=\"img\" aria-label=\"{Html(name)}\">\n");
        foreach (double tick in axis.Ticks())
            svg.Append($"<path class=\"grid\" d=\"M{N(X(tick))} 0 V{bottom}\"/><text class=\"tick\" x=\"{N(X(tick))}\" y=\"{bottom + 15}\">{text(tick)}</text>\n");
        foreach ((int index, (string label, IReadOnlyList<double> values)) in rows.Index())
        {
            (double mean, double? error) = spread[index];
            double y = index * high + high / 2.0;
            svg.Append($"<text class=\"label\" x=\"{left - 10}\" y=\"{N(y + 4)}\">{Html(label)}</text>");
            if (error is { } one)
                svg.Append($"<path class=\"whisker\" d=\"M{N(X(mean - 2 * one))} {N(y)} H{N(X(mean + 2 * one))}\"/>");
            foreach (double value in values)
                svg.Append($"<circle class=\"seed\" cx=\"{N(X(value))}\" cy=\"{N(y)}\" r=\"3\"/>");
            svg.Append($"<circle class=\"mean\" cx=\"{N(X(mean))}\" cy=\"{N(y)}\" r=\"5.5\"/><text class=\"value\" x=\"{left + wide + 8}\" y=\"{N(y + 4)}\">{text(mean)}</text>\n");
        }
        return svg.Append("</svg>\n").ToString();

        double X(double value) => left + wide * axis.Share(value);
    }

    /// <summary>A line for each series, on one pair of axes.</summary>
    public static string Lines(string name, IReadOnlyList<(string Label, IReadOnlyList<(double X, double Y)> Points)> series, bool dots = false, string across = "step")
    {
        const int left = 46, top = 22, wide = 330, high = 150;
        (Axis x, Axis y) = (Axis.Of(series.SelectMany(each => each.Points.Select(point => point.X)), pad: dots ? 0.06 : 0), Axis.Of(series.SelectMany(each => each.Points.Select(point => point.Y))));
        var svg = new StringBuilder($"<svg class=\"chart lines\" viewBox=\"0 0 {left + wide + 14} {top + high + 32}\" role=\"img\" aria-label=\"{Html(name)}\"><text class=\"title\" x=\"{left}\" y=\"13\">{Html(name)}</text>\n");
        foreach (double tick in y.Ticks())
            svg.Append($"<path class=\"grid\" d=\"M{left} {N(Y(tick))} h{wide}\"/><text class=\"label\" x=\"{left - 6}\" y=\"{N(Y(tick) + 4)}\">{Short(tick)}</text>\n");
        foreach (double tick in x.Ticks())
            svg.Append($"<text class=\"tick\" x=\"{N(X(tick))}\" y=\"{top + high + 14}\">{Short(tick)}</text>");
        svg.Append($"<text class=\"tick\" x=\"{left + wide / 2}\" y=\"{top + high + 28}\">{Html(across)}</text>\n");
        foreach ((int index, (string label, IReadOnlyList<(double X, double Y)> points)) in series.Index())
        {
            svg.Append($"<path class=\"line s{index % Colours}\" d=\"M{string.Join(" L", points.Select(point => $"{N(X(point.X))} {N(Y(point.Y))}"))}\"><title>{Html(label)}</title></path>\n");
            if (dots)
                foreach ((double px, double py) in points)
                    svg.Append($"<circle class=\"s{index % Colours} fill\" cx=\"{N(X(px))}\" cy=\"{N(Y(py))}\" r=\"3.5\"/>");
        }
        return svg.Append("</svg>\n").ToString();

        double X(double value) => left + wide * x.Share(value);

        double Y(double value) => top + high * (1 - y.Share(value));
    }

    /// <summary>Points of several classes.</summary>
    /// <param name="name">What it shows.</param>
    /// <param name="points">From -1 to 1 or beyond: the farthest decides.</param>
    /// <param name="place">Attributes of its place, within another picture.</param>
    public static string Map(string name, IReadOnlyList<Showcase.Point> points, string place = "")
    {
        const int side = 340;
        double reach = points.Select(point => Math.Max(Math.Abs(point.X), Math.Abs(point.Y))).DefaultIfEmpty(1).Max() * 1.05;
        var svg = new StringBuilder($"<svg {place}class=\"chart map\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"{Html(name)}\"><rect class=\"frame\" width=\"{side}\" height=\"{side}\" rx=\"8\"/>\n");
        foreach ((double x, double y, int kind) in points)
            svg.Append($"<circle class=\"s{kind % Colours} fill\" cx=\"{N(side / 2.0 * (1 + x / reach))}\" cy=\"{N(side / 2.0 * (1 - y / reach))}\" r=\"3.2\"/>");
        return svg.Append("</svg>\n").ToString();
    }

    /// <summary>What the colours are.</summary>
    public static string Legend(IEnumerable<string> names)
        => $"<p class=\"legend\">{string.Concat(names.Select((name, index) => $"<span><i class=\"s{index % Colours} back\"></i>{Html(name)}</span> "))}</p>\n";

    private static string Short(double value) => value.ToString(Math.Abs(value) >= 1000 ? "f0" : "g3", CultureInfo.InvariantCulture);

    private static string N(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);

    private static string Html(string value) => WebUtility.HtmlEncode(value);

    /// <summary>A range with round numbers in it.</summary>
    private sealed record Axis(double Least, double Most)
    {
        public static Axis Of(IEnumerable<double> values, double pad = 0.06)
        {
            double[] finite = [.. values.Where(double.IsFinite).DefaultIfEmpty(0)];
            (double least, double most) = (finite.Min(), finite.Max());
            double edge = most > least ? pad * (most - least) : Math.Max(1e-3, 0.05 * Math.Abs(most));
            return new Axis(least - edge, most + edge);
        }

        public double Share(double value) => (Math.Clamp(value, Least, Most) - Least) / (Most - Least);

        public IEnumerable<double> Ticks()
        {
            double raw = (Most - Least) / 4, unit = Math.Pow(10, Math.Floor(Math.Log10(raw)));
            double step = unit * new[] { 1, 2, 5, 10 }.First(factor => factor * unit >= raw);
            for (double tick = Math.Ceiling(Least / step) * step; tick <= Most + 1e-9 * step; tick += step)
                yield return Math.Abs(tick) < 1e-9 * step ? 0 : tick;
        }
    }
}
