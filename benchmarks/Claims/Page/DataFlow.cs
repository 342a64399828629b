using System.Globalization;
using System.Net;
using System.Text;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What a box of a picture of data flow stands for; also its colour.</summary>
internal enum Part
{
    /// <summary>A view of the input.</summary>
    View,

    /// <summary>A network that stays.</summary>
    Encoder,

    /// <summary>One that follows another and gets no gradient.</summary>
    Momentum,

    /// <summary>A head that is thrown away.</summary>
    Head,

    /// <summary>A head on one side alone.</summary>
    Predictor,
}

/// <summary>A box.</summary>
internal sealed record Box(Part Part, string Name);

/// <summary>A way from the input to the loss.</summary>
/// <param name="Boxes">From left to right.</param>
internal sealed record Lane(params IReadOnlyList<Box> Boxes)
{
    /// <summary>Whether no gradient flows back along it.</summary>
    public bool Stops { get; init; }

    /// <summary>What it begins from, where that is not what the other lane begins from.</summary>
    public string? Input { get; init; }
}

/// <summary>How data flow through a method, as far as a picture of it goes.</summary>
/// <param name="Input">Where both lanes begin.</param>
/// <param name="Loss">Where they end.</param>
/// <param name="Lanes">One or two.</param>
internal sealed record DataFlow(string Input, string Loss, params IReadOnlyList<Lane> Lanes)
{
    private const int Left = 8, BoxWide = 92, BoxHigh = 34, Gap = 26, LossGap = 44, LossWide = 96, UpperLane = 28, LowerLane = 102;

    /// <summary>A queue, bank, prototypes or centre that the loss looks at; null for none.</summary>
    public string? Memory { get; init; }

    /// <summary>Whether the lanes' networks have the same weights.</summary>
    public bool SameWeights { get; init; }

    private int MostBoxes => Lanes.Max(lane => lane.Boxes.Count);

    private int LossLeft => Left + (MostBoxes + 1) * (BoxWide + Gap) - Gap + LossGap;

    private int Bottom => Middle + BoxHigh / 2 + (Memory is null ? 0 : 76);

    private int Height => Math.Max(Bottom, LowerLane * (Lanes.Count - 1) + BoxHigh) + 8;

    /// <summary>An svg element.</summary>
    /// <param name="title">For those who can't see it.</param>
    public string Svg(string title)
    {
        int width = LossLeft + LossWide + Left;
        var svg = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"<svg class=\"flow\" style=\"max-width:{0.85 * width:f0}px\" viewBox=\"0 0 {width} {Height}\" role=\"img\" aria-label=\"{Text($"Data flow of {title}")}\">\n"));
        if (Lanes.All(lane => lane.Input is null))
            svg.Append(Rectangle("part input", Left, Middle - BoxHigh / 2, Input));
        foreach ((int index, Lane lane) in Lanes.Index())
            svg.Append(Draw(lane, Y(index)));
        if (Lanes.Count == 2)
            svg.Append(Links());
        svg.Append(Rectangle("part loss", LossLeft, Middle - BoxHigh / 2, Loss, LossWide));
        if (Memory is { } memory)
            svg.Append(Cylinder(memory));
        return svg.Append("</svg>\n").ToString();
    }

    private int Middle => Lanes.Count == 1 ? UpperLane : (UpperLane + LowerLane) / 2;

    private static int Y(int lane) => lane == 0 ? UpperLane : LowerLane;

    private StringBuilder Draw(Lane lane, int y)
    {
        var svg = new StringBuilder();
        int from = Left + BoxWide, fromY = Middle;
        if (lane.Input is { } own)
        {
            svg.Append(Rectangle("part input", Left, y - BoxHigh / 2, own));
            fromY = y;
        }
        foreach ((int index, Box box) in lane.Boxes.Index())
        {
            int x = Left + (index + 1) * (BoxWide + Gap);
            svg.Append(Arrow(from, fromY, x, y)).Append(Rectangle($"part {box.Part.ToString().ToLowerInvariant()}", x, y - BoxHigh / 2, box.Name));
            (from, fromY) = (x + BoxWide, y);
        }
        svg.Append(Arrow(from, y, LossLeft, Middle));
        if (lane.Stops) // across the way, half of it
        {
            (int x, int at) = ((from + LossLeft) / 2, (y + Middle) / 2);
            svg.Append($"<path class=\"stop\" d=\"M{x - 6} {at - 9} l6 18 M{x} {at - 9} l6 18\"/><text class=\"stop\" x=\"{x}\" y=\"{at + 26}\">stop</text>\n");
        }
        return svg;
    }

    /// <summary>Between boxes over each other: how the lower one's weights come from the upper one's.</summary>
    private StringBuilder Links()
    {
        var svg = new StringBuilder();
        bool named = false;
        foreach (((int index, Box upper), Box lower) in Lanes[0].Boxes.Index().Zip(Lanes[1].Boxes))
        {
            int x = Left + (index + 1) * (BoxWide + Gap) + BoxWide / 2;
            if (lower.Part == Part.Momentum && upper.Part != Part.Momentum)
                svg.Append(Label("EMA", $"<path class=\"follows\" marker-end=\"url(#tip)\" d=\"M{x} {UpperLane + BoxHigh / 2} V{LowerLane - BoxHigh / 2 - 2}\"/>", x));
            else if (SameWeights && upper.Part == lower.Part && upper.Part != Part.View)
                svg.Append(Label("same", $"<path class=\"same\" d=\"M{x - 2} {UpperLane + BoxHigh / 2} V{LowerLane - BoxHigh / 2} M{x + 2} {UpperLane + BoxHigh / 2} V{LowerLane - BoxHigh / 2}\"/>", x));
        }
        return svg;

        string Label(string name, string path, int x)
        {
            string text = named ? "" : $"<text class=\"note\" x=\"{x + 8}\" y=\"{Middle + 4}\">{name}</text>";
            named = true;
            return path + text + "\n";
        }
    }

    private string Cylinder(string name)
    {
        int x = LossLeft - 8, top = Bottom - BoxHigh + 4, wide = LossWide + 16;
        return $"<path class=\"part memory\" d=\"M{x} {top} v26 a{wide / 2} 6 0 0 0 {wide} 0 v-26 a{wide / 2} 6 0 0 0 -{wide} 0 a{wide / 2} 6 0 0 0 {wide} 0\"/>"
            + $"<text x=\"{x + wide / 2}\" y=\"{top + 22}\">{Text(name)}</text>\n" + Arrow(LossLeft + LossWide / 2, top - 8, LossLeft + LossWide / 2, Middle + BoxHigh / 2);
    }

    private static string Rectangle(string kind, int x, int y, string name, int wide = BoxWide)
        => $"<rect class=\"{kind}\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{BoxHigh}\" rx=\"7\"/><text x=\"{x + wide / 2}\" y=\"{y + BoxHigh / 2 + 4}\">{Text(name)}</text>\n";

    private static string Arrow(int fromX, int fromY, int toX, int toY) => $"<path class=\"arrow\" marker-end=\"url(#tip)\" d=\"M{fromX} {fromY} L{toX - (toX == fromX ? 0 : 3)} {toY + (toX == fromX ? 3 : 0)}\"/>\n";

    private static string Text(string value) => WebUtility.HtmlEncode(value.ToString(CultureInfo.InvariantCulture));
}
