using System.Globalization;
using System.Runtime.CompilerServices;

namespace Microsoft.ML.Contrastive;

/// <summary>Refuses augmentation settings that are out of range, by the property's name, such as <c>Crop.MinArea</c>.</summary>
internal static class AugmentationChecks
{
    /// <exception cref="ArgumentOutOfRangeException">A setting is out of the range that its documentation gives.</exception>
    public static void Check(ImageAugmentation augmentation)
    {
        if (augmentation.Size is { } size)
            Within(size, 1, double.MaxValue);
        if (!Enum.IsDefined(augmentation.Interpolation))
            throw new ArgumentOutOfRangeException(nameof(augmentation.Interpolation), augmentation.Interpolation, "Choose Interpolation.Bilinear or Interpolation.Bicubic.");
        Within(augmentation.FlipProbability, 0, 1);
        Within(augmentation.GrayscaleProbability, 0, 1);
        if (augmentation.Crop is { } crop)
        {
            Within(crop.MinArea, double.Epsilon, 1);
            Within(crop.MaxArea, crop.MinArea, 1);
            Within(crop.MinRatio, double.Epsilon, double.MaxValue);
            Within(crop.MaxRatio, crop.MinRatio, double.MaxValue);
        }
        if (augmentation.Jitter is { } jitter)
        {
            Within(jitter.Brightness, 0, double.MaxValue);
            Within(jitter.Contrast, 0, double.MaxValue);
            Within(jitter.Saturation, 0, double.MaxValue);
            Within(jitter.Hue, 0, 0.5);
            Within(jitter.Probability, 0, 1);
        }
        if (augmentation.Blur is { } blur)
        {
            Within(blur.Probability, 0, 1);
            Within(blur.MinSigma, double.Epsilon, double.MaxValue);
            Within(blur.MaxSigma, blur.MinSigma, double.MaxValue);
            Within(blur.KernelFraction, double.Epsilon, 1);
        }
        if (augmentation.Solarize is { } solarize)
        {
            Within(solarize.Probability, 0, 1);
            Within(solarize.Threshold, 0, 1);
        }
    }

    /// <summary>NaN is out of every range. The property's name is read off the caller's expression.</summary>
    private static void Within(double value, double low, double high, [CallerArgumentExpression(nameof(value))] string expression = "")
    {
        if (value >= low && value <= high)
            return;
        string name = expression.Replace("augmentation.", "", StringComparison.Ordinal);
        name = char.ToUpperInvariant(name[0]) + name[1..];
        string least = low == double.Epsilon ? "above 0" : string.Create(CultureInfo.InvariantCulture, $"at least {low}");
        string most = high == double.MaxValue ? "and finite" : string.Create(CultureInfo.InvariantCulture, $"and at most {high}");
        throw new ArgumentOutOfRangeException(name, value, $"{name} must be {least} {most}.");
    }
}
