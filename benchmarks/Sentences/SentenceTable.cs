using System.Globalization;
using System.Text;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>All rows as sentences.json, sentences.md and sentences.html.</summary>
internal static class SentenceTable
{
    public static void Write(SentencesOptions options, IReadOnlyList<SentenceRow> rows)
    {
        KeptRuns<SentenceRow>.WriteAll(Path.Combine(options.Out, "sentences.json"), rows);
        SentenceSummary[] table = [.. SentenceMethods.All.Select(method => (method, rows: rows.Where(row => row.Method == method.Name).ToArray())).Where(each => each.rows.Length > 0)
            .Select(each => new SentenceSummary(each.method, each.rows))];
        WriteText("sentences.md", Markdown(options, table));
        WriteText("sentences.html", SentencePage.Html(options, table));

        void WriteText(string name, string text)
            => AtomicFile.Write(Path.Combine(options.Out, name), stream => stream.Write(Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\n"))));
    }

    /// <summary>One row in a line.</summary>
    public static string Line(SentenceRow row) => row.NotApplicable is { } reason ? $"no result: {reason}"
        : string.Create(CultureInfo.InvariantCulture, $"STS {row.Sts:f2}{(row.Start is null ? "" : $" from {row.Start.Value:f2}")}, alignment {row.Alignment:f3}, uniformity {row.Uniformity:f3}, accuracy {row.Accuracy:P1}, {row.Steps} steps, {row.Seconds:f0} s");

    /// <summary>What the figures say about the questions that they were asked for.</summary>
    public static IEnumerable<string> Findings(IReadOnlyList<SentenceSummary> table)
    {
        foreach (SentenceSummary row in table.Where(row => row.Start is not null))
            yield return $"{row.Method.Name} {(row.BeatsItsStart ? "beats" : "does not beat")} its start{(row.Seeds == 1 ? "; one seed tells no spread" : " by more than its seeds' spread")}: {row.Start!.Text(2)} to {row.Sts!.Text(2)}.";
        if (table.FirstOrDefault(row => row.Method.Name == SentenceMethods.Rival)?.Sts is { } rival)
        {
            string[] better = [.. table.Where(row => row.Start is not null && row.Sts!.Mean > rival.Mean).Select(row => row.Method.Name)];
            yield return $"Better than counting trigrams ({rival.Text(2)}): {(better.Length == 0 ? "none of what was trained" : string.Join(", ", better))}.";
        }
    }

    private static string Markdown(SentencesOptions options, IReadOnlyList<SentenceSummary> table)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"# Sentences: {options.Budget}").AppendLine();
        text.AppendLine("STS is Spearman's correlation over all pairs, times 100; alignment is of pairs with gold above 4, uniformity of all sentences, lower is better for both; accuracy is a linear probe's, in per cent. Mean ± deviation over seeds.").AppendLine();
        text.AppendLine("| method | | seeds | start | STS | alignment | uniformity | accuracy | steps | seconds |").AppendLine("|---|---|---|---|---|---|---|---|---|---|");
        foreach (SentenceSummary row in table)
            text.AppendLine(row.Missing is { } missing
                ? $"| {row.Method.Name} | {Cell(row.Method.What)} | | | no result: {Cell(missing)} | | | | | |"
                : string.Create(CultureInfo.InvariantCulture, $"| {row.Method.Name} | {Cell(row.Method.What)} | {row.Seeds} | {row.Start?.Text(2)} | {row.Sts?.Text(2)} | {row.Alignment?.Text(3)} | {row.Uniformity?.Text(3)} | {row.Accuracy?.Text(1)} | {row.Steps} | {row.Seconds:f0} |"));
        text.AppendLine();
        foreach (string finding in Findings(table))
            text.AppendLine(CultureInfo.InvariantCulture, $"- {finding}");
        return text.ToString();

        static string Cell(string value) => value.Replace("|", "\\|", StringComparison.Ordinal);
    }
}

/// <summary>A figure over seeds.</summary>
internal sealed record Spread(double Mean, double? Deviation)
{
    /// <summary>Null where a row lacks it.</summary>
    public static Spread? Of(IReadOnlyCollection<SentenceRow> rows, Func<SentenceRow, double?> figure)
    {
        double[] values = [.. rows.Select(figure).OfType<double>()];
        if (values.Length == 0 || values.Length < rows.Count)
            return null;
        double mean = values.Average();
        return new Spread(mean, values.Length == 1 ? null : Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1)));
    }

    public string Text(int digits)
    {
        string format = "f" + digits.ToString(CultureInfo.InvariantCulture);
        return Mean.ToString(format, CultureInfo.InvariantCulture) + (Deviation is { } deviation ? " ± " + deviation.ToString(format, CultureInfo.InvariantCulture) : "");
    }
}

/// <summary>A method's rows as one.</summary>
internal sealed class SentenceSummary
{
    public SentenceSummary(SentenceMethod method, SentenceRow[] rows)
    {
        Method = method;
        Missing = rows[0].NotApplicable;
        SentenceRow[] made = [.. rows.Where(row => row.NotApplicable is null)];
        Seeds = made.Length;
        (Start, Sts, Alignment, Uniformity) = (Spread.Of(made, row => row.Start), Spread.Of(made, row => row.Sts), Spread.Of(made, row => row.Alignment), Spread.Of(made, row => row.Uniformity));
        Accuracy = Spread.Of(made, row => 100 * row.Accuracy);
        (Steps, Seconds) = (made.Select(row => row.Steps).FirstOrDefault(), made.Select(row => row.Seconds).DefaultIfEmpty().Average());
    }

    public SentenceMethod Method { get; }

    public string? Missing { get; }

    public int Seeds { get; }

    public Spread? Start { get; }

    public Spread? Sts { get; }

    public Spread? Alignment { get; }

    public Spread? Uniformity { get; }

    /// <summary>In per cent.</summary>
    public Spread? Accuracy { get; }

    public long Steps { get; }

    public double Seconds { get; }

    /// <summary>By more than the deviation of either over seeds.</summary>
    public bool BeatsItsStart => Start is not null && Sts is not null && Sts.Mean - Start.Mean > Math.Max(Sts.Deviation ?? 0, Start.Deviation ?? 0);
}
