namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What makes SimCLR work, v1 and v2.</summary>
internal static class SimClrClaims
{
    public static Claim Projector => new("simclr-projector", "A projector behind the encoder, thrown away later, makes better features; one with a hidden layer the best.")
    {
        Source = "Chen, Kornblith, Norouzi, Hinton 2020, figure 8",
        Arms =
        [
            Colour("MLP projector", SmallHeads.SimClr),
            Colour("linear projector", SmallHeads.SimClr with { ProjectorLayers = 1 }),
            Colour("no projector", SmallHeads.SimClr with { ProjectorLayers = 0 }),
        ],
        Comparisons = [new(Figure.Linear, "MLP projector", "linear projector"), new(Figure.Linear, "linear projector", "no projector"), new(Figure.Linear, "MLP projector", "no projector")],
        Figures = [Figure.Linear, Figure.Knn, Figure.Rank],
        Differs = "CIFAR-10, a small conv net with features of 512 numbers, minutes of training.",
    };

    public static Claim Views => new("simclr-views", "Strong views, crops with distorted colours, are what contrast learns from; crops alone are told apart by their colours.")
    {
        Source = "Chen, Kornblith, Norouzi, Hinton 2020, figure 5",
        Arms =
        [
            Colour("crop and colour", SmallHeads.SimClr),
            Colour("crop alone", SmallHeads.SimClr with { Augmentations = Twice(s_full with { Jitter = null, GrayscaleProbability = 0 }) }),
            Colour("colour alone", SmallHeads.SimClr with { Augmentations = Twice(s_full with { Crop = null }) }),
            Colour("flip alone", SmallHeads.SimClr with { Augmentations = Twice(new ImageAugmentation { Crop = null }) }) with { InQuick = false },
        ],
        Comparisons = [new(Figure.Linear, "crop and colour", "crop alone"), new(Figure.Linear, "crop and colour", "colour alone"), new(Figure.Linear, "crop alone", "flip alone")],
        Figures = [Figure.Linear, Figure.Knn, Figure.Rank],
        Differs = "CIFAR-10 at half the jitter and without blur, as the paper has it there. Both views are changed; the paper's figure changes one.",
    };

    public static Claim HeadDepth => new("simclr-v2-head", "A deeper projector is better where labels are few, used from its first layer (SimCLR v2).")
    {
        Source = "Chen, Kornblith, Swersky, Norouzi, Hinton 2020b, section 3.3",
        Arms =
        [
            .. from layers in new[] { 2, 3, 4 }
               from layer in new[] { FeatureLayer.Backbone, FeatureLayer.Middle }
               select new PictureArm(Head(layers, layer), new SimClrV2 { ProjectorLayers = layers, HiddenSize = 512, FeaturesFrom = layer })
               {
                   InQuick = layers != 4, Shows = (layers, layer) is (3, FeatureLayer.Middle),
               },
        ],
        Comparisons =
        [
            new(Figure.FewLabels, Head(3, FeatureLayer.Middle), Head(3, FeatureLayer.Backbone)),
            new(Figure.FewLabels, Head(3, FeatureLayer.Middle), Head(2, FeatureLayer.Backbone)),
            new(Figure.FewLabels, Head(4, FeatureLayer.Middle), Head(2, FeatureLayer.Middle)),
        ],
        Figures = [Figure.FewLabels, Figure.Linear],
        Differs = "A linear probe on 5 % of the labels of frozen features; the paper fine-tunes the whole network on 1 % and 10 %. Fashion-MNIST, small conv net.",
    };

    public static Claim Width => new("simclr-v2-width", "Wider networks learn more without labels.")
    {
        Source = "Chen, Kornblith, Swersky, Norouzi, Hinton 2020b, section 3.2",
        Arms = [.. new[] { 8, 16, 32 }.Select(width => new PictureArm($"width {width}", new SimClrV2 { HiddenSize = 256 }) { Encoder = ImageEncoder.SmallConvNet(width, grid: 2), InQuick = width != 32 })],
        Comparisons = [new(Figure.FewLabels, "width 16", "width 8"), new(Figure.FewLabels, "width 32", "width 16"), new(Figure.Linear, "width 16", "width 8")],
        Figures = [Figure.FewLabels, Figure.Linear],
        Differs = "Networks of 24,000 to 390,000 weights instead of the paper's 24 to 795 million; equal steps, so that a wider one has more computing.",
    };

    public static Claim Memory => new("simclr-v2-memory", "A memory of earlier keys adds a little to SimCLR.")
    {
        Source = "Chen, Kornblith, Swersky, Norouzi, Hinton 2020b, section 2",
        Arms =
        [
            new PictureArm("no memory", new SimClrV2 { HiddenSize = 256 }) { BatchSize = 64 },
            new PictureArm("memory of 4096", new SimClrV2 { HiddenSize = 256, MemoryLength = 4096 }) { BatchSize = 64 },
        ],
        Comparisons = [new(Figure.Linear, "memory of 4096", "no memory")],
        Figures = [Figure.Linear, Figure.FewLabels, Figure.Knn],
        Differs = "Batches of 64, where a memory should matter more than at the paper's 4,096. But its keys are of the slow network and the positives of the fast one: while the two differ, as in a run of minutes, that alone tells negatives from positives.",
    };

    private static readonly ImageAugmentation s_full = ImageAugmentations.SimClr(strength: 0.5, blur: false);

    private static string Head(int layers, FeatureLayer from) => $"{layers} layers, from {(from == FeatureLayer.Middle ? "the first" : "the encoder")}";

    private static PictureArm Colour(string label, ContrastiveMethod method) => new(label, method) { Colour = true };

    private static ImageAugmentation[] Twice(ImageAugmentation view) => [view, view];
}
