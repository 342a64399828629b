namespace Microsoft.ML.Contrastive;

/// <summary>The image views of published methods. Change a copy with a <c>with</c> expression.</summary>
public static class ImageAugmentations
{
    private static readonly RandomResizedCrop s_simClrCrop = new(0.08, 1);
    private static readonly ColorJitter s_byolJitter = new(0.4, 0.4, 0.2, 0.1, Probability: 0.8);

    /// <summary>
    /// SimCLR (Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations", appendix A): crops of
    /// 0.08 to 1 of the area, colour jitter in 80 % of the views, gray in 20 %, blur in 50 %.
    /// </summary>
    /// <param name="strength">The paper's colour strength s, from 0 to 2.5. The default value is 1; the paper's CIFAR-10 recipe has 0.5.</param>
    /// <param name="blur">The default value is true; the paper's CIFAR-10 recipe has no blur.</param>
    /// <exception cref="ArgumentOutOfRangeException">The strength is not in 0 to 2.5.</exception>
    public static ImageAugmentation SimClr(double strength = 1, bool blur = true)
    {
        // A hue shift of 0.2 s may not exceed half of the colour circle.
        if (!(strength >= 0 && strength <= 2.5))
            throw new ArgumentOutOfRangeException(nameof(strength), strength, "The colour strength must be at least 0 and at most 2.5.");
        return new()
        {
            Crop = s_simClrCrop,
            Jitter = new ColorJitter(0.8 * strength, 0.8 * strength, 0.8 * strength, 0.2 * strength, Probability: 0.8),
            GrayscaleProbability = 0.2,
            Blur = blur ? new GaussianBlur(0.5) : null,
        };
    }

    /// <summary>
    /// MoCo v1 (He et al. 2020, "Momentum Contrast for Unsupervised Visual Representation Learning"): crops of 0.2 to 1 of the
    /// area, jitter 0.4 in all views, gray in 20 %. The published code makes gray before it jitters, this library after.
    /// </summary>
    public static ImageAugmentation MoCoV1 { get; } = new()
    {
        Crop = new RandomResizedCrop(0.2, 1),
        Jitter = new ColorJitter(0.4, 0.4, 0.4, 0.4),
        GrayscaleProbability = 0.2,
    };

    /// <summary>
    /// MoCo v2 (Chen et al. 2020, "Improved Baselines with Momentum Contrastive Learning", and its published code): crops of 0.2
    /// to 1 of the area, jitter (0.4, 0.4, 0.4, 0.1) in 80 % of the views, gray in 20 %, blur with a deviation of 0.1 to 2 in 50 %.
    /// </summary>
    public static ImageAugmentation MoCoV2 { get; } = new()
    {
        Crop = new RandomResizedCrop(0.2, 1),
        Jitter = new ColorJitter(0.4, 0.4, 0.4, 0.1, Probability: 0.8),
        GrayscaleProbability = 0.2,
        Blur = new GaussianBlur(0.5),
    };

    /// <summary>SimSiam (Chen and He 2021, "Exploring Simple Siamese Representation Learning", section 4): MoCo v2's.</summary>
    public static ImageAugmentation SimSiam => MoCoV2;

    /// <summary>BYOL's first view (Grill et al. 2020, "Bootstrap Your Own Latent", appendix B, table 6): always blurred, never solarized.</summary>
    public static ImageAugmentation ByolFirst { get; } = new()
    {
        Crop = s_simClrCrop,
        Jitter = s_byolJitter,
        GrayscaleProbability = 0.2,
        Blur = new GaussianBlur(1),
    };

    /// <summary>BYOL's second view (table 6): blurred in 10 % of the views, solarized in 20 %.</summary>
    public static ImageAugmentation ByolSecond { get; } = ByolFirst with
    {
        Blur = new GaussianBlur(0.1),
        Solarize = new Solarization(0.2),
    };

    /// <summary>
    /// SwAV's large views (Caron et al. 2020, "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments", appendix, and
    /// its published code): SimCLR's with crops of 0.14 to 1 of the area.
    /// </summary>
    public static ImageAugmentation SwavGlobal { get; } = SimClr() with { Crop = new RandomResizedCrop(0.14, 1) };

    /// <summary>SwAV's small views: crops of 0.05 to 0.14 of the area, otherwise the same. Give it a <see cref="ImageAugmentation.Size"/>; 96 for pictures of 224 pixels in the paper.</summary>
    public static ImageAugmentation SwavLocal { get; } = SwavGlobal with { Crop = new RandomResizedCrop(0.05, 0.14) };

    /// <summary>
    /// DINO's first view (Caron et al. 2021, "Emerging Properties in Self-Supervised Vision Transformers", and its published code): BYOL's first with crops of
    /// 0.4 to 1 of the area, resized bicubic.
    /// </summary>
    public static ImageAugmentation DinoFirst { get; } = ByolFirst with { Crop = new RandomResizedCrop(0.4, 1), Interpolation = Interpolation.Bicubic };

    /// <summary>DINO's second view: BYOL's second with crops of 0.4 to 1 of the area.</summary>
    public static ImageAugmentation DinoSecond { get; } = ByolSecond with { Crop = new RandomResizedCrop(0.4, 1), Interpolation = Interpolation.Bicubic };

    /// <summary>DINO's small views: crops of 0.05 to 0.4 of the area, blurred in half of them. Give it a <see cref="ImageAugmentation.Size"/>; 96 for pictures of 224 pixels in the paper.</summary>
    public static ImageAugmentation DinoLocal { get; } = DinoFirst with { Crop = new RandomResizedCrop(0.05, 0.4), Blur = new GaussianBlur(0.5) };
}
