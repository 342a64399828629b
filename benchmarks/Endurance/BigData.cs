using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Contrastive.Benchmarks;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>
/// Training on more pictures than the memory budget holds, made as they are read: private memory, and rows a second against
/// training with all in memory. Both trainings are processes of their own that live at once and step in turn, so that what else the
/// machine does meets them alike.
/// </summary>
internal static class BigData
{
    public const string Verb = "big-run";
    private const int Side = 64, Channels = 3, RowBytes = Channels * Side * Side, BatchSize = 128, PrivateLimit = 2_000_000_000;
    private const int WarmUp = 10, Ahead = 5; // views of some steps are ready when a burst begins
    private const double SpeedFloor = 0.8;

    /// <summary>True when both promises held; what could not be tried here is said.</summary>
    public static bool Run(int rows, int steps, int rounds)
    {
        double bytes = (double)rows * RowBytes;
        long free = new DriveInfo(Path.GetTempPath()).AvailableFreeSpace;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{rows} pictures of {Side} x {Side}: {bytes / 1e9:f1} GB in the scratch file; the temporary folder has {free / 1e9:f1} GB free."));
        if (free < bytes * 1.05)
        {
            Console.WriteLine("Not tried: make room, or ask for fewer with --rows N.");
            return true;
        }
        // The other training's pictures need memory beside the system's cache of the file: fewer of them stand for the rate that memory gives.
        double spare = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes * 0.8 - bytes;
        int inMemory = (int)Math.Min(rows, Math.Max(spare, 1e9) / RowBytes);
        Console.WriteLine($"Beside it {inMemory} of them in memory. {rounds} bursts of {steps} steps of {BatchSize} each, in turn.");

        using var mapped = new Training(rows, steps + Ahead, rounds, mapped: true);
        using var memory = new Training(inMemory, steps + Ahead, rounds, mapped: false);
        (_, _) = (mapped.Next(), memory.Next()); // both have warmed up
        var ratios = new List<double>();
        long largest = 0;
        Console.WriteLine($"{"rows/s:",10}{"mapped",10}{"in memory",11}{"ratio",8}{"private MB",12}");
        for (int round = 0; round < rounds; round++)
        {
            // Each goes first in every second round.
            var of = new Dictionary<bool, (double Seconds, long Memory)>();
            foreach (bool file in new[] { round % 2 == 0, round % 2 != 0 })
                of[file] = (file ? mapped : memory).Go();
            (double seconds, long bytesHeld) = of[true];
            double others = of[false].Seconds;
            ratios.Add(others / seconds);
            largest = Math.Max(largest, bytesHeld);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{"",10}{steps * BatchSize / seconds,10:f0}{steps * BatchSize / others,11:f0}{others / seconds,8:f2}{largest / 1e6,12:f0}"));
        }
        ratios.Sort();
        double median = (ratios[(rounds - 1) / 2] + ratios[rounds / 2]) / 2;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"mapped / in memory, rows a second: median {median:f2}, from {ratios[0]:f2} to {ratios[^1]:f2}; most private memory when mapped: {largest / 1e6:f0} MB"));
        return median >= SpeedFloor && largest < PrivateLimit;
    }

    /// <summary>One training: waits for a line before each burst, and then writes its seconds and the most private memory so far.</summary>
    public static int RunOne(int rows, int steps, int rounds, bool mapped)
    {
        var ml = new MLContext(1);
        long largest = 0;
        var clock = new Stopwatch();
        using var timer = new Timer(_ => largest = Math.Max(largest, ProcessMemory.Now()), null, 0, 100);
        var options = new TrainingOptions
        {
            Steps = WarmUp + steps * rounds, BatchSize = BatchSize, ReportEvery = 1, MemoryBudget = mapped ? 1 << 28 : long.MaxValue,
            Progress = new OnProgress(report =>
            {
                long into = report.Step - WarmUp;
                if (into >= 0 && into % steps == 0)
                {
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalSeconds} {largest}"));
                    clock.Reset();
                    if (into < (long)steps * rounds)
                        Console.ReadLine();
                }
                else if (into > 0 && into % steps == Ahead)
                    clock.Start();
            }),
        };
        using var encoder = ml.Transforms.ContrastivePretrain("Features", "Image", new SimClrV1(), ImageEncoder.SmallConvNet(16), options, new ImageShape(Side, Side, Channels))
            .Fit(MadePictures.Endless(ml, rows, Side, Channels));
        return 0;
    }

    /// <summary>The process of <see cref="RunOne"/>, from outside.</summary>
    private sealed class Training : IDisposable
    {
        private readonly Process _process;

        public Training(int rows, int steps, int rounds, bool mapped)
        {
            static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
            _process = Process.Start(new ProcessStartInfo(
                "dotnet", [typeof(BigData).Assembly.Location, "endurance", Verb, Text(rows), Text(steps), Text(rounds), mapped ? "mapped" : "memory"])
            {
                RedirectStandardOutput = true, RedirectStandardInput = true,
            })!;
        }

        public (double Seconds, long Memory) Go()
        {
            _process.StandardInput.WriteLine();
            return Next();
        }

        public (double Seconds, long Memory) Next()
        {
            string line = _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("A training ended before its time.");
            string[] figures = line.Split(' ');
            return (double.Parse(figures[0], CultureInfo.InvariantCulture), long.Parse(figures[1], CultureInfo.InvariantCulture));
        }

        public void Dispose()
        {
            _process.Kill();
            _process.Dispose();
        }
    }
}
