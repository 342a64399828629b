using System.Diagnostics;
using FewLabels;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>The survey's statements, tried: each arm of each claim is trained once a seed, and what came out is weighed.</summary>
internal static class Claims
{
    private const string Worker = "work", Taken = ".taken";

    /// <summary>0 when every run of every claim is there, 1 when some are missing, 2 where the options are wrong.</summary>
    public static int Run(string[] args)
    {
        try
        {
            bool works = args is [Worker, ..];
            ClaimsOptions options = ClaimsOptions.Parse(works ? args[1..] : args);
            if (options.List)
            {
                foreach (Claim claim in options.Claims)
                    Console.WriteLine($"{claim.Name,-20}{claim.Statement}");
                return 0;
            }
            Directory.CreateDirectory(Path.Combine(options.Out, "runs"));
            if (!works)
                return RunAll(options, args);
            Work(options, new ClaimsData(options));
            return 0;
        }
        catch (Exception error) when (error is BenchmarkException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(error.Message);
            return error is BenchmarkException ? 2 : 1;
        }
    }

    private static int RunAll(ClaimsOptions options, string[] args)
    {
        _ = new MethodFigures(options); // what --survey and its like name is read before anything is trained
        var data = new ClaimsData(options);
        if (!options.PageOnly)
        {
            foreach ((Claim claim, Arm arm, int seed) in Runs(options))
                if (ClaimRow.Read(options.Out, arm.Setup(options), seed) is { } row)
                    Tell(claim, arm, row, "kept, ");
            if (options.Workers == 1)
                Work(options, data);
            else
            {
                if (options.Claims.Any(claim => claim.Arms[0] is TextArm))
                    Try("texts", () => _ = data.Texts().Texts); // fetched once, not by each worker
                StartWorkers(options.Workers, args);
            }
        }
        ClaimOutcome[] outcomes = Outcomes(options);
        bool shown = options.PageOnly || !outcomes.Any(outcome => outcome.Claim.Arms[0] is PictureArm && outcome.Arms.Any(each => each.Rows.Count > 0)) || Try("showcase", () => Showcase.Make(options, data));
        ClaimsReport.Write(options, outcomes);
        foreach (ClaimOutcome outcome in outcomes)
            Console.WriteLine(ClaimsReport.Plain(outcome));
        int others = Directory.GetFiles(Path.Combine(options.Out, "runs"), "*" + Taken).Count(IsTaken);
        int missing = outcomes.Sum(outcome => outcome.Arms.Sum(each => options.Seeds - each.Rows.Count));
        Console.WriteLine($"{Path.Combine(options.Out, "claims.md")}, .json and .html have {outcomes.Length} claims{(missing > 0 ? $"; {missing} of their runs are missing{(others > 0 ? $", {others} of which another command is making" : "")}" : "")}.");
        return options.PageOnly || (missing == 0 && shown) ? 0 : 1;
    }

    /// <summary>The first seed of all claims before the second of any: a command that is stopped has something of each.</summary>
    private static IEnumerable<(Claim Claim, Arm Arm, int Seed)> Runs(ClaimsOptions options) => from seed in Enumerable.Range(1, options.Seeds)
        from claim in options.Claims from arm in ClaimOutcome.ArmsOf(claim, options) select (claim, arm, seed);

    private static ClaimOutcome[] Outcomes(ClaimsOptions options) => [.. options.Claims.Select(claim => ClaimOutcome.Read(claim, options))];

    /// <summary>Processes that work side by side, each with its share of the processors.</summary>
    private static void StartWorkers(int count, string[] args)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(Claims).Assembly.Location, "claims", Worker, .. args]);
        start.Environment["OMP_NUM_THREADS"] = start.Environment["MKL_NUM_THREADS"] = FormattableString.Invariant($"{Math.Max(1, Environment.ProcessorCount / count)}");
        Process[] workers = [.. Enumerable.Range(0, count).Select(_ => Process.Start(start)!)];
        void End(object? sender, EventArgs e) => Array.ForEach(workers, worker => worker.Kill());
        AppDomain.CurrentDomain.ProcessExit += End;
        foreach (Process worker in workers)
        {
            worker.WaitForExit();
            if (worker.ExitCode != 0)
                Console.Error.WriteLine($"A worker ended with {worker.ExitCode}; what it was making is missing.");
        }
        AppDomain.CurrentDomain.ProcessExit -= End;
        Array.ForEach(workers, worker => worker.Dispose());
    }

    /// <summary>Makes each run that is missing and that no other process is making.</summary>
    private static void Work(ClaimsOptions options, ClaimsData data)
    {
        var leftOut = new HashSet<string>();
        foreach ((Claim claim, Arm arm, int seed) in Runs(options))
        {
            bool isNew = false;
            if (!leftOut.Contains(claim.Name) && !Try(claim.Name, () => isNew = Make(options, data, claim, arm, seed)))
                leftOut.Add(claim.Name);
            if (isNew)
                ClaimsReport.Write(options, Outcomes(options)); // what is there can be read while the others run
        }
    }

    /// <summary>Whether the run was made here and now.</summary>
    private static bool Make(ClaimsOptions options, ClaimsData data, Claim claim, Arm arm, int seed)
    {
        string setup = arm.Setup(options);
        using FileStream? mine = Take(ClaimRow.PathOf(options.Out, setup, seed));
        if (mine is null || ClaimRow.Read(options.Out, setup, seed) is not null)
            return false;
        try
        {
            ClaimRow row = arm.Run(data, seed);
            row.Write(options.Out);
            Tell(claim, arm, row, "");
            return true;
        }
        catch (InvalidOperationException error) // the loss is no number any more, or the features: the other arms go on
        {
            Console.Error.WriteLine(FormattableString.Invariant($"{claim.Name}, {arm.Label}, seed {seed}: no figures. {error.Message.ReplaceLineEndings(" ")}"));
            return false;
        }
    }

    /// <summary>The right to make a file, until it is disposed or the process ends; null while another process has it.</summary>
    private static FileStream? Take(string path)
    {
        try
        {
            return new FileStream(path + Taken, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool IsTaken(string file)
    {
        using FileStream? free = Take(file[..^Taken.Length]);
        return free is null;
    }

    private static void Tell(Claim claim, Arm arm, ClaimRow row, string kept)
    {
        string figures = string.Join(", ", claim.Figures.Where(figure => row.Figures.ContainsKey(figure.Key)).Select(figure => $"{figure.Name} {figure.Text(row.Figures[figure.Key])}"));
        Console.WriteLine(FormattableString.Invariant($"{claim.Name}, {arm.Label}, seed {row.Seed}: {kept}{figures}, {row.Steps} steps, {row.Seconds:f0} s"));
    }

    private static bool Try(string name, Action run)
    {
        try
        {
            run();
            return true;
        }
        catch (Exception error) when (error is BenchmarkException or DataException or ArgumentException)
        {
            // Data that are not there; or pictures and texts of the user's that an arm can't take, which estimator and Fit say before they train.
            Console.Error.WriteLine($"{name}: left out. {error.Message.ReplaceLineEndings(" ")}");
            return false;
        }
    }
}
