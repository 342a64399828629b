namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Many small views, and vision transformers' first layer.</summary>
internal static class ViewClaims
{
    private const int LargestBatch = 1024;

    public static Claim MultiCrop => new("multi-crop", "Beside two large views of a picture, several small ones make SwAV better.")
    {
        Source = "Caron et al. 2020, figure 3",
        Arms =
        [
            new PictureArm("two large views", SmallHeads.SwAV with { Augmentations = [s_large, s_large] }) { Colour = true },
            new PictureArm("and four small ones", SmallHeads.SwAV with { Augmentations = [s_large, s_large, s_small, s_small, s_small, s_small] }) { Colour = true },
        ],
        Comparisons = [new(Figure.Linear, "and four small ones", "two large views"), new(Figure.Knn, "and four small ones", "two large views")],
        Figures = [Figure.Linear, Figure.Knn, Figure.Rank],
        Differs = "Views of 32 and 16 pixels instead of 224 and 96, with crops of 5 to 40 % in the small ones, which leave something to see. Equal steps: the small views are work on top.",
    };

    public static Claim PatchProjection => new("patch-projection", "A vision transformer's patch projection has large gradients that make training with large batches unstable: frozen, MoCo v3 does better.")
    {
        Source = "Chen, Xie, He 2021, section 4.2, figures 4 and 5",
        Arms =
        [
            .. from batch in new[] { 64, 256, LargestBatch }
               from frozen in new[] { false, true }
               select new PictureArm(Patches(frozen, batch), new GradientWatch(s_moco with { FreezePatchProjection = frozen }, "patch_embed.proj.weight", "blocks.2.mlp.fc2.weight"))
               {
                   Encoder = s_transformer, BatchSize = batch, Length = 0.5, InQuick = batch != 256, Shows = frozen && batch == 64,
               },
        ],
        Comparisons =
        [
            new(Figure.Linear, Patches(true, LargestBatch), Patches(false, LargestBatch)),
            new(Figure.Linear, Patches(true, 64), Patches(false, 64)),
            new(Figure.GradientPeak, Patches(false, LargestBatch), Patches(false, LargestBatch)) { BelowFigure = Figure.LastGradientPeak },
        ],
        Figures = [Figure.Linear, Figure.Knn, Figure.GradientMean, Figure.GradientPeak, Figure.LastGradientPeak],
        Differs = "Gradients are told as the root of the mean square over a layer's numbers, and compared with the last block's in the same run, as a mean over larger batches is smaller anyway. A transformer of 3 blocks of 96 on patches of 7 pixels, runs of two or three epochs: the paper sees the dips at batches of 4,096 and more, within 100 epochs.",
    };

    private static readonly ImageAugmentation s_large = ImageAugmentations.SwavGlobal with { Blur = null, Jitter = ImageAugmentations.SimClr(strength: 0.5).Jitter };

    private static readonly ImageAugmentation s_small = s_large with { Crop = new(0.05, 0.4), Size = 16 };

    private static readonly VisionTransformer s_transformer = new() { Patch = 7, Width = 96, Depth = 3, Heads = 3 };

    private static readonly MoCoV3 s_moco = new() { HiddenSize = 512, LearningRate = new(5e-4, WarmupEpochs: 1) };

    private static string Patches(bool frozen, int batch) => $"{(frozen ? "frozen" : "trained")}, batches of {batch}";
}
