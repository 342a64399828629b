using System.Globalization;
using System.Text.Json;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Figures of methods from the results of <c>survey</c>, <c>sentences</c> and <c>clip</c>, where their folders were given.</summary>
internal sealed class MethodFigures
{
    private readonly Dictionary<string, string> _byMethod = [];

    /// <exception cref="BenchmarkException">A folder has no such results, or they are none.</exception>
    public MethodFigures(ClaimsOptions options)
    {
        foreach (IGrouping<string, JsonElement> rows in Rows(options.Survey, "survey.json", root => root).GroupBy(row => row.GetProperty("method").GetString()!))
            if (Mean(rows, "knn") is { } knn && Mean(rows, "linear") is { } linear)
                _byMethod[rows.Key] = string.Create(CultureInfo.InvariantCulture, $"kNN {100 * knn:f1} %, linear probe {100 * linear:f1} % (survey, {Seeds(rows.Count())})");
        IGrouping<string, JsonElement>[] sentences = [.. Rows(options.Sentences, "sentences.json", root => root).GroupBy(row => row.GetProperty("method").GetString()!)];
        foreach (Milestone milestone in History.All.Where(each => each.SentencesRow is not null))
            if (sentences.FirstOrDefault(rows => rows.Key == milestone.SentencesRow) is { } own && Mean(own, "sts") is { } sts)
                _byMethod[milestone.Method] = string.Create(CultureInfo.InvariantCulture, $"STS {sts:f1}{(Mean(own, "start") is { } start ? FormattableString.Invariant($" from {start:f1}") : "")} (sentences, {Seeds(own.Count())})");
        if (Rows(options.Clip, "clip.json", root => root.GetProperty("rows")).Select(row => (JsonElement?)row).FirstOrDefault() is { } first)
            _byMethod[nameof(Clip)] = string.Create(CultureInfo.InvariantCulture, $"{first.GetProperty("task").GetString()}: {100 * first.GetProperty("accuracy").GetDouble():f1} %, chance {100 * first.GetProperty("chance").GetDouble():f2} % (clip)");
    }

    /// <summary>In words; null where there is nothing.</summary>
    public string? Of(string method) => _byMethod.GetValueOrDefault(method);

    private static JsonElement[] Rows(string? folder, string file, Func<JsonElement, JsonElement> within)
    {
        if (folder is null)
            return [];
        string path = Path.Combine(folder, file);
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            return [.. within(document.RootElement).EnumerateArray().Select(row => row.Clone())];
        }
        catch (Exception error) when (error is IOException or JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new BenchmarkException($"{path} can't be read: {error.Message} Give --survey, --sentences and --clip folders that these commands wrote.");
        }
    }

    private static double? Mean(IEnumerable<JsonElement> rows, string name)
    {
        double[] values = [.. rows.Where(row => row.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number).Select(row => row.GetProperty(name).GetDouble())];
        return values.Length == 0 ? null : values.Average();
    }

    public static string Seeds(int count) => count == 1 ? "one seed" : $"{count} seeds";
}
