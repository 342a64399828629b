using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Contrastive.Benchmarks;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>What docs/reliability.md promises, tried for as long as one likes; each verb returns 0 only where all held.</summary>
internal static class Endurance
{
    private const string Help = """
        Usage: dotnet run -c Release --project benchmarks -- endurance [verb] [options]
          all            the four below, one after the other; the default
          kills          SIGKILL at random moments and in the middle of a checkpoint's writing [--kills N] [--methods A,B] [--seed S]
          memory         tensors and memory over long training and transforming [--steps N] [--batches N] [--methods A,B]
          mutations      mutated files against every reader [--mutations N] [--seed S] [--reader NAME [--index I]] [--report FOLDER]
          big            more pictures than the memory budget holds: needs 12.3 GB of disk [--rows N] [--steps N] [--rounds N]
        """;

    private static readonly string[] s_parts = ["kills", "memory", "mutations", "big"];

    public static int Run(string[] args)
    {
        switch (args)
        {
            case [] or ["all"]:
                return s_parts.Max(RunAlone);
            case ["kills", .. string[] options]:
                return Kills.Run(Option(options, "--methods")?.Split(',') ?? KilledRun.Names, Number(options, "--kills", 20), Number(options, "--seed", 1)) ? 0 : 1;
            case ["memory", .. string[] options]:
                return LongRuns.Run(Methods(options), Number(options, "--steps", 5_000), Number(options, "--batches", 20_000)) ? 0 : 1;
            case ["mutations", .. string[] options]:
                return MutationRun.Run(options);
            case ["big", .. string[] options]:
                return BigData.Run(Number(options, "--rows", 1_000_000), Number(options, "--steps", 25), Number(options, "--rounds", 10)) ? 0 : 1;
            case [KilledRun.Verb, string method, string folder]:
                return KilledRun.Run(method, folder);
            case [BigData.Verb, string rows, string steps, string rounds, string where]:
                return BigData.RunOne(Whole(rows), Whole(steps), Whole(rounds), mapped: where == "mapped");
            default:
                Console.Error.WriteLine(Help);
                return 2;
        }
    }

    /// <summary>A part in a process of its own, so that none sees another's memory.</summary>
    private static int RunAlone(string part)
    {
        Console.WriteLine($"{Environment.NewLine}endurance {part}");
        using Process process = Process.Start("dotnet", [typeof(Endurance).Assembly.Location, "endurance", part]);
        process.WaitForExit();
        return process.ExitCode;
    }

    private static string? Option(string[] options, string name) => Array.IndexOf(options, name) is >= 0 and int at && at + 1 < options.Length ? options[at + 1] : null;

    private static int Number(string[] options, string name, int otherwise) => Option(options, name) is { } text ? Whole(text) : otherwise;

    private static int Whole(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static IEnumerable<string> Methods(string[] options) => Option(options, "--methods")?.Split(',') ?? AllMethods.ByName.Keys;
}
