using System.Diagnostics;
using System.Globalization;
using FewLabels;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Every method with one encoder, one budget and one list of seeds, in one table. Each run is a process, so that its memory is its own.</summary>
internal static class Survey
{
    private const string OneRun = "run";

    /// <summary>0 when all runs ended and the frozen encoder gained nothing, 1 otherwise, 2 where the options are wrong.</summary>
    public static int Run(string[] args)
    {
        try
        {
            if (args is [OneRun, string method, string seed, .. string[] others])
            {
                new SurveyRun(SurveyOptions.Parse(others), method, int.Parse(seed, CultureInfo.InvariantCulture)).Run();
                return 0;
            }
            return RunAll(SurveyOptions.Parse(args), args);
        }
        catch (Exception error) when (error is BenchmarkException or DataException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(error.Message);
            return error is BenchmarkException ? 2 : 1;
        }
    }

    private static int RunAll(SurveyOptions options, string[] args)
    {
        Directory.CreateDirectory(Path.Combine(options.Out, "runs"));
        KeptRuns<SurveyRow> runs = options.Runs;
        string[] order = [SurveyOptions.Raw, SurveyOptions.Untrained, SurveyOptions.Frozen, .. AllMethods.ByName.Keys];
        SurveyRow[] rows = runs.ReadAll(order, []);
        bool allEnded = true;
        foreach (int seed in Enumerable.Range(1, options.Seeds))
        {
            foreach (string method in options.Methods)
            {
                if (method == SurveyOptions.Raw && seed > 1)
                    continue; // pixels know no seed
                SurveyRow? row = runs.Read(method, seed);
                string how = "kept";
                if (row is null)
                {
                    Console.WriteLine($"{method}, seed {seed} ...");
                    int exitCode = StartOne(method, seed, args);
                    if (exitCode == 2)
                        return 2; // what is wrong with the options or the pictures is wrong for all
                    row = exitCode == 0 ? runs.Read(method, seed) : null;
                    how = $"ended with {exitCode}";
                }
                allEnded &= row is not null;
                if (row is not null)
                {
                    rows = runs.ReadAll(order, []); // with those of other calls
                    SurveyTable.Write(options, rows); // what is there can be read while the others run
                }
                Console.WriteLine($"{method}, seed {seed}: {(row is null || how == "kept" ? how + (row is null ? "" : ", ") : "")}{(row is null ? "" : SurveyTable.Line(row))}");
            }
        }
        string? gain = SurveyTable.FrozenGain(rows);
        if (gain is not null)
            Console.Error.WriteLine(gain);
        Console.WriteLine($"{Path.Combine(options.Out, "survey.md")} and survey.json have {rows.Length} runs.");
        return allEnded && gain is null ? 0 : 1;
    }

    private static int StartOne(string method, int seed, string[] args)
    {
        using Process process = Process.Start(
            "dotnet", [typeof(Survey).Assembly.Location, "survey", OneRun, method, seed.ToString(CultureInfo.InvariantCulture), .. args]);
        process.WaitForExit();
        return process.ExitCode;
    }
}
