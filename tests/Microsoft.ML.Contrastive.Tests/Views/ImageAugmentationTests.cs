namespace Microsoft.ML.Contrastive.Tests;

public sealed class ImageAugmentationTests
{
    public static TheoryData<string, ImageAugmentation> OutOfRange => new()
    {
        { "Size", new() { Size = 0 } },
        { "FlipProbability", new() { FlipProbability = -0.1 } },
        { "FlipProbability", new() { FlipProbability = double.NaN } },
        { "GrayscaleProbability", new() { GrayscaleProbability = 1.1 } },
        { "Crop.MinArea", new() { Crop = new(0, 1) } },
        { "Crop.MaxArea", new() { Crop = new(0.5, 0.4) } },
        { "Crop.MaxArea", new() { Crop = new(0.5, 1.1) } },
        { "Crop.MinRatio", new() { Crop = new(0.5, 1, 0) } },
        { "Crop.MaxRatio", new() { Crop = new(0.5, 1, 2, 1) } },
        { "Crop.MaxRatio", new() { Crop = new(0.5, 1, 2, double.PositiveInfinity) } },
        { "Jitter.Brightness", new() { Jitter = new(-1, 0, 0, 0) } },
        { "Jitter.Contrast", new() { Jitter = new(0, -1, 0, 0) } },
        { "Jitter.Saturation", new() { Jitter = new(0, 0, double.NaN, 0) } },
        { "Jitter.Hue", new() { Jitter = new(0, 0, 0, 0.6) } },
        { "Jitter.Probability", new() { Jitter = new(0, 0, 0, 0, 2) } },
        { "Blur.Probability", new() { Blur = new(-1) } },
        { "Blur.MinSigma", new() { Blur = new(1, 0) } },
        { "Blur.MaxSigma", new() { Blur = new(1, 2, 1) } },
        { "Blur.KernelFraction", new() { Blur = new(1) { KernelFraction = 0 } } },
        { "Solarize.Probability", new() { Solarize = new(7) } },
        { "Solarize.Threshold", new() { Solarize = new(1, -0.1) } },
    };

    public static TheoryData<ImageAugmentation> Presets =>
    [
        new ImageAugmentation(), ImageAugmentations.SimClr(), ImageAugmentations.SimClr(0), ImageAugmentations.SimClr(2.5, blur: false), ImageAugmentations.MoCoV1,
        ImageAugmentations.MoCoV2, ImageAugmentations.SimSiam, ImageAugmentations.ByolFirst, ImageAugmentations.ByolSecond,
        ImageAugmentations.SwavGlobal, ImageAugmentations.SwavLocal, ImageAugmentations.DinoFirst, ImageAugmentations.DinoSecond, ImageAugmentations.DinoLocal,
    ];

    [Theory]
    [MemberData(nameof(OutOfRange), DisableDiscoveryEnumeration = true)]
    public void A_setting_out_of_range_is_named(string setting, ImageAugmentation augmentation)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => AugmentationChecks.Check(augmentation));
        Assert.Equal(setting, error.ParamName);
    }

    [Theory]
    [MemberData(nameof(Presets), DisableDiscoveryEnumeration = true)]
    public void Presets_are_in_range(ImageAugmentation preset) => AugmentationChecks.Check(preset);

    [Fact]
    public void Strength_scales_the_jitter_of_SimCLR()
    {
        ColorJitter jitter = ImageAugmentations.SimClr(strength: 0.5).Jitter!;
        Assert.Equal(new ColorJitter(0.4, 0.4, 0.4, 0.1, 0.8), jitter);
        Assert.Throws<ArgumentOutOfRangeException>("strength", () => ImageAugmentations.SimClr(-1));
    }
}
