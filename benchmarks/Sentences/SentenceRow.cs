using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>One method with one seed, as it lies in its own file and in sentences.json.</summary>
internal sealed record SentenceRow
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase, WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public required string Method { get; init; }

    public required int Seed { get; init; }

    /// <summary>Spearman's correlation of cosine with the gold scores, over all pairs at once, times 100.</summary>
    public double? Sts { get; init; }

    /// <summary>The same of the network that training started from; null where nothing is trained.</summary>
    public double? Start { get; init; }

    /// <summary>Of pairs with gold above 4 of 5; null where there are none.</summary>
    public double? Alignment { get; init; }

    /// <summary>Of all sentences of the pairs, each once.</summary>
    public double? Uniformity { get; init; }

    /// <summary>Test accuracy of a linear probe, 0 to 1; null where there are no labels.</summary>
    public double? Accuracy { get; init; }

    /// <summary>Of training.</summary>
    public long Steps { get; init; }

    /// <summary>Of training, also before it was broken off and went on, to a minute.</summary>
    public double Seconds { get; init; }

    /// <summary>Why there is no result: a file that was not given.</summary>
    public string? NotApplicable { get; init; }

    /// <summary>What all rows of one folder have in common.</summary>
    public required string Budget { get; init; }

    public static string PathOf(string folder, string method, int seed) => Path.Combine(folder, "runs", FormattableString.Invariant($"{method}-{seed}.json"));

    public static void WriteAll(string path, IReadOnlyList<SentenceRow> rows) => AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, rows, s_json));

    /// <summary>The row that is kept there, or null; one without a result does not count.</summary>
    /// <exception cref="BenchmarkException">It had another budget, or is no row.</exception>
    public static SentenceRow? Read(string folder, string method, int seed, string budget) => PathOf(folder, method, seed) is var path && File.Exists(path) ? Read(path, budget) : null;

    /// <summary>All rows that are kept, of this call or of earlier ones.</summary>
    /// <exception cref="BenchmarkException">One had another budget, or is no row.</exception>
    public static IEnumerable<SentenceRow> ReadAll(string folder, string budget) => Directory.GetFiles(Path.Combine(folder, "runs"), "*.json").Select(path => Read(path, budget));

    private static SentenceRow Read(string path, string budget)
    {
        try
        {
            SentenceRow row = JsonSerializer.Deserialize<SentenceRow>(File.ReadAllBytes(path), s_json)!;
            return row.Budget == budget ? row : throw new BenchmarkException($"{path} is a run of {row.Budget}, not of {budget}: give another --out, or delete it.");
        }
        catch (JsonException error)
        {
            throw new BenchmarkException($"{path} is no run of sentences: {error.Message}");
        }
    }

    public void Write(string folder) => AtomicFile.Write(PathOf(folder, Method, Seed), stream => JsonSerializer.Serialize(stream, this, s_json));
}
