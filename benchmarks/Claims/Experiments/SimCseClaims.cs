namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Dropout as the only difference of two views.</summary>
internal static class SimCseClaims
{
    private static readonly SimCse s_sameMask = new() { SharesDropout = true };

    public static Claim DropoutAlone => new("simcse-dropout", "Dropout alone is enough to learn sentence embeddings from: some is better than none, and it must differ between the views.")
    {
        Source = "Gao, Yao, Chen 2021, table 3 and section 3",
        Arms =
        [
            new TextArm("p = 0", s_sameMask) { Encoder = Dropping(0) },
            new TextArm("p = 0.05", new SimCse()) { Encoder = Dropping(0.05), InQuick = false },
            new TextArm("p = 0.1", new SimCse()) { Shows = true },
            new TextArm("p = 0.2", new SimCse()) { Encoder = Dropping(0.2), InQuick = false },
            new TextArm("p = 0.1, the same mask twice", s_sameMask),
            new TextArm("start", new SimCse()) { Length = 0 },
        ],
        Comparisons = [new(Figure.Sts, "p = 0.1", "p = 0"), new(Figure.Sts, "p = 0.1", "p = 0.1, the same mask twice"), new(Figure.Sts, "p = 0.1", "start")],
        Figures = [Figure.Sts, Figure.Alignment, Figure.Uniformity],
        Differs = "A transformer of two layers from random weights, minutes of training on the sentences of WordNet, WikiSplit and the triplets; the paper starts from BERT. What dropout must not destroy there, knowledge of words, is hardly there here.",
    };

    public static Claim Supervised => new("simcse-supervised", "Supervised SimCSE, with sentences that follow as positives and contradictions as hard negatives, is above unsupervised.")
    {
        Source = "Gao, Yao, Chen 2021, table 5",
        Arms = [new TextArm("unsupervised", new SimCse()) { Shows = true }, new TextArm("supervised", new SimCse()) { Supervised = true }],
        Comparisons = [new(Figure.Sts, "supervised", "unsupervised")],
        Figures = [Figure.Sts, Figure.Alignment, Figure.Uniformity],
        Differs = "4,820 triplets instead of the paper's 275,000, from random weights, whose sentences are among the unsupervised arm's: equal steps, so that each triplet is seen several times.",
    };

    /// <summary>With a constant rate a run of k steps is the beginning of every longer one, so that an arm for each length is one training as it goes.</summary>
    public static Claim OverTraining => new("simcse-course", "In training, unsupervised SimCSE becomes more uniform and keeps its alignment; with the same mask twice alignment is lost.")
    {
        Source = "Gao, Yao, Chen 2021, section 3, figure 2",
        Arms =
        [
            new TextArm("start", s_steady) { Length = 0 },
            .. from method in new[] { (Name: "dropout", Method: s_steady), (Name: "same mask", Method: s_steady with { SharesDropout = true }) }
               from part in new[] { 8, 4, 2, 1 }
               select new TextArm(At(method.Name, part), method.Method) { Length = 1.0 / part, InQuick = part is 1 or 4 },
        ],
        Comparisons =
        [
            new(Figure.Uniformity, "start", At("dropout", 1)),
            new(Figure.Uniformity, "start", At("same mask", 1)),
            new(Figure.Alignment, At("same mask", 1), At("dropout", 1)),
            new(Figure.Alignment, "start", At("dropout", 1)),
        ],
        Figures = [Figure.Alignment, Figure.Uniformity, Figure.Sts],
        Path = (Figure.Uniformity, Figure.Alignment),
        Differs = "From random weights, and at a constant rate. Lower is better for both; the start's alignment is that of vectors which all point nearly one way: a pretrained encoder has something to keep, a random one has not.",
    };

    private static readonly SimCse s_steady = new() { LearningRate = new(5e-4, Scaling: RateScaling.None) { Schedule = new ConstantRate() } };

    private static TextTransformer Dropping(double share) => new TextArm("", new SimCse()).Encoder with { Dropout = share, AttentionDropout = share };

    private static string At(string method, int part) => part == 1 ? $"{method}, at the end" : $"{method}, after 1/{part}";
}
