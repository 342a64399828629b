using System.Globalization;

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

    /// <exception cref="CompareException">An option is unknown or wrong.</exception>
    public static CompareOptions Parse(string[] args)
    {
        var options = new CompareOptions { Items = Compare.Items };
        var rest = new Queue<string>(args);
        while (rest.TryDequeue(out string? name))
            options = name switch
            {
                "--quick" => options with { Quick = true },
                "--no-install" => options with { Installs = false },
                "--rounds" => options with { Rounds = Number(name) },
                "--threads" => options with { Threads = Number(name) },
                "--out" => options with { Out = Value(name) },
                "--only" => options with { Items = [.. Value(name).Split(',', StringSplitOptions.TrimEntries).Select(Named)], IsNamed = true },
                _ => throw new CompareException($"'{name}' is no option of the comparison.\n{Help}"),
            };
        return options;

        string Value(string name) => rest.TryDequeue(out string? value) ? value : throw new CompareException($"{name} needs a value.");

        int Number(string name) => Value(name) is var text && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value is >= 1 and <= 1000
            ? value
            : throw new CompareException($"{name} needs a whole number from 1 to 1000, not '{text}'.");

        static Item Named(string name) => Compare.Items.FirstOrDefault(item => item.Name == name)
            ?? throw new CompareException($"--only: '{name}' is none of {string.Join(", ", Compare.Items.Select(item => item.Name))}.");
    }
}
