using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What an item gave.</summary>
internal sealed record CompareRow
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase, WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public required string Name { get; init; }

    public required string What { get; init; }

    public required string Against { get; init; }

    public required string Unit { get; init; }

    public required double Floor { get; init; }

    public required double Aim { get; init; }

    /// <summary>Why there are no figures; null where there are.</summary>
    public string? Missing { get; init; }

    /// <summary>Measured by --quick: a whole run measures it anew.</summary>
    public bool Quick { get; init; }

    public int Threads { get; init; }

    /// <summary>Seconds per unit of each round.</summary>
    public IReadOnlyList<double> Ours { get; init; } = [];

    /// <summary>Seconds per unit of each round, each behind ours.</summary>
    public IReadOnlyList<double> Theirs { get; init; } = [];

    /// <summary>What was compared.</summary>
    public string? Checked { get; init; }

    public double? Difference { get; init; }

    public double? Limit { get; init; }

    public bool Agrees => Difference <= Limit;

    /// <summary>Floating-point operations a second of ours, and as a share of what the machine's matrix product reaches.</summary>
    public double? Gflops { get; init; }

    public double? ShareOfPeak { get; init; }

    public IReadOnlyDictionary<string, string> Versions { get; init; } = new Dictionary<string, string>();

    /// <summary>When it was measured.</summary>
    public string Date { get; init; } = "";

    [JsonIgnore]
    public double OurMedian => Median(Ours);

    [JsonIgnore]
    public double TheirMedian => Median(Theirs);

    /// <summary>Medians' ratio peer / ours: above 1 ours is faster.</summary>
    public double Ratio => TheirMedian / OurMedian;

    [JsonIgnore]
    public IReadOnlyList<double> RoundRatios => [.. Theirs.Zip(Ours, (theirs, ours) => theirs / ours)];

    [JsonIgnore]
    public string Verdict => Missing is not null ? "not run" : !Agrees ? "RESULTS DIFFER" : Ratio >= Aim ? "aim met" : Ratio >= Floor ? "floor met" : "missed";

    public static void WriteAll(string path, Machine machine, IReadOnlyList<CompareRow> rows)
        => AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, new Result(machine, rows), s_json));

    /// <summary>The rows that a file holds; none where there is no file.</summary>
    /// <exception cref="BenchmarkException">It is no result of a comparison.</exception>
    public static IReadOnlyList<CompareRow> ReadAll(string path)
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<Result>(File.ReadAllBytes(path), s_json)!.Rows : [];
        }
        catch (JsonException error)
        {
            throw new BenchmarkException($"{path} is no result of a comparison ({error.Message}): give another --out, or delete it.");
        }
    }

    private static double Median(IReadOnlyList<double> values)
    {
        if (values.Count == 0)
            return double.NaN;
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private sealed record Result(Machine Machine, IReadOnlyList<CompareRow> Rows);
}
