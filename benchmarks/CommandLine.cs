using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What was asked for can't be done; the message says why.</summary>
internal sealed class BenchmarkException(string message) : Exception(message);

/// <summary>A benchmark's options, given as --name value, and its flags, as --name alone.</summary>
internal sealed class CommandLine
{
    private const int Largest = 1_000_000;

    private readonly Dictionary<string, string> _given = [];
    private readonly string _help;

    /// <param name="args">As they were typed.</param>
    /// <param name="help">Shown where an option is unknown or --out is missing.</param>
    /// <param name="named">Options that take a value.</param>
    /// <param name="flags">Those that take none.</param>
    /// <exception cref="BenchmarkException">One is unknown, or has no value.</exception>
    public CommandLine(string[] args, string help, IReadOnlyCollection<string> named, params string[] flags)
    {
        _help = help;
        for (int i = 0; i < args.Length; i++)
        {
            if (flags.Contains(args[i]))
                _given[args[i]] = "";
            else if (!named.Contains(args[i]))
                throw new BenchmarkException($"'{args[i]}' is no option here.\n{help}");
            else
                _given[args[i]] = ++i < args.Length ? args[i] : throw new BenchmarkException($"{args[i - 1]} needs a value.");
        }
    }

    /// <summary>The value of --out, which all need.</summary>
    public string Out => Text("--out") ?? throw new BenchmarkException($"--out is missing.\n{_help}");

    /// <summary>--precision.</summary>
    public Precision Precision => Text("--precision") is not { } text ? Precision.Single
        : Enum.TryParse(text, ignoreCase: true, out Precision precision) && Enum.IsDefined(precision) ? precision
        : throw new BenchmarkException($"--precision is single or bfloat16, not '{text}'.");

    public bool Has(string name) => _given.ContainsKey(name);

    public string? Text(string name) => _given.GetValueOrDefault(name);

    /// <summary>Names with commas between them; all that are known where none is given.</summary>
    public IReadOnlyList<string> Names(string name, IEnumerable<string> known)
    {
        string[] all = [.. known], chosen = Text(name)?.Split(',', StringSplitOptions.TrimEntries) ?? all;
        return chosen.FirstOrDefault(each => !all.Contains(each)) is { } unknown
            ? throw new BenchmarkException($"{name}: '{unknown}' is none of {string.Join(", ", all)}.")
            : chosen;
    }

    /// <summary>A file that is there.</summary>
    public string? File(string name) => Text(name) is { } file && !System.IO.File.Exists(file) ? throw new BenchmarkException($"{name}: there is no file '{file}'.") : Text(name);

    public int? Whole(string name) => Text(name) is not { } text ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value is >= 1 and <= Largest ? value
        : throw new BenchmarkException($"{name} needs a whole number from 1 to 1,000,000, not '{text}'.");

    public double? Number(string name) => Text(name) is not { } text ? null
        : double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) && value is > 0 and <= Largest ? value
        : throw new BenchmarkException($"{name} needs a number above 0, not '{text}'.");

    /// <summary>Options of which all are given or none.</summary>
    /// <returns>Whether they are.</returns>
    public bool Together(params string[] names) => names.Count(Has) is var count && (count == 0 || count == names.Length) ? count > 0
        : throw new BenchmarkException($"{string.Join(", ", names[..^1])} and {names[^1]} go together.");
}
