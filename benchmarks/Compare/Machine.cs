using System.Globalization;
using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What a table of times is worth nothing without.</summary>
/// <param name="Description">Processor, cores, system, date.</param>
/// <param name="Gflops">The fastest product of single-precision matrices that the library's libtorch has, of 2,048 x 2,048.</param>
/// <param name="CopyRate">Read and written by a copy of 256 MiB, GB/s.</param>
/// <param name="Peer">The same of the peer, or why there is none.</param>
internal sealed record Machine(string Description, double Gflops, double CopyRate, string Peer)
{
    private static readonly string[] s_variables = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OMP_WAIT_POLICY", "OMP_NUM_THREADS"];

    public static Machine Measure(int threads)
    {
        const int size = 2048, count = 1 << 26, tries = 5;
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        Tensor a = randn(size, size), b = randn(size, size), from = randn(count), to = empty(count);
        Tensor picture = a.view(1, size, 32, size / 32), kernel = b.view(size, size, 1, 1);
        double product = Best(() => a.mm(b).Dispose()), convolution = Best(() => nn.functional.conv2d(picture, kernel).Dispose()), copy = Best(() => to.copy_(from));
        return new Machine(Describe(threads), 2.0 * size * size * size / Math.Min(product, convolution) / 1e9, 8.0 * count / copy / 1e9, MeasurePeer(threads));

        static double Best(Action work) => Enumerable.Range(0, tries).Min(_ => Workshop.Seconds(work));
    }

    private static string Describe(int threads)
    {
        string processor = File.Exists("/proc/cpuinfo")
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown processor"
            : "unknown processor";
        string variables = string.Join(", ", s_variables.Select(name => $"{name} {Environment.GetEnvironmentVariable(name) ?? "not set"}"));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{processor}, {Environment.ProcessorCount} cores{(System.Runtime.Intrinsics.X86.Avx512F.IsSupported ? " with AVX-512" : "")}, {threads} threads a side, {System.Runtime.InteropServices.RuntimeInformation.OSDescription}, {DateTime.UtcNow:yyyy-MM-dd}; .NET {Environment.Version}, libtorch {__version__}; {variables}");
    }

    private static string MeasurePeer(int threads)
    {
        try
        {
            using var peer = new Peer("machine.py", threads);
            IReadOnlyDictionary<string, string> versions = peer.Prepare(new JsonObject { ["threads"] = threads });
            double[] values = peer.Values();
            string told = string.Join("; ", versions.Select(entry => $"{entry.Key}: {entry.Value}"));
            return string.Create(CultureInfo.InvariantCulture, $"PyTorch: {values[0]:f0} GFLOPS by the BLAS, {values[1]:f0} by oneDNN's convolution, copy {values[2]:f1} GB/s; {told}; {string.Join(", ", PeerPackages.Versions())}");
        }
        catch (Exception error) when (error is BenchmarkException or System.ComponentModel.Win32Exception)
        {
            return error.Message;
        }
    }
}
