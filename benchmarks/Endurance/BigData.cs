using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Contrastive.Benchmarks;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>
/// Training on more pictures than the memory budget holds, made as they are read: private memory, and rows a second against
/// the same with all in memory. Each run is a process of its own, in turn.
/// </summary>
internal static class BigData
{
    public const string Verb = "big-run";
    private const int Side = 64, Channels = 3, BatchSize = 128, PrivateLimit = 2_000_000_000, WarmUp = 20;
    private const double SpeedFloor = 0.8;

    /// <summary>True when both promises held; what could not be tried here is said.</summary>
    public static bool Run(int rows, int steps, int rounds)
    {
        double bytes = (double)rows * Channels * Side * Side;
        string folder = Path.GetTempPath();
        long free = new DriveInfo(folder).AvailableFreeSpace;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{rows} pictures of {Side} x {Side}: {bytes / 1e9:f1} GB in the scratch file; the temporary folder has {free / 1e9:f1} GB free."));
        if (free < bytes * 1.05)
        {
            Console.WriteLine("Not tried: make room, or ask for fewer with --rows N.");
            return true;
        }
        // What is in memory needs memory: where there is too little for all, fewer rows stand for the rate that memory gives.
        double available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes * 0.7;
        int inMemory = (int)Math.Min(rows, available / (Channels * Side * Side));
        Console.WriteLine($"In memory for comparison: {inMemory} of them.");
        Console.WriteLine($"{"",-10}{"pictures",10}{"rows/s",10}{"private MB",12}");
        var rates = new Dictionary<bool, List<double>> { [false] = [], [true] = [] };
        long largest = 0;
        for (int round = 0; round < rounds; round++)
            foreach (bool mapped in new[] { true, false })
            {
                (double rate, long memory) = Child(mapped ? rows : inMemory, steps, mapped);
                rates[mapped].Add(rate);
                largest = mapped ? Math.Max(largest, memory) : largest;
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(mapped ? "mapped" : "in memory"),-10}{(mapped ? rows : inMemory),10}{rate,10:f0}{memory / 1e6,12:f0}"));
            }
        double ratio = Median(rates[true]) / Median(rates[false]);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"mapped / in memory, medians: {ratio:f2}; largest private memory when mapped: {largest / 1e6:f0} MB"));
        return ratio >= SpeedFloor && largest < PrivateLimit;
    }

    /// <summary>One training: prints rows a second after the first steps, and the largest private memory seen.</summary>
    public static int RunOne(int rows, int steps, bool mapped)
    {
        var ml = new MLContext(1);
        long largest = 0;
        var clock = new Stopwatch();
        using var timer = new Timer(_ => largest = Math.Max(largest, ProcessMemory.Now()), null, 0, 100);
        var options = new TrainingOptions
        {
            Steps = WarmUp + steps, BatchSize = BatchSize, ReportEvery = 1, MemoryBudget = mapped ? 1 << 28 : long.MaxValue,
            Progress = new At(step =>
            {
                if (step == WarmUp)
                    clock.Start();
                else if (step == WarmUp + steps)
                    clock.Stop();
            }),
        };
        using var encoder = ml.Transforms.ContrastivePretrain("Features", "Image", new SimClrV1(), ImageEncoder.SmallConvNet(16), options, new ImageShape(Side, Side, Channels))
            .Fit(MadePictures.Endless(ml, rows, Side, Channels));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{steps * BatchSize / clock.Elapsed.TotalSeconds} {largest}"));
        return 0;
    }

    private static (double Rate, long Memory) Child(int rows, int steps, bool mapped)
    {
        string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
        using Process process = Process.Start(new ProcessStartInfo(
            "dotnet", [typeof(BigData).Assembly.Location, "endurance", Verb, Text(rows), Text(steps), mapped ? "mapped" : "memory"]) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"Training on {rows} pictures ended with {process.ExitCode}.");
        string[] figures = output.Trim().Split('\n')[^1].Split(' ');
        return (double.Parse(figures[0], CultureInfo.InvariantCulture), long.Parse(figures[1], CultureInfo.InvariantCulture));
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private sealed class At(Action<int> act) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => act((int)value.Step);
    }
}
