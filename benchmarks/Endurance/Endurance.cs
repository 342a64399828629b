using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What docs/reliability.md promises, tried for as long as one likes.</summary>
internal static class Endurance
{
    /// <summary>0 when all that was tried held, 1 when something did not, 2 for arguments that say nothing.</summary>
    public static int Run(string[] args)
    {
        if (args is [KilledRun.Verb, string method, string folder])
            return KilledRun.Run(method, folder);
        if (args is [BigData.Verb, string count, string of, string where])
        {
            BigData.RunOne(int.Parse(count, CultureInfo.InvariantCulture), int.Parse(of, CultureInfo.InvariantCulture), where == "mapped");
            return 0;
        }
        string verb = args is [string first, ..] && !first.StartsWith("--", StringComparison.Ordinal) ? first : "all";
        var options = new Dictionary<string, string>();
        foreach (string[] pair in args.Skip(verb == "all" ? 0 : 1).Chunk(2))
            options[pair[0]] = pair.Length == 2 ? pair[1] : "";
        int Number(string name, int otherwise) => int.Parse(options.GetValueOrDefault(name, otherwise.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
        string[] methods = options.TryGetValue("--methods", out string? names) ? names.Split(',') : [.. AllMethods.ByName.Keys];
        switch (verb)
        {
            case "kills":
                return Kills.Run(methods, Number("--kills", 20), Number("--seed", 1)) ? 0 : 1;
            case "memory":
                return LongRuns.Run(methods, Number("--steps", 5_000), Number("--batches", 20_000)) ? 0 : 1;
            case "big":
                return BigData.Run(Number("--rows", 1_000_000), Number("--steps", 200), Number("--rounds", 2)) ? 0 : 1;
            default:
                return 2;
        }
    }
}
