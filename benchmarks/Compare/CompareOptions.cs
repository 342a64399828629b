namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What the comparison is asked for.</summary>
internal sealed record CompareOptions
{
    public static string Help { get; } = $"""
        Usage: ./build.sh compare [options]
          --only ITEM,...   some items; the default is all: {string.Join(", ", Compare.Items.Select(item => item.Name))}
          --rounds N        rounds of each side; the default is each item's own, 2 to 15
          --quick           two rounds, and the first 20 steps of the epoch
          --threads N       of each side; the default is the processors
          --out FOLDER      for compare.md and compare.json, default artifacts/compare; results that are there are kept, those of --only measured anew
          --no-install      does not install the peers; items whose peer is missing are left out
        """;

    public required IReadOnlyList<Item> Items { get; init; }

    /// <summary>Null for each item's own.</summary>
    public int? Rounds { get; init; }

    public bool Quick { get; init; }

    public int Threads { get; init; } = Environment.ProcessorCount;

    public string Out { get; init; } = Path.Combine("artifacts", "compare");

    public bool Installs { get; init; } = true;

    /// <summary>Items that were named are measured although they have a result.</summary>
    public bool IsNamed { get; init; }

    /// <exception cref="BenchmarkException">An option is unknown or wrong.</exception>
    public static CompareOptions Parse(string[] args)
    {
        var given = new CommandLine(args, Help, ["--only", "--rounds", "--threads", "--out"], "--quick", "--no-install");
        IReadOnlyList<string> only = given.Names("--only", Compare.Items.Select(item => item.Name));
        return new CompareOptions
        {
            Items = [.. Compare.Items.Where(item => only.Contains(item.Name))],
            IsNamed = given.Has("--only"),
            Rounds = given.Whole("--rounds"),
            Quick = given.Has("--quick"),
            Threads = given.Whole("--threads") ?? Environment.ProcessorCount,
            Out = given.Text("--out") ?? Path.Combine("artifacts", "compare"),
            Installs = !given.Has("--no-install"),
        };
    }
}
