using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Where training stood.</summary>
internal sealed record CurvePoint(long Step, double Loss, double Deviation);

/// <summary>One arm with one seed, as it lies in a file of its own. Claims that have an arm in common share its rows.</summary>
internal sealed record ClaimRow
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>All that decides the outcome but the seed, as JSON.</summary>
    public required string Setup { get; init; }

    public required int Seed { get; init; }

    /// <summary>By <see cref="Figure.Key"/>.</summary>
    public required IReadOnlyDictionary<string, double> Figures { get; init; }

    public IReadOnlyList<CurvePoint> Curve { get; init; } = [];

    public long Steps { get; init; }

    /// <summary>Of training.</summary>
    public double Seconds { get; init; }

    /// <summary>The row's file: other settings are another file.</summary>
    public static string PathOf(string folder, string setup, int seed)
        => Path.Combine(folder, "runs", FormattableString.Invariant($"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(setup)))[..16]}-{seed}.json"));

    /// <summary>The row that is kept, or null.</summary>
    /// <exception cref="BenchmarkException">The file is no row.</exception>
    public static ClaimRow? Read(string folder, string setup, int seed)
    {
        string path = PathOf(folder, setup, seed);
        try
        {
            ClaimRow? row = File.Exists(path) ? JsonSerializer.Deserialize<ClaimRow>(File.ReadAllBytes(path), s_json) : null;
            return row is { Curve: [.., var last] } ? row with { Figures = new Dictionary<string, double>(row.Figures) { [Figure.Projection.Key] = last.Deviation } } : row;
        }
        catch (JsonException error)
        {
            throw new BenchmarkException($"{path} is no run of a claim: {error.Message} Delete it, and it is made again.");
        }
    }

    public void Write(string folder) => AtomicFile.Write(PathOf(folder, Setup, Seed), stream => JsonSerializer.Serialize(stream, this, s_json));
}
