using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>One run's result, as it lies in its own file and in survey.json.</summary>
internal sealed record SurveyRow
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase, WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public required string Method { get; init; }

    public required int Seed { get; init; }

    /// <summary>Test accuracy of 200 nearest neighbours, fewer where there are fewer training pictures, at temperature 0.1.</summary>
    public double? Knn { get; init; }

    /// <summary>Test accuracy of the linear probe.</summary>
    public double? Linear { get; init; }

    /// <summary>Of training.</summary>
    public long Steps { get; init; }

    /// <summary>Of training, also before it was broken off and went on, to a minute.</summary>
    public double Seconds { get; init; }

    /// <summary>The most that the process held until the end of training, its pictures included.</summary>
    public long PeakMemoryBytes { get; init; }

    /// <summary>How many pictures the accuracies are of.</summary>
    public int TestPictures { get; init; }

    public double? EmbeddingDeviation { get; init; }

    public double? EffectiveRank { get; init; }

    /// <summary>The probe's.</summary>
    public double? LearningRate { get; init; }

    /// <summary>Why the method can't take these pictures; null where it can.</summary>
    public string? NotApplicable { get; init; }

    public required string Budget { get; init; }

    public static string PathOf(SurveyOptions options, string method, int seed) => Path.Combine(options.Out, "runs", FormattableString.Invariant($"{method}-{seed}.json"));

    public static void WriteAll(string path, IReadOnlyList<SurveyRow> rows) => AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, rows, s_json));

    /// <summary>The run that is kept there, or null.</summary>
    /// <exception cref="BenchmarkException">It had another budget, or is no run.</exception>
    public static SurveyRow? Read(SurveyOptions options, string method, int seed) => PathOf(options, method, seed) is var path && File.Exists(path) ? Read(options, path) : null;

    /// <summary>All runs that are kept, of this call or of earlier ones.</summary>
    /// <exception cref="BenchmarkException">One had another budget, or is no run.</exception>
    public static SurveyRow[] ReadAll(SurveyOptions options)
    {
        string[] order = [SurveyOptions.Raw, SurveyOptions.Untrained, SurveyOptions.Frozen, .. AllMethods.ByName.Keys];
        return [.. Directory.GetFiles(Path.Combine(options.Out, "runs"), "*.json").Select(path => Read(options, path)).OrderBy(row => Array.IndexOf(order, row.Method)).ThenBy(row => row.Seed)];
    }

    private static SurveyRow Read(SurveyOptions options, string path)
    {
        try
        {
            SurveyRow row = JsonSerializer.Deserialize<SurveyRow>(File.ReadAllBytes(path), s_json)!;
            return row.Budget == options.Budget ? row : throw new BenchmarkException($"{path} is a run of {row.Budget}, not of {options.Budget}: give another --out, or delete it.");
        }
        catch (JsonException error)
        {
            throw new BenchmarkException($"{path} is no run of the survey: {error.Message}");
        }
    }

    public void Write(SurveyOptions options) => AtomicFile.Write(PathOf(options, Method, Seed), stream => JsonSerializer.Serialize(stream, this, s_json));
}
