using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What a comparison, or a whole claim, came to.</summary>
internal enum Verdict
{
    /// <summary>The mean difference lies two standard errors or more above 0.</summary>
    Holds,

    /// <summary>Two or more below.</summary>
    DoesNotHold,

    /// <summary>Neither; always where there is one seed, which has no error.</summary>
    CannotBeTold,
}

/// <summary>Differences of two arms over the seeds that both ran with: each seed's pair had the same start and the same order of examples.</summary>
/// <param name="Seeds">Pairs.</param>
/// <param name="Mean">Of the differences.</param>
/// <param name="StandardError">Of that mean: the differences' deviation by the root of their number. Null for a single one.</param>
internal sealed record PairedDifference(int Seeds, double Mean, double? StandardError)
{
    private const double Errors = 2;

    /// <param name="above">Values of the arm that should be higher.</param>
    /// <param name="below">The other's, of the same seeds in the same order; at least one.</param>
    public static PairedDifference Of(IReadOnlyList<double> above, IReadOnlyList<double> below)
    {
        if (above.Count != below.Count || above.Count == 0)
            throw new ArgumentException($"Pairs need as many values on both sides, at least one: there are {above.Count} and {below.Count}.", nameof(below));
        double[] differences = [.. above.Zip(below, (one, other) => one - other)];
        (double mean, double? error) = MeanAndError(differences);
        return new PairedDifference(differences.Length, mean, error);
    }

    /// <summary>The mean, and its standard error where there are two values or more.</summary>
    public static (double Mean, double? StandardError) MeanAndError(IReadOnlyList<double> values)
    {
        double mean = values.Average();
        return (mean, values.Count < 2 ? null : Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1) / values.Count));
    }

    /// <summary>By two standard errors.</summary>
    public Verdict Verdict => StandardError is not { } error || Mean == 0 ? Verdict.CannotBeTold
        : Mean >= Errors * error ? Verdict.Holds
        : Mean <= -Errors * error ? Verdict.DoesNotHold : Verdict.CannotBeTold;

    /// <summary>+1.20 ± 0.31 (3 seeds).</summary>
    public string Text(Figure figure)
    {
        string mean = (Mean >= 0 ? "+" : "") + figure.Text(Mean);
        return StandardError is { } error ? string.Create(CultureInfo.InvariantCulture, $"{mean} ± {figure.Text(error)} ({Seeds} seeds)") : $"{mean} (one seed)";
    }
}

internal static class Verdicts
{
    /// <summary>A claim holds where all its comparisons do, and does not where one does not.</summary>
    public static Verdict Together(IReadOnlyCollection<Verdict> comparisons) => comparisons.Contains(Verdict.DoesNotHold) ? Verdict.DoesNotHold
        : comparisons.Count > 0 && comparisons.All(each => each == Verdict.Holds) ? Verdict.Holds : Verdict.CannotBeTold;

    public static string Text(this Verdict verdict) => verdict switch
    {
        Verdict.Holds => "holds",
        Verdict.DoesNotHold => "does not hold here",
        _ => "can't be told at this size",
    };
}
