namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Where negatives come from: InstDisc, MoCo v1 and v2.</summary>
internal static class NegativesClaims
{
    public static Claim FeaturesOrEncoder => new("instdisc-moco", "Averaging the encoder (MoCo) is better than averaging the features (a memory bank), with as many negatives.")
    {
        Source = "He et al. 2020, section 4.1",
        Arms =
        [
            new PictureArm("features averaged (InstDisc)", new InstDisc { Contrast = BankContrast.SampledSoftmax, NoiseRows = 1024, Start = BankStart.Empty, Temperature = 0.07 }) { Traits = Negatives("1,024 rows of the bank"), Shows = true },
            new PictureArm("encoder averaged (MoCo v1)", new MoCoV1 { QueueLength = 1024 }) { Traits = Negatives("1,024 keys of the queue"), Shows = true },
        ],
        Comparisons = [new(Figure.Linear, "encoder averaged (MoCo v1)", "features averaged (InstDisc)"), new(Figure.Knn, "encoder averaged (MoCo v1)", "features averaged (InstDisc)")],
        Figures = [Figure.Linear, Figure.Knn, Figure.Rank],
        Differs = "Fashion-MNIST and a small conv net instead of ImageNet and ResNet-50; with 20,000 pictures a row of the bank is some 78 steps old, not an epoch of a million. InstDisc sees one view a step, MoCo two, with warm-up and statistics of groups, and its bank begins empty: the first of five epochs only fills it.",
    };

    public static Claim QueueLength => new("queue", "A longer queue of negatives is better.")
    {
        Source = "He et al. 2020, figure 3",
        Arms = [.. new[] { 256, 1024, 4096, 16_384 }.Select(length => new PictureArm($"queue of {length}", new MoCoV1 { QueueLength = length }) { InQuick = length is 256 or 4096 })],
        Comparisons = [new(Figure.Linear, "queue of 4096", "queue of 256"), new(Figure.Linear, "queue of 16384", "queue of 1024")],
        Figures = [Figure.Linear, Figure.Knn],
        Differs = "Queues are shorter, in proportion to the data: of 20,000 pictures a queue of 65,536 would hold each three times.",
    };

    /// <summary>v2's recipe, of which v1 lacks the head, the views and the temperature. The rate's schedule is a change of its own.</summary>
    public static Claim MoCoV2Changes => new("moco-v2", "What MoCo v2 changes in v1 is better, each by itself: an MLP head, stronger views, a rate that falls along a cosine.")
    {
        Source = "Chen, Fan, Girshick, He 2020, table 1, which has the cosine beside the others only",
        Arms =
        [
            Moco("v1", s_v1),
            Moco("v1 with an MLP head", s_v1 with { ProjectorLayers = 2, Temperature = 0.2 }),
            Moco("v1 with v2's views", s_v1 with { Augmentations = s_v2Views }),
            Moco("v1 with a cosine", s_v1 with { LearningRate = s_cosine }) with { InQuick = false },
            Moco("v2", new MoCoV2 { Augmentations = s_v2Views, LearningRate = s_cosine }),
        ],
        Comparisons =
        [
            new(Figure.Linear, "v1 with an MLP head", "v1"),
            new(Figure.Linear, "v1 with v2's views", "v1"),
            new(Figure.Linear, "v1 with a cosine", "v1"),
            new(Figure.Linear, "v2", "v1"),
        ],
        Figures = [Figure.Linear, Figure.Knn],
        Differs = "CIFAR-10, where small pictures leave blur out, so that v2's views are a gentler and rarer jitter. The head's temperature is 0.2, as v2 has it. The steps of v1's rate are at the same shares of the run.",
    };

    private static readonly ImageAugmentation[] s_v2Views = [Sharp(ImageAugmentations.MoCoV2), Sharp(ImageAugmentations.MoCoV2)];

    private static readonly LearningRate s_cosine = new(0.06, WarmupEpochs: 1);

    private static readonly MoCoV2 s_v1 = new()
    {
        ProjectorLayers = 1,
        Temperature = 0.07,
        Augmentations = [ImageAugmentations.MoCoV1, ImageAugmentations.MoCoV1],
        LearningRate = s_cosine with { Schedule = new StepRate(new(120.0 / 200, 0.1), new(160.0 / 200, 0.01)) },
    };

    private static PictureArm Moco(string label, MoCoV2 method) => new(label, method) { Colour = true };

    private static ImageAugmentation Sharp(ImageAugmentation view) => view with { Blur = null };

    private static Dictionary<string, string> Negatives(string from) => new() { ["negatives"] = from };
}
