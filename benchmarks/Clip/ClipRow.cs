using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>One measurement: which of so many texts belongs to a picture, or which of so many pictures to a text. A linear probe has no recalls.</summary>
internal sealed record ClipRow(string Task, double Accuracy, double Chance, double? Recall1, double? Recall5, double? Recall10)
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

    /// <param name="task">What was measured.</param>
    /// <param name="prompts">How the words were asked for.</param>
    /// <param name="ranks">Each query's rank of its best right candidate, from 1.</param>
    /// <param name="rights">How many candidates are right for each query.</param>
    /// <param name="gallery">Candidates.</param>
    /// <param name="run">The training.</param>
    public static ClipRow Of(string task, string prompts, IReadOnlyList<long> ranks, IEnumerable<int> rights, int gallery, ClipRun run)
    {
        double Recall(int k) => ranks.Average(rank => rank <= k ? 1.0 : 0);
        return new(task, Recall(1), rights.Average() / gallery, Recall(1), Recall(5), Recall(10))
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
        var text = new StringBuilder().AppendLine("# Pictures and words").AppendLine().AppendLine(settings).AppendLine();
        text.AppendLine($"| {string.Join(" | ", heads)} |").AppendLine($"|{string.Concat(Enumerable.Repeat("---|", heads.Length))}");
        foreach (ClipRow row in rows)
            text.AppendLine($"| {string.Join(" | ", row.Cells())} |");
        File.WriteAllText(Path.Combine(folder, "clip.md"), text.ToString().ReplaceLineEndings("\n"));
        File.WriteAllText(Path.Combine(folder, "clip.html"), $$"""
            <!doctype html>
            <html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Pictures and words</title>
            <style>
              :root { color-scheme: light dark; --line: light-dark(#ddd, #3a3e46); --bar: light-dark(#bcd3f5, #2b4a7a) }
              body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: light-dark(#1c1e22, #eceae5); background: light-dark(#fff, #15171b) }
              div { overflow-x: auto }
              table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap }
              td, th { padding: .35rem .5rem; text-align: right; border-bottom: 1px solid var(--line); font-weight: normal }
              thead th { font-weight: 600; vertical-align: bottom }
              :is(td, th):nth-child(-n+2) { text-align: left }
              td { background: linear-gradient(var(--bar) 0 0) no-repeat left center / var(--share, 0) 70% }
            </style>
            <h1>Pictures and words</h1><p>{{WebUtility.HtmlEncode(settings)}}</p>
            <div tabindex="0"><table><thead><tr>{{string.Concat(heads.Select(head => $"<th scope=\"col\">{head}</th>"))}}</tr></thead><tbody>
            {{string.Concat(rows.Select(row => row.Line()))}}</tbody></table></div></html>

            """);
    }

    /// <summary>The row of a table in HTML, shares with bars behind them.</summary>
    private string Line()
    {
        double?[] shares = [null, null, null, null, Accuracy, Chance, Recall1, Recall5, Recall10, null, null, null];
        return $"<tr>{string.Concat(Cells().Zip(shares, (cell, share) => $"<td{(share is null ? "" : string.Create(CultureInfo.InvariantCulture, $" style=\"--share: {100 * share:f1}%\""))}>{WebUtility.HtmlEncode(cell)}</td>"))}</tr>\n";
    }

    private string[] Cells() =>
    [
        Task, Prompts, Whole(Queries), Whole(Gallery), Percent(Accuracy), Percent(Chance), Percent(Recall1), Percent(Recall5), Percent(Recall10), Whole(Pairs), Whole(Steps), Whole((long)Seconds),
    ];

    private static string Percent(double? share) => share?.ToString(share < 0.01 ? "P2" : "P1", CultureInfo.InvariantCulture) ?? "";

    private static string Whole(long number) => number.ToString("n0", CultureInfo.InvariantCulture);
}

/// <summary>What training took.</summary>
internal sealed record ClipRun(int Pairs, long Steps, double Seconds);
