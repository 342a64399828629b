using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>A run's result, as it lies in a file of its own.</summary>
internal interface IKeptRun
{
    string Method { get; }

    int Seed { get; }

    /// <summary>What all runs of one folder have in common.</summary>
    string Budget { get; }
}

/// <summary>Runs in the folder of --out, a file each: what is there is not made again.</summary>
/// <typeparam name="TRun">Their kind.</typeparam>
/// <param name="folder">That of --out.</param>
/// <param name="budget">What all of them have in common.</param>
/// <param name="command">Whose they are, for messages.</param>
internal sealed class KeptRuns<TRun>(string folder, string budget, string command)
    where TRun : class, IKeptRun
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase, WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private string Folder => Path.Combine(folder, "runs");

    /// <summary>All of them in one file.</summary>
    public static void WriteAll(string path, IReadOnlyList<TRun> runs) => AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, runs, s_json));

    public void Write(TRun run) => AtomicFile.Write(PathOf(run.Method, run.Seed), stream => JsonSerializer.Serialize(stream, run, s_json));

    /// <summary>The run that is kept, or null.</summary>
    /// <exception cref="BenchmarkException">It had another budget, or is no run.</exception>
    public TRun? Read(string method, int seed) => PathOf(method, seed) is var path && File.Exists(path) ? Read(path) : null;

    /// <summary>All that are kept, of this call or of earlier ones, by method and seed.</summary>
    /// <param name="order">Of the methods.</param>
    /// <param name="others">Runs that are not kept, which come between them.</param>
    /// <exception cref="BenchmarkException">One had another budget, or is no run.</exception>
    public TRun[] ReadAll(IEnumerable<string> order, IEnumerable<TRun> others)
    {
        string[] methods = [.. order];
        return [.. Directory.GetFiles(Folder, "*.json").Select(path => Read(path)).Concat(others).OrderBy(run => Array.IndexOf(methods, run.Method)).ThenBy(run => run.Seed)];
    }

    private string PathOf(string method, int seed) => Path.Combine(Folder, FormattableString.Invariant($"{method}-{seed}.json"));

    private TRun Read(string path)
    {
        try
        {
            TRun run = JsonSerializer.Deserialize<TRun>(File.ReadAllBytes(path), s_json)!;
            return run.Budget == budget ? run : throw new BenchmarkException($"{path} is a run of {run.Budget}, not of {budget}: give another --out, or delete it.");
        }
        catch (JsonException error)
        {
            throw new BenchmarkException($"{path} is no run of {command}: {error.Message}");
        }
    }
}
