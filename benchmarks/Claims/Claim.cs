namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>A statement about what works and why, as an experiment: what is trained, and which outcomes speak for it.</summary>
/// <param name="Name">As it is asked for.</param>
/// <param name="Statement">What is claimed, in a sentence.</param>
internal sealed record Claim(string Name, string Statement)
{
    /// <summary>Who says so.</summary>
    public required string Source { get; init; }

    /// <summary>What is compared. All of one length see as many examples, in the same order, from the same start.</summary>
    public required IReadOnlyList<Arm> Arms { get; init; }

    /// <summary>What must come out if the statement is true.</summary>
    public required IReadOnlyList<Comparison> Comparisons { get; init; }

    /// <summary>What is shown of each arm; the first is drawn.</summary>
    public required IReadOnlyList<Figure> Figures { get; init; }

    /// <summary>In what the experiment is another than the paper's.</summary>
    public required string Differs { get; init; }

    /// <summary>Figures that are drawn against each other, with lines from arm to arm; null for bars of the first figure.</summary>
    public (Figure Across, Figure Up)? Path { get; init; }

    /// <summary>Its arms as a table of the first figure; null where they are no matrix.</summary>
    public ArmMatrix? Matrix { get; init; }
}

/// <summary>Arms by two things that they are made of.</summary>
/// <param name="Caption">What the table shows.</param>
/// <param name="Rows">Their names.</param>
/// <param name="Columns">Their names.</param>
/// <param name="Arms">By row and column, each cell's arm by its label; an arm may stand in several.</param>
internal sealed record ArmMatrix(string Caption, IReadOnlyList<string> Rows, IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Arms);

/// <summary>That one arm's figure lies above another's.</summary>
/// <param name="Figure">The figure of the first arm.</param>
/// <param name="Above">Label of the arm that should have the higher one.</param>
/// <param name="Below">Label of the arm that should have the lower one; may be the same arm where <see cref="BelowFigure"/> is set.</param>
internal sealed record Comparison(Figure Figure, string Above, string Below)
{
    /// <summary>The figure of the second arm; null for the same.</summary>
    public Figure? BelowFigure { get; init; }

    /// <summary>In words.</summary>
    public override string ToString() => BelowFigure is null ? $"{Figure.Name}: {Above} above {Below}"
        : Above == Below ? $"{Above}: {Figure.Name} above {BelowFigure.Name}" : $"{Figure.Name} of {Above} above {BelowFigure.Name} of {Below}";
}

/// <summary>Something that is measured of a run.</summary>
/// <param name="Key">Its name in files.</param>
/// <param name="Name">Its name in words.</param>
/// <param name="Factor">What it is multiplied with where it is shown.</param>
/// <param name="Digits">How many digits it is shown with.</param>
internal sealed record Figure(string Key, string Name, double Factor = 1, int Digits = 3)
{
    public static readonly Figure
        Knn = new("knn", "kNN, %", 100, 1),
        Linear = new("linear", "linear probe, %", 100, 1),
        FewLabels = new("fewLabels", "linear probe on 5 % of the labels, %", 100, 1),
        Deviation = new("deviation", "deviation of the features"),
        Projection = new("projection", "deviation of what the loss sees, at the end"),
        Rank = new("rank", "effective rank", 1, 1),
        GradientMean = new("gradientMean", "mean gradient of the patches' layer, x 1,000", 1000, 2),
        GradientPeak = new("gradientPeak", "largest gradient of the patches' layer, x 1,000", 1000, 2),
        LastGradientPeak = new("lastGradientPeak", "largest gradient of the last block, x 1,000", 1000, 2),
        Sts = new("sts", "STS, Spearman x 100", 1, 2),
        Alignment = new("alignment", "alignment"),
        Uniformity = new("uniformity", "uniformity"),
        ErrorAlike = new("errorAlike", "cosine less gold, like lengths"),
        ErrorUnlike = new("errorUnlike", "cosine less gold, unlike lengths"),
        LengthGap = new("lengthGap", "error of like less unlike lengths"),
        Bare = new("bare", "bare word, %", 100, 1),
        Template = new("template", "one template, %", 100, 1),
        Ensemble = new("ensemble", "ensemble, %", 100, 1),
        Seen = new("seen", "classes in training captions, %", 100, 1),
        Unseen = new("unseen", "classes never seen, %", 100, 1);

    public string Text(double value) => (Factor * value).ToString("f" + Digits, System.Globalization.CultureInfo.InvariantCulture);
}
