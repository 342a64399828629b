namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>One row of the comparison: a piece of work that the library and a peer do in turn.</summary>
/// <param name="Name">Names it in options and results.</param>
/// <param name="What">The work and its shapes.</param>
/// <param name="Against">The peer.</param>
/// <param name="Unit">What one second count is of, such as "step".</param>
/// <param name="Floor">Ratio peer / ours that must be reached; above 1 ours is faster.</param>
/// <param name="Aim">Ratio that is aimed at.</param>
/// <param name="Rounds">Rounds of each side.</param>
/// <param name="Open">Prepares both sides.</param>
internal sealed record Item(string Name, string What, string Against, string Unit, double Floor, double Aim, int Rounds, Func<Workshop, Contest> Open);

/// <summary>Both sides of an item, ready to run.</summary>
internal sealed class Contest : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    /// <summary>One round of ours: seconds per unit.</summary>
    public required Func<double> Ours { get; init; }

    /// <summary>One round of the peer's: seconds per unit.</summary>
    public required Func<double> Theirs { get; init; }

    /// <summary>Whether both compute the same; looked at before the rounds, or behind them.</summary>
    public required Check Check { get; init; }

    /// <summary>Threads of each side.</summary>
    public required int Threads { get; init; }

    /// <summary>Libraries of the peer.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; init; } = new Dictionary<string, string>();

    /// <summary>Floating-point operations of one unit; null where they say nothing.</summary>
    public double? Operations { get; init; }

    /// <summary>Disposes something when both sides are done; the last first.</summary>
    public Contest Owning(params IEnumerable<IDisposable> owned)
    {
        _owned.AddRange(owned);
        return this;
    }

    public void Dispose()
    {
        foreach (IDisposable each in Enumerable.Reverse(_owned))
            each.Dispose();
    }
}

/// <summary>How far the two sides' results are apart, and how far they may be.</summary>
/// <param name="What">What is compared.</param>
/// <param name="Limit">The most.</param>
/// <param name="Difference">Computes it on both sides.</param>
/// <param name="AfterRounds">True where the rounds themselves leave what is compared.</param>
internal sealed record Check(string What, double Limit, Func<double> Difference, bool AfterRounds = false)
{
    /// <summary>The largest difference of two lists, relative to max(1, |theirs|).</summary>
    public static double Largest(IReadOnlyList<double> ours, IReadOnlyList<double> theirs) => ours.Count != theirs.Count
        ? double.PositiveInfinity
        : ours.Zip(theirs, (a, b) => Math.Abs(a - b) / Math.Max(1, Math.Abs(b))).Aggregate(0.0, (most, each) => double.IsNaN(each) ? double.PositiveInfinity : Math.Max(most, each));

    /// <summary>1 - the smallest cosine of rows of so many numbers.</summary>
    public static double FarthestRow(IReadOnlyList<double> ours, IReadOnlyList<double> theirs, int width)
    {
        if (ours.Count != theirs.Count || ours.Count % width != 0)
            return double.PositiveInfinity;
        double least = 1;
        for (int start = 0; start < ours.Count; start += width)
        {
            double product = 0, a = 0, b = 0;
            for (int i = start; i < start + width; i++)
                (product, a, b) = (product + ours[i] * theirs[i], a + ours[i] * ours[i], b + theirs[i] * theirs[i]);
            least = Math.Min(least, product / Math.Sqrt(a * b));
        }
        return double.IsNaN(least) ? double.PositiveInfinity : 1 - least;
    }

    /// <summary>The share of places at which two lists differ.</summary>
    public static double ShareApart(IReadOnlyList<double> ours, IReadOnlyList<double> theirs)
        => ours.Count != theirs.Count ? 1 : ours.Zip(theirs).Count(pair => pair.First != pair.Second) / (double)ours.Count;
}
