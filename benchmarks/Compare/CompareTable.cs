using System.Globalization;
using System.Text;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>All rows as compare.md, and each as a line.</summary>
internal static class CompareTable
{
    public static string Line(CompareRow row) => row.Missing is { } reason
        ? $"{row.Name}: not run: {reason}"
        : string.Create(
            CultureInfo.InvariantCulture,
            $"{row.Name}: ours {Time(row.OurMedian)}, {row.Against} {Time(row.TheirMedian)} per {row.Unit}; ratio {row.Ratio:f2} ({row.RoundRatios.Min():f2} to {row.RoundRatios.Max():f2}); floor {row.Floor}, aim {row.Aim}: {row.Verdict}; {row.Checked} {row.Difference:0.0e+0}, may be {row.Limit:0.0e+0}{(row.ShareOfPeak is { } share ? $"; {share:P0} of the machine's product" : "")}");

    public static string Markdown(Machine machine, IReadOnlyList<CompareRow> rows)
    {
        var text = new StringBuilder();
        text.AppendLine("| work | peer | ours | peer's | ratio (lowest to highest) | floor; aim | | of the machine's product |").AppendLine("|---|---|---|---|---|---|---|---|");
        foreach (CompareRow row in rows)
            text.AppendLine(row.Missing is { } reason
                ? string.Create(CultureInfo.InvariantCulture, $"| {row.What} | {row.Against} | | | not run: {reason.ReplaceLineEndings(" ").Replace("|", "\\|", StringComparison.Ordinal)} | {row.Floor}; {row.Aim} | | |")
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {row.What} | {Peer(row)} | {Time(row.OurMedian)} per {row.Unit} | {Time(row.TheirMedian)} | **{row.Ratio:f2}** ({row.RoundRatios.Min():f2} to {row.RoundRatios.Max():f2}) | {row.Floor}; {row.Aim} | {row.Verdict} | {row.ShareOfPeak:P0} |"));
        text.AppendLine();
        text.AppendLine("Ratio: the peer's median time over ours, rounds of both in turn; above 1 ours is faster. Behind it the lowest and highest of the rounds' own ratios.").AppendLine();
        text.AppendLine("What was compared between both sides, and how far it may be apart:").AppendLine();
        foreach (CompareRow row in rows.Where(row => row.Missing is null))
            text.AppendLine(CultureInfo.InvariantCulture, $"* {row.Name}: {row.Checked}, {row.Difference:0.0e+0} (at most {row.Limit:0.0e+0}); {row.Ours.Count} rounds{(row.Quick ? " (quick)" : "")}, {row.Threads} threads, {row.Date}");
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Machine: {machine.Description}. Its product of matrices: {machine.Gflops:f0} GFLOPS; copy {machine.CopyRate:f1} GB/s.");
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Peers: {machine.Peer}.");
        return text.ToString().ReplaceLineEndings("\n");
    }

    private static string Peer(CompareRow row) => row.Versions.Count == 0 ? row.Against : $"{row.Against} ({string.Join(", ", row.Versions.Select(entry => $"{entry.Key} {entry.Value}"))})";

    private static string Time(double seconds) => seconds switch
    {
        < 1e-3 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:g3} us"),
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:g3} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds:g3} s"),
    };
}
