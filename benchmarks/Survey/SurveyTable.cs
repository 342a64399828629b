using System.Globalization;
using System.Text;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>All runs as survey.md and survey.json.</summary>
internal static class SurveyTable
{
    public static void Write(SurveyOptions options, IReadOnlyList<SurveyRow> rows)
    {
        KeptRuns<SurveyRow>.WriteAll(Path.Combine(options.Out, "survey.json"), rows);
        AtomicFile.Write(Path.Combine(options.Out, "survey.md"), stream => stream.Write(Encoding.UTF8.GetBytes(Markdown(options, rows))));
    }

    /// <summary>One run in a line.</summary>
    public static string Line(SurveyRow row) => row.NotApplicable is { } reason ? $"not applicable: {reason}"
        : string.Create(CultureInfo.InvariantCulture, $"kNN {row.Knn:P1}, linear {row.Linear:P1}, {row.Steps} steps, {row.Seconds:f0} s, {row.PeakMemoryBytes >> 20} MiB");

    /// <summary>A line where an encoder that was not trained seems to have learned; null where all is well, or the runs aren't there.</summary>
    public static string? FrozenGain(IReadOnlyList<SurveyRow> rows)
    {
        double? gain = Gain(row => row.Knn), linear = Gain(row => row.Linear);
        // Three deviations of the accuracy that chance alone gives where 80 % are right: 1.2 points on 10,000 test pictures.
        double chance = 3 * Math.Sqrt(0.8 * 0.2 / rows.Select(row => row.TestPictures).DefaultIfEmpty().Max());
        return gain > chance || linear > chance
            ? string.Create(CultureInfo.InvariantCulture, $"The frozen encoder gained {gain:P1} (kNN) and {linear:P1} (linear) on the untrained one: the comparison is not to be trusted.")
            : null;

        double? Gain(Func<SurveyRow, double?> of) => Mean(rows, SurveyOptions.Frozen, of) - Mean(rows, SurveyOptions.Untrained, of);
    }

    private static double? Mean(IEnumerable<SurveyRow> rows, string method, Func<SurveyRow, double?> of) => rows.Where(row => row.Method == method).Average(of);

    private static string Markdown(SurveyOptions options, IReadOnlyList<SurveyRow> rows)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"# Survey: {options.Budget}").AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"{SmallDataSettings.Encoder}; batches of {SmallDataSettings.BatchSize}; {Environment.ProcessorCount} processors; accuracies in per cent, mean ± deviation over seeds.").AppendLine();
        text.AppendLine("| method | seeds | kNN | linear | effective rank | steps | seconds | peak memory, MiB |").AppendLine("|---|---|---|---|---|---|---|---|");
        foreach (IGrouping<string, SurveyRow> runs in rows.GroupBy(row => row.Method))
        {
            SurveyRow[] able = [.. runs.Where(row => row.NotApplicable is null)];
            if (able.Length == 0)
                text.AppendLine(CultureInfo.InvariantCulture, $"| {runs.Key} | | not applicable: {runs.First().NotApplicable!.Replace("|", "\\|", StringComparison.Ordinal)} | | | | | |");
            else
                text.AppendLine(CultureInfo.InvariantCulture, $"| {runs.Key} | {able.Length} | {Spread(able, row => row.Knn)} | {Spread(able, row => row.Linear)} | {able.Average(row => row.EffectiveRank):f1} | {able.Average(row => row.Steps):f0} | {able.Average(row => row.Seconds):f0} | {able.Max(row => row.PeakMemoryBytes) >> 20} |");
        }
        text.AppendLine();
        text.AppendLine("`untrained` is the better of a random encoder and one with batch norm's statistics from the pictures; `frozen` trains with a rate too small to change a weight.");
        if (options.Minutes is null)
            text.AppendLine(SmallDataSettings.EpochFactors);
        if (FrozenGain(rows) is { } gain)
            text.AppendLine().AppendLine(gain);
        return text.ToString().ReplaceLineEndings("\n");
    }

    private static string Spread(SurveyRow[] rows, Func<SurveyRow, double?> of)
    {
        double[] values = [.. rows.Select(row => 100 * of(row)!.Value)];
        double mean = values.Average();
        return values.Length == 1 ? mean.ToString("f1", CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{mean:f1} ± {Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1)):f1}");
    }
}
