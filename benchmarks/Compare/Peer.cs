using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>
/// A child process that runs one of <c>peers/*.py</c> and answers lines of JSON: "prepare" with settings, "round" with seconds, "values" with what is compared. It waits
/// for its turn without taking processor time.
/// </summary>
internal sealed class Peer : IDisposable
{
    /// <summary>Debian's, which has Debian's packages; another Python of the same machine has not.</summary>
    public const string Python = "/usr/bin/python3";

    private readonly Process _process;
    private readonly string _file;
    private string _lastError = "";

    /// <param name="file">Name in the folder of peers.</param>
    /// <param name="threads">Of PyTorch and the BLAS.</param>
    public Peer(string file, int threads)
    {
        _file = file;
        var start = new ProcessStartInfo(Python, [Path.Combine(AppContext.BaseDirectory, "peers", file)])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment["OMP_WAIT_POLICY"] = "passive";
        start.Environment["OMP_NUM_THREADS"] = FormattableString.Invariant($"{threads}");
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        // What TrainingOptions.KeepFreedMemory sets for this process: both sides keep freed memory.
        start.Environment["MALLOC_MMAP_THRESHOLD_"] = FormattableString.Invariant($"{32 << 20}");
        start.Environment["MALLOC_TRIM_THRESHOLD_"] = FormattableString.Invariant($"{1 << 30}");
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, line) => _lastError = string.IsNullOrWhiteSpace(line.Data) ? _lastError : line.Data;
        _process.BeginErrorReadLine();
    }

    /// <summary>What the peer says of its libraries' versions.</summary>
    public IReadOnlyDictionary<string, string> Prepare(JsonObject settings)
        => Ask("prepare", settings)["versions"]!.AsObject().ToDictionary(entry => entry.Key, entry => entry.Value!.GetValue<string>());

    /// <summary>Seconds per unit of work.</summary>
    public double Round() => Ask("round", [])["seconds"]!.GetValue<double>();

    public double[] Values() => [.. Ask("values", [])["values"]!.AsArray().Select(value => value!.GetValue<double>())];

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(10_000))
            _process.Kill();
        _process.Dispose();
    }

    private JsonObject Ask(string what, JsonObject request)
    {
        request["do"] = what;
        string? line = null;
        try
        {
            _process.StandardInput.WriteLine(request.ToJsonString());
            _process.StandardInput.Flush();
            line = _process.StandardOutput.ReadLine();
        }
        catch (IOException)
        {
            // The process is gone; what it last said follows.
        }
        if (line is null)
        {
            _process.WaitForExit(1_000);
            throw new BenchmarkException($"The peer {_file} ended: {_lastError}");
        }
        JsonObject answer = JsonNode.Parse(line)!.AsObject();
        return answer["error"] is { } error ? throw new BenchmarkException($"The peer {_file} could not {what}: {error}") : answer;
    }
}
