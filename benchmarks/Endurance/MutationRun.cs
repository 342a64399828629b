using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.ML.Contrastive.Benchmarks;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>
/// Mutated files against every reader, counted. A file that does harm is written beside the report with the seed and the index that
/// make it again; what ends or hangs the process is found in the file position.txt.
/// </summary>
internal static class MutationRun
{
    // A hang is ended by this: the thread that reads can't judge itself.
    private const int HangSeconds = 120;

    /// <summary>Parts of the whole that a reader gets: more where it is quick, as a zip takes some milliseconds.</summary>
    private static long PartsOf(HostileReader reader) => reader.Name switch
    {
        "safetensors" or "safetensors-unseekable" => 25,
        "manifest" => 20,
        _ => 15,
    };

    public static int Run(string[] args)
    {
        string? Option(string name) => Array.IndexOf(args, name) is >= 0 and int i && i + 1 < args.Length ? args[i + 1] : null;
        long Number(string name, long standard) => Option(name) is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : standard;
        long total = Number("--mutations", 100_000), only = Number("--index", -1);
        ulong seed = (ulong)Number("--seed", 1);
        string folder = Directory.CreateDirectory(Option("--report") ?? Path.Combine("artifacts", "endurance")).FullName;

        DirectoryInfo work = Directory.CreateTempSubdirectory("hostile");
        try
        {
            HostileReader[] readers = HostileReaders.All(SavedModel(), work.FullName);
            long parts = readers.Sum(PartsOf);
            var report = new StringBuilder();
            bool failed = false;
            foreach (HostileReader reader in readers.Where(reader => Option("--reader") is not { } name || reader.Name == name))
            {
                reader.Read(reader.Valid); // what isn't changed is accepted; and what runs once only is not counted
                long count = (total * PartsOf(reader) + parts - 1) / parts; // no fewer than asked for
                failed |= only < 0 ? RunReader(reader, seed, 0, count, folder, report) : RunReader(reader, seed, (ulong)only, 1, folder, report);
            }
            File.WriteAllText(Path.Combine(folder, "mutations.txt"), report.ToString());
            return failed ? 1 : 0;
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    private static bool RunReader(HostileReader reader, ulong seed, ulong first, long count, string folder, StringBuilder report)
    {
        var results = new SortedDictionary<string, long>(StringComparer.Ordinal);
        (double Value, ulong Index) slowest = default;
        (long Value, ulong Index) managed = default, resident = default;
        long faults = 0, started = Stopwatch.GetTimestamp();
        string place = $"{reader.Name}, seed {seed}";
        using var position = new FileStream(Path.Combine(folder, "position.txt"), FileMode.Create, FileAccess.Write, FileShare.Read);
        ulong current = first;
        using var watch = new Timer(_ => EndHang(reader, seed, Interlocked.Read(ref current), folder));
        for (ulong index = first; index < first + (ulong)count; index++)
        {
            byte[] file = reader.Make(seed, index);
            Interlocked.Exchange(ref current, index);
            RandomAccess.Write(position.SafeFileHandle, Encoding.ASCII.GetBytes($"{place}, index {index,-20}\n"), 0);
            watch.Change(HangSeconds * 1000, Timeout.Infinite);
            HostileOutcome outcome = reader.Try(file);
            watch.Change(Timeout.Infinite, Timeout.Infinite);

            results[outcome.Result] = results.GetValueOrDefault(outcome.Result) + 1;
            slowest = outcome.Seconds > slowest.Value ? (outcome.Seconds, index) : slowest;
            managed = outcome.Managed > managed.Value ? (outcome.Managed, index) : managed;
            resident = outcome.Resident > resident.Value ? (outcome.Resident, index) : resident;
            if (outcome.Fault is null)
                continue;
            faults++;
            string path = Path.Combine(folder, $"{reader.Name}-{seed}-{index}.bin");
            File.WriteAllBytes(path, file);
            if (faults <= 20)
                Write($"FAULT {place}, index {index}: {outcome.Fault}\n  kept as {Path.GetFileName(path)}; again: endurance mutations --reader {reader.Name} --seed {seed} --index {index}");
        }
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        Write(string.Create(CultureInfo.InvariantCulture, $"""
            {place}: {count:n0} mutations of a file of {reader.Valid.Length:n0} bytes in {seconds:f0} s; {faults} faults
              {string.Join("\n  ", results.Select(result => string.Create(CultureInfo.InvariantCulture, $"{result.Value,8:n0} {result.Key}")))}
              slowest {slowest.Value * 1000:f1} ms (index {slowest.Index}); most managed bytes {managed.Value:n0} (index {managed.Index}); resident memory rose most by {resident.Value:n0} (index {resident.Index})
            """));
        return faults > 0;

        void Write(string text)
        {
            Console.WriteLine(text);
            report.AppendLine(text);
        }
    }

    private static void EndHang(HostileReader reader, ulong seed, ulong index, string folder)
    {
        Console.Error.WriteLine($"HANG {reader.Name}, seed {seed}, index {index}: no end after {HangSeconds} s");
        File.WriteAllBytes(Path.Combine(folder, $"{reader.Name}-{seed}-{index}.bin"), reader.Make(seed, index));
        Environment.Exit(1);
    }

    private static byte[] SavedModel()
    {
        const int side = 16;
        var ml = new MLContext(1);
        IDataView data = MadePictures.View(ml, 40, side, 1);
        using var model = ml.Transforms.ContrastivePretrain(
                "Features", "Image", new SimClrV1(), ImageEncoder.SmallConvNet(4), new TrainingOptions { Steps = 1, BatchSize = 32 }, new ImageShape(side, side, 1))
            .Append(ml.Transforms.CopyColumns("Copy", "Features")).Fit(data);
        using var stream = new MemoryStream();
        ml.Model.Save(model, data.Schema, stream);
        return stream.ToArray();
    }
}
