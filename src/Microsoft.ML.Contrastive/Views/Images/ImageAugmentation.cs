namespace Microsoft.ML.Contrastive;

/// <summary>
/// What happens to a picture on its way into one view, in this order: random resized crop, horizontal flip, colour
/// jitter, grayscale, Gaussian blur, solarize. Colour steps do nothing to a picture of one channel, except brightness
/// and contrast. Each random number is a function of seed, epoch, row and view.
/// </summary>
public sealed record ImageAugmentation
{
    /// <summary>
    /// Height and width of the view in pixels, for methods whose views differ in size (multi-crop; Caron et al. 2020, section 3.3): from the
    /// encoder's minimum to the run's longer side, and in multiples of a <see cref="VisionTransformer"/>'s patch. Null, the default, for
    /// the run's own height and width.
    /// </summary>
    public int? Size { get; init; }

    /// <summary>Random resized crop; null takes the whole picture, resized. The default value crops 0.2 to 1 of the area.</summary>
    public RandomResizedCrop? Crop { get; init; } = new(0.2, 1);

    /// <summary>How the crop is resized. The default value is <see cref="Interpolation.Bilinear"/>, which costs less.</summary>
    public Interpolation Interpolation { get; init; }

    /// <summary>Probability of a horizontal flip, 0 to 1. The default value is 0.5.</summary>
    public double FlipProbability { get; init; } = 0.5;

    /// <summary>Colour jitter; null for none. The default value is null.</summary>
    public ColorJitter? Jitter { get; init; }

    /// <summary>Probability that all channels become the same gray, 0 to 1. The default value is 0.</summary>
    public double GrayscaleProbability { get; init; }

    /// <summary>Gaussian blur; null for none. The default value is null.</summary>
    public GaussianBlur? Blur { get; init; }

    /// <summary>Solarization; null for none. The default value is null.</summary>
    public Solarization? Solarize { get; init; }
}

/// <summary>
/// A box of random area and aspect ratio is cut out and resized, antialiased when it shrinks; after ten boxes
/// that do not fit, the largest centred box within the ratio bounds is taken (Szegedy et al. 2015; torchvision's rule).
/// </summary>
/// <param name="MinArea">Smallest share of the picture's area, in (0, 1].</param>
/// <param name="MaxArea">Largest share of the picture's area, in [MinArea, 1].</param>
/// <param name="MinRatio">Smallest width / height, above 0. The default value is 3/4.</param>
/// <param name="MaxRatio">Largest width / height, at least MinRatio. The default value is 4/3.</param>
public sealed record RandomResizedCrop(double MinArea, double MaxArea, double MinRatio = 3.0 / 4, double MaxRatio = 4.0 / 3);

/// <summary>
/// Brightness, contrast, saturation and hue change by random factors, in random order, each clamped to [0, 1]. A factor
/// is uniform in [max(0, 1 - x), 1 + x], a hue shift uniform in [-x, x] turns of the colour circle.
/// </summary>
/// <param name="Brightness">At least 0; 0 leaves it out.</param>
/// <param name="Contrast">At least 0; 0 leaves it out.</param>
/// <param name="Saturation">At least 0; 0 leaves it out.</param>
/// <param name="Hue">0 to 0.5; 0 leaves it out.</param>
/// <param name="Probability">Probability that a picture is jittered at all, 0 to 1. The default value is 1.</param>
public sealed record ColorJitter(double Brightness, double Contrast, double Saturation, double Hue, double Probability = 1);

/// <summary>Gaussian blur with reflected borders and a random deviation.</summary>
/// <param name="Probability">0 to 1.</param>
/// <param name="MinSigma">Smallest deviation in pixels, above 0. The default value is 0.1.</param>
/// <param name="MaxSigma">Largest deviation in pixels, at least MinSigma. The default value is 2.</param>
/// <param name="KernelFraction">
/// The kernel's width as a share of the view's width, in (0, 1]; the width is made odd and at least 3. The default value is
/// 0.1 (Chen et al. 2020, appendix A).
/// </param>
public sealed record GaussianBlur(double Probability, double MinSigma = 0.1, double MaxSigma = 2, double KernelFraction = 0.1);

/// <summary>Values at or above the threshold are inverted: x becomes 1 - x (Grill et al. 2020, appendix B).</summary>
/// <param name="Probability">0 to 1.</param>
/// <param name="Threshold">0 to 1. The default value is 0.5.</param>
public sealed record Solarization(double Probability, double Threshold = 0.5);
