using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>
/// Kills a training process again and again, starts it again with the same checkpoint folder, and holds the last checkpoint,
/// which has every weight, target, queue and optimizer buffer, against an unbroken run's, byte by byte.
/// </summary>
internal static class Kills
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    /// <summary>True when every method came through all kills.</summary>
    /// <param name="methods">Names.</param>
    /// <param name="kills">For each method; every second one is timed while a checkpoint is being written.</param>
    /// <param name="seed">Of the times.</param>
    public static bool Run(IEnumerable<string> methods, int kills, int seed)
    {
        Console.WriteLine($"{"method",-14}{"kills",7}{"in a write",12}{"runs ended",12}{"equal",8}");
        bool all = true;
        foreach (string method in methods)
        {
            DirectoryInfo root = Directory.CreateTempSubdirectory("kills-");
            try
            {
                var (inWrite, ended, equal) = RunOne(method, kills, new Random(seed + method.Sum(letter => letter)), root.FullName);
                all &= ended == equal;
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{method,-14}{kills,7}{inWrite,12}{ended,12}{equal,8}"));
            }
            finally
            {
                root.Delete(recursive: true);
            }
        }
        return all;
    }

    private static (int InWrite, int Ended, int Equal) RunOne(string method, int kills, Random random, string root)
    {
        string unbrokenFolder = Path.Combine(root, "unbroken");
        LiveUntil(method, unbrokenFolder, _ => false);
        byte[] unbroken = Final(unbrokenFolder);

        (int done, int inWrite, int ended, int equal) = (0, 0, 0, 0);
        while (done < kills || ended == 0 || Directory.Exists(Folder()))
        {
            Directory.CreateDirectory(Folder());
            bool wantsWrite = done % 2 == 1;
            // Most lives end some steps on; some before the first, while data and checkpoint are read.
            bool early = random.Next(6) == 0;
            int steps = random.Next(KilledRun.Steps / 3);
            TimeSpan late = TimeSpan.FromMilliseconds(random.Next(20)), earlyLife = TimeSpan.FromMilliseconds(random.Next(2000));
            Func<Life, bool> ends = done >= kills ? _ => false
                : wantsWrite ? life => life.Steps > steps && IsWriting(Folder())
                : early ? life => life.Lived > earlyLife
                : life => life.Steps > steps && life.SinceStep > late;
            if (LiveUntil(method, Folder(), ends))
            {
                done++;
                inWrite += IsWriting(Folder()) ? 1 : 0; // the half file is still there
                continue;
            }
            equal += Final(Folder()).AsSpan().SequenceEqual(unbroken) ? 1 : 0;
            ended++;
        }
        return (inWrite, ended, equal);

        string Folder() => Path.Combine(root, ended.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Starts the program and waits for its end, or for the moment to kill it; true where it was killed.</summary>
    private static bool LiveUntil(string method, string folder, Func<Life, bool> ends)
    {
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [typeof(Kills).Assembly.Location, "endurance", KilledRun.Verb, method, folder])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var life = new Life();
        process.OutputDataReceived += (_, line) => life.Tell(line.Data);
        process.BeginOutputReadLine();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        while (!process.HasExited)
        {
            if (ends(life))
            {
                process.Kill(); // SIGKILL
                process.WaitForExit();
                return process.ExitCode != 0;
            }
            if (life.Lived > s_patience)
            {
                process.Kill();
                throw new InvalidOperationException($"{method} hangs after {s_patience}.");
            }
            Thread.Sleep(TimeSpan.FromMicroseconds(200));
        }
        process.WaitForExit();
        return process.ExitCode == 0 ? false : throw new InvalidOperationException($"{method} ended with {process.ExitCode}: {errors.Result}");
    }

    private static bool IsWriting(string folder) => Directory.Exists(folder) && Directory.EnumerateFiles(folder, "*.tmp").Any();

    private static byte[] Final(string folder) => File.ReadAllBytes(Directory.GetFiles(folder, "*.safetensors").Max(StringComparer.Ordinal)!);

    /// <summary>What is known of a process from outside: each line that it writes is a step.</summary>
    private sealed class Life
    {
        private readonly Stopwatch _lived = Stopwatch.StartNew(), _sinceStep = Stopwatch.StartNew();

        public TimeSpan Lived => _lived.Elapsed;

        /// <summary>Steps done in this life.</summary>
        public int Steps { get; private set; }

        public TimeSpan SinceStep => _sinceStep.Elapsed;

        public void Tell(string? line)
        {
            if (line is null)
                return;
            Steps++;
            _sinceStep.Restart();
        }
    }
}
