using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>One measurement: which of so many texts belongs to a picture, or which of so many pictures to a text.</summary>
internal sealed record ClipRow(string Task, double Accuracy, double Chance, double Recall1, double Recall5, double Recall10)
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Candidates of each query.</summary>
    public required int Gallery { get; init; }

    /// <summary>Queries.</summary>
    public required int Queries { get; init; }

    /// <summary>How the words were asked for.</summary>
    public required string Prompts { get; init; }

    /// <summary>Pairs that were trained on.</summary>
    public required int Pairs { get; init; }

    public required long Steps { get; init; }

    /// <summary>Of training.</summary>
    public required double Seconds { get; init; }

    /// <summary>From each query's rank of its own, from 1.</summary>
    public static ClipRow Of(string task, string prompts, IReadOnlyList<long> ranks, int gallery, ClipRun run)
    {
        double Recall(int k) => ranks.Average(rank => rank <= k ? 1.0 : 0);
        return new(task, Recall(1), 1.0 / gallery, Recall(1), Recall(5), Recall(10))
        {
            Gallery = gallery, Queries = ranks.Count, Prompts = prompts, Pairs = run.Pairs, Steps = run.Steps, Seconds = run.Seconds,
        };
    }

    /// <summary>clip.md, clip.json and clip.html.</summary>
    public static void WriteAll(string folder, string settings, IReadOnlyList<ClipRow> rows)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "clip.json"), JsonSerializer.Serialize(new { settings, rows }, s_json));
        string[] heads = ["task", "words as", "queries", "gallery", "accuracy", "chance", "recall@1", "recall@5", "recall@10", "pairs", "steps", "seconds"];
        string[][] cells = [.. rows.Select(row => row.Cells())];
        var text = new StringBuilder().AppendLine("# Pictures and words").AppendLine().AppendLine(settings).AppendLine();
        text.AppendLine($"| {string.Join(" | ", heads)} |").AppendLine($"|{string.Concat(Enumerable.Repeat("---|", heads.Length))}");
        foreach (string[] row in cells)
            text.AppendLine($"| {string.Join(" | ", row)} |");
        File.WriteAllText(Path.Combine(folder, "clip.md"), text.ToString().ReplaceLineEndings("\n"));
        string Line(string tag, IEnumerable<string> of) => $"<tr>{string.Concat(of.Select(cell => $"<{tag}>{WebUtility.HtmlEncode(cell)}</{tag}>"))}</tr>\n";
        File.WriteAllText(Path.Combine(folder, "clip.html"), $$"""
            <!doctype html><meta charset="utf-8"><title>Pictures and words</title>
            <style>body { font: 15px sans-serif; margin: 2em } td, th { padding: .3em .8em; text-align: right; border-bottom: 1px solid #ccc } td:first-child, td:nth-child(2) { text-align: left }</style>
            <h1>Pictures and words</h1><p>{{WebUtility.HtmlEncode(settings)}}</p>
            <table>
            {{Line("th", heads)}}{{string.Concat(cells.Select(row => Line("td", row)))}}</table>
            """);
    }

    private string[] Cells() =>
    [
        Task, Prompts, Whole(Queries), Whole(Gallery), Percent(Accuracy), Percent(Chance), Percent(Recall1), Percent(Recall5), Percent(Recall10), Whole(Pairs), Whole(Steps), Whole((long)Seconds),
    ];

    private static string Percent(double share) => double.IsNaN(share) ? "" : share.ToString(share < 0.01 ? "P2" : "P1", CultureInfo.InvariantCulture);

    private static string Whole(long number) => number.ToString("n0", CultureInfo.InvariantCulture);
}

/// <summary>What training took.</summary>
internal sealed record ClipRun(int Pairs, long Steps, double Seconds);
