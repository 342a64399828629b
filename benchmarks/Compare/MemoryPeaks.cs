using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>
/// Peak memory of training ResNet-18 by SimCLR against the size of the batch, whole and in chunks: what Fit takes above the loaded runtime. Each figure is of a process of its
/// own.
/// </summary>
internal static class MemoryPeaks
{
    private const int Chunk = 128, Side = 32;
    private const int Steps = 100; // so many that views are made ahead as in any run; the first shows the peak
    private const string OneRun = "run";

    public const string Help = "Usage: dotnet run -c Release --project benchmarks -- memory [BATCH ...]: batches of 128 to 4,096 unless others are given";

    public static int Run(string[] args)
    {
        if (args is [OneRun, var rows, var chunk])
            return RunOne(int.Parse(rows, CultureInfo.InvariantCulture), chunk == "-" ? null : int.Parse(chunk, CultureInfo.InvariantCulture));
        if (!OperatingSystem.IsLinux() || args.Any(arg => !int.TryParse(arg, NumberStyles.None, CultureInfo.InvariantCulture, out int batch) || batch < Chunk || batch % Chunk != 0))
        {
            Console.Error.WriteLine(OperatingSystem.IsLinux() ? $"{Help}; each a multiple of {Chunk}." : "Peak memory is read from Linux's /proc.");
            return 2;
        }
        int[] batches = args.Length > 0 ? [.. args.Select(arg => int.Parse(arg, CultureInfo.InvariantCulture))] : [128, 256, 512, 1024, 2048, 4096];
        long room = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, perRow = 0;
        Console.WriteLine($"{"batch",8}{"whole, MiB",14}{$"chunks of {Chunk}, MiB",24}");
        foreach (int batch in batches)
        {
            bool fits = batch * perRow < 0.8 * room; // as far as smaller batches tell
            long? whole = fits ? Measure(batch, null) : null, chunked = Measure(batch, Chunk);
            perRow = whole / batch ?? perRow;
            Console.WriteLine($"{batch,8}{(whole is { } bytes ? $"{bytes >> 20}" : fits ? "failed" : "does not fit"),14}{(chunked is { } peak ? $"{peak >> 20}" : "failed"),24}");
        }
        return 0;
    }

    private static long? Measure(int batch, int? chunk)
    {
        using Process process = Process.Start(new ProcessStartInfo(
            "dotnet", [typeof(MemoryPeaks).Assembly.Location, "memory", OneRun, $"{batch}", chunk is null ? "-" : $"{chunk}"]) { RedirectStandardOutput = true })!;
        string told = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? long.Parse(told, CultureInfo.InvariantCulture) : null;
    }

    private static int RunOne(int batch, int? chunk)
    {
        var ml = new MLContext(1);
        Fit(rows: 4, chunk: null, steps: 1); // loads libtorch, and lets the runtime compile
        long before = ResetPeak();
        Fit(batch, chunk, Steps);
        Console.WriteLine(Read("VmHWM:") - before);
        return 0;

        void Fit(int rows, int? chunk, int steps)
        {
            using var stop = new CancellationTokenSource();
            var training = new TrainingOptions
            {
                BatchSize = rows, ChunkSize = chunk, Steps = steps, Progress = new OnProgress(_ => stop.Cancel()), CancellationToken = stop.Token,
            };
            ImageEncoder shape = rows == batch ? ImageEncoder.ResNet18(Stem.Small) : ImageEncoder.SmallConvNet(8);
            try
            {
                ml.Transforms.ContrastivePretrain("Features", "Image", new SimClrV1(), shape, training, new ImageShape(Side, Side, 3)).Fit(MadePictures.View(ml, rows, Side, 3)).Dispose();
            }
            catch (OperationCanceledException)
            {
                // After the first step, as asked.
            }
        }
    }

    /// <summary>Lets the peak begin anew; what the process holds now.</summary>
    private static long ResetPeak()
    {
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        File.WriteAllText("/proc/self/clear_refs", "5");
        return Read("VmRSS:");
    }

    private static long Read(string name)
        => 1024 * long.Parse(File.ReadLines("/proc/self/status").First(line => line.StartsWith(name, StringComparison.Ordinal)).Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
}
