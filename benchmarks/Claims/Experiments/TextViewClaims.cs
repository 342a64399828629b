namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Other views of a sentence than dropout's: ESimCSE and ConSERT.</summary>
internal static class TextViewClaims
{
    private const double RepetitionRate = 0.32;
    private static readonly TextAugmentation[] s_kinds = [TextAugmentation.None, TextAugmentation.Shuffle, TextAugmentation.TokenCutoff, TextAugmentation.FeatureCutoff, TextAugmentation.Dropout];

    public static Claim Lengths => new("esimcse-length", "SimCSE finds sentences of like length too similar; repeated words take that away, and a momentum queue adds to it.")
    {
        Source = "Wu et al. 2022, table 1",
        Arms =
        [
            new TextArm("SimCSE", new SimCse()) { Shows = true },
            new TextArm("words repeated", new ESimCse { RepetitionRate = RepetitionRate, QueueLength = 1 }),
            new TextArm("words repeated, momentum queue", new ESimCse { RepetitionRate = RepetitionRate }) { Shows = true },
        ],
        Comparisons =
        [
            new(Figure.ErrorAlike, "SimCSE", "SimCSE") { BelowFigure = Figure.ErrorUnlike },
            new(Figure.LengthGap, "SimCSE", "words repeated"),
            new(Figure.Sts, "words repeated", "SimCSE"),
            new(Figure.Sts, "words repeated, momentum queue", "words repeated"),
        ],
        Figures = [Figure.ErrorAlike, Figure.ErrorUnlike, Figure.LengthGap, Figure.Sts],
        Differs = "From random weights on the sentences of WordNet, WikiSplit and the triplets. The error is the cosine less the gold score divided by the highest; like lengths differ by 3 words at most. Without the queue means a queue of one text.",
    };

    public static Claim Single => new("consert-single", "Of single augmentations shuffled positions help most, then cut tokens, then cut features and dropout, and each more than none.")
    {
        Source = "Yan et al. 2021, figure 4",
        Arms = [.. s_kinds.Select(kind => Arm(kind, TextAugmentation.None))],
        Comparisons =
        [
            Above(TextAugmentation.Shuffle, TextAugmentation.TokenCutoff),
            Above(TextAugmentation.TokenCutoff, TextAugmentation.FeatureCutoff),
            Above(TextAugmentation.TokenCutoff, TextAugmentation.Dropout),
            Above(TextAugmentation.FeatureCutoff, TextAugmentation.None),
            Above(TextAugmentation.Dropout, TextAugmentation.None),
        ],
        Figures = [Figure.Sts, Figure.Alignment, Figure.Uniformity],
        Differs = FromNothing,
    };

    public static Claim Pairs => new("consert-pairs", "The best pair of augmentations is shuffled positions with cut features.")
    {
        Source = "Yan et al. 2021, figure 4",
        Arms = [.. from first in s_kinds from second in s_kinds where first <= second select Arm(first, second) with { InQuick = Matters(first, second), Shows = IsPapers(first, second) }],
        Comparisons =
        [
            .. from first in s_kinds
               from second in s_kinds
               where first <= second && !IsPapers(first, second)
               select new Comparison(Figure.Sts, Label(TextAugmentation.Shuffle, TextAugmentation.FeatureCutoff), Label(first, second)),
        ],
        Matrix = new(
            "STS by the first view (row) and the second (column), the deeper the higher. The objective takes both views alike, so that each pair was run in one order and stands here in both.",
            [.. s_kinds.Select(Name)], [.. s_kinds.Select(Name)], [.. s_kinds.Select(first => (string[])[.. s_kinds.Select(second => Label(first, second))])]),
        Figures = [Figure.Sts, Figure.Alignment, Figure.Uniformity],
        Differs = FromNothing,
    };

    private const string FromNothing = "From random weights on WordNet's sentences instead of BERT's on STS's own. No augmentation at all, and no dropout, still tells texts apart: both views are the same, and the others are negatives.";

    private static bool IsPapers(TextAugmentation first, TextAugmentation second) => (first, second) is (TextAugmentation.Shuffle, TextAugmentation.FeatureCutoff);

    private static bool Matters(TextAugmentation first, TextAugmentation second)
        => IsPapers(first, second) || (first, second) is (TextAugmentation.Shuffle, TextAugmentation.TokenCutoff) or (TextAugmentation.TokenCutoff, TextAugmentation.FeatureCutoff)
            || first == TextAugmentation.None;

    /// <summary>Nothing in both views is a cutoff of no features, which the record's check for equal views lets pass.</summary>
    private static TextArm Arm(TextAugmentation first, TextAugmentation second) => new(Label(first, second), (first, second) is (TextAugmentation.None, TextAugmentation.None)
        ? new ConSert { First = TextAugmentation.FeatureCutoff, Second = TextAugmentation.FeatureCutoff, FeatureCutoffRate = 0 }
        : new ConSert { First = first, Second = second });

    private static Comparison Above(TextAugmentation one, TextAugmentation other) => new(Figure.Sts, Label(one, TextAugmentation.None), Label(other, TextAugmentation.None));

    private static string Label(TextAugmentation first, TextAugmentation second)
    {
        (TextAugmentation lower, TextAugmentation upper) = first <= second ? (first, second) : (second, first);
        return lower == TextAugmentation.None ? Name(upper) : $"{Name(lower)} + {Name(upper)}";
    }

    private static string Name(TextAugmentation kind) => kind switch
    {
        TextAugmentation.None => "none",
        TextAugmentation.Shuffle => "shuffle",
        TextAugmentation.TokenCutoff => "token cutoff",
        TextAugmentation.FeatureCutoff => "feature cutoff",
        _ => "dropout",
    };
}
