using FewLabels;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>The survey's statements, tried: each arm of each claim is trained once a seed, and what came out is weighed.</summary>
internal static class Claims
{
    /// <summary>0 when every run of every claim is there, 1 when data were missing, 2 where the options are wrong.</summary>
    public static int Run(string[] args)
    {
        try
        {
            ClaimsOptions options = ClaimsOptions.Parse(args);
            if (options.List)
            {
                foreach (Claim claim in options.Claims)
                    Console.WriteLine($"{claim.Name,-20}{claim.Statement}");
                return 0;
            }
            Directory.CreateDirectory(Path.Combine(options.Out, "runs"));
            return RunAll(options, new ClaimsData(options)) ? 0 : 1;
        }
        catch (Exception error) when (error is BenchmarkException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(error.Message);
            return error is BenchmarkException ? 2 : 1;
        }
    }

    /// <summary>The first seed of all claims before the second of any: a run that is stopped has something of each.</summary>
    private static bool RunAll(ClaimsOptions options, ClaimsData data)
    {
        var leftOut = new HashSet<string>();
        foreach (int seed in Enumerable.Range(1, options.PageOnly ? 0 : options.Seeds))
        {
            foreach (Claim claim in options.Claims.Where(claim => !leftOut.Contains(claim.Name)))
            {
                Try(claim.Name, () =>
                {
                    foreach (Arm arm in ClaimOutcome.ArmsOf(claim, options))
                        Make(options, data, claim, arm, seed);
                });
                ClaimsReport.Write(options, Outcomes(options)); // what is there can be read while the others run
            }
        }
        if (!options.PageOnly && options.Claims.Any(claim => !leftOut.Contains(claim.Name) && claim.Arms[0] is PictureArm))
            Try("showcase", () => Showcase.Make(options, data));
        ClaimOutcome[] outcomes = Outcomes(options);
        ClaimsReport.Write(options, outcomes);
        foreach (ClaimOutcome outcome in outcomes)
            Console.WriteLine(ClaimsReport.Plain(outcome));
        Console.WriteLine($"{Path.Combine(options.Out, "claims.md")}, .json and .html have {outcomes.Length} claims.");
        return leftOut.Count == 0;

        void Try(string name, Action run)
        {
            try
            {
                run();
            }
            catch (Exception error) when (error is BenchmarkException or DataException or ArgumentException)
            {
                // Data that are not there; or pictures and texts of the user's that an arm can't take, which estimator and Fit say before they train.
                Console.Error.WriteLine($"{name}: left out. {error.Message.ReplaceLineEndings(" ")}");
                leftOut.Add(name);
            }
        }
    }

    private static ClaimOutcome[] Outcomes(ClaimsOptions options) => [.. options.Claims.Select(claim => ClaimOutcome.Read(claim, options))];

    private static void Make(ClaimsOptions options, ClaimsData data, Claim claim, Arm arm, int seed)
    {
        ClaimRow? kept = ClaimRow.Read(options.Out, arm.Setup(options), seed);
        ClaimRow row = kept ?? arm.Run(data, seed);
        if (kept is null)
            row.Write(options.Out);
        string figures = string.Join(", ", claim.Figures.Where(figure => row.Figures.ContainsKey(figure.Key)).Select(figure => $"{figure.Name} {figure.Text(row.Figures[figure.Key])}"));
        Console.WriteLine(FormattableString.Invariant($"{claim.Name}, {arm.Label}, seed {seed}: {(kept is null ? "" : "kept, ")}{figures}, {row.Steps} steps, {row.Seconds:f0} s"));
    }
}
