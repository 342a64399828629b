using System.Numerics;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Contrastive;

/// <summary>The four steps of colour jitter, numbered as torchvision numbers them.</summary>
internal enum ColorStep
{
    Brightness,
    Contrast,
    Saturation,
    Hue,
}

/// <summary>
/// torchvision's colour adjustments on planes in [0, 1] under each other, in place; each clamps to [0, 1]. On one
/// channel, saturation and hue do nothing.
/// </summary>
internal static class ColorAdjust
{
    public static void Apply(ColorStep step, Span<float> planes, int channels, float amount)
    {
        switch (step)
        {
            case ColorStep.Brightness:
                Brightness(planes, amount);
                break;
            case ColorStep.Contrast:
                Contrast(planes, channels, amount);
                break;
            case ColorStep.Saturation when channels == 3:
                Saturation(planes, amount);
                break;
            case ColorStep.Hue when channels == 3:
                Hue(planes, amount);
                break;
        }
    }

    /// <summary>x becomes factor * x.</summary>
    public static void Brightness(Span<float> planes, float factor) => PixelMaps.Apply(planes, planes, new Affine(factor, 0));

    /// <summary>x becomes factor * x + (1 - factor) * m; m is the mean gray of the picture as it is now.</summary>
    public static void Contrast(Span<float> planes, int channels, float factor)
        => PixelMaps.Apply(planes, planes, new Affine(factor, (1 - factor) * MeanGray(planes, channels)));

    /// <summary>x becomes factor * x + (1 - factor) * the pixel's gray.</summary>
    public static void Saturation(Span<float> planes, float factor) => PixelMaps.Apply(planes, new Blend(factor));

    /// <summary>Turns the hue by a share of the colour circle, -0.5 to 0.5; grays stay.</summary>
    public static void Hue(Span<float> planes, float turns) => PixelMaps.Apply(planes, new Turn(turns * 6));

    private static float MeanGray(ReadOnlySpan<float> planes, int channels)
    {
        int size = planes.Length / channels;
        double sum = channels == 1 ? Sum(planes)
            : Grayscale.Red * Sum(planes[..size]) + Grayscale.Green * Sum(planes.Slice(size, size)) + Grayscale.Blue * Sum(planes[(2 * size)..]);
        return (float)(sum / size);
    }

    /// <summary>Sums short stretches in single precision and these in double: exact enough at any size.</summary>
    private static double Sum(ReadOnlySpan<float> values)
    {
        const int Stretch = 4096;
        double total = 0;
        for (; values.Length > 0; values = values[Math.Min(Stretch, values.Length)..])
        {
            ReadOnlySpan<float> stretch = values[..Math.Min(Stretch, values.Length)];
            ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(stretch);
            Vector<float> even = default, odd = default;
            int i = 0;
            for (; i + 1 < vectors.Length; i += 2)
            {
                even += vectors[i];
                odd += vectors[i + 1];
            }
            if (i < vectors.Length)
                even += vectors[i];
            total += Vector.Sum(even + odd);
            foreach (float value in stretch[(vectors.Length * Vector<float>.Count)..])
                total += value;
        }
        return total;
    }

    private static Vector<float> Clamp(Vector<float> value) => Vector.Min(Vector.Max(value, Vector<float>.Zero), Vector<float>.One);

    private readonly struct Affine(float factor, float offset) : IValueMap
    {
        private readonly Vector<float> _factor = new(factor), _offset = new(offset);

        public Vector<float> Map(Vector<float> value) => Clamp(Vector.MultiplyAddEstimate(value, _factor, _offset));
    }

    private readonly struct Blend(float factor) : IPixelMap
    {
        private readonly Vector<float> _factor = new(factor), _rest = new(1 - factor);

        public void Map(ref Vector<float> red, ref Vector<float> green, ref Vector<float> blue)
        {
            Vector<float> gray = _rest * Grayscale.Gray(red, green, blue);
            red = Clamp(Vector.MultiplyAddEstimate(red, _factor, gray));
            green = Clamp(Vector.MultiplyAddEstimate(green, _factor, gray));
            blue = Clamp(Vector.MultiplyAddEstimate(blue, _factor, gray));
        }
    }

    /// <summary>
    /// torchvision goes to hue, saturation and value and back. As value and saturation stay, each channel is min + chroma * a
    /// trapezium of the hue, which needs one division and no table of sextants.
    /// </summary>
    private readonly struct Turn(float sextants) : IPixelMap
    {
        private readonly Vector<float> _shift = new(sextants);

        public void Map(ref Vector<float> red, ref Vector<float> green, ref Vector<float> blue)
        {
            Vector<float> max = Vector.Max(Vector.Max(red, green), blue);
            Vector<float> min = Vector.Min(Vector.Min(red, green), blue);
            Vector<float> chroma = max - min;
            Vector<float> inverse = Vector<float>.One / Vector.Max(chroma, new Vector<float>(1e-30f)); // a gray has hue 0

            Vector<float> sextant = Vector.ConditionalSelect(
                Vector.Equals(red, max),
                (green - blue) * inverse,
                Vector.ConditionalSelect(
                    Vector.Equals(green, max),
                    Vector.MultiplyAddEstimate(blue - red, inverse, new Vector<float>(2)),
                    Vector.MultiplyAddEstimate(red - green, inverse, new Vector<float>(4))));
            sextant += _shift;
            sextant -= Vector.Floor(sextant * (1f / 6)) * 6;

            red = Vector.MultiplyAddEstimate(chroma, Clamp(Vector.Abs(sextant - new Vector<float>(3)) - Vector<float>.One), min);
            green = Vector.MultiplyAddEstimate(chroma, Clamp(new Vector<float>(2) - Vector.Abs(sextant - new Vector<float>(2))), min);
            blue = Vector.MultiplyAddEstimate(chroma, Clamp(new Vector<float>(2) - Vector.Abs(sextant - new Vector<float>(4))), min);
        }
    }
}
