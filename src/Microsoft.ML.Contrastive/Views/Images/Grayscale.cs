using System.Numerics;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Gray = 0.2989 R + 0.587 G + 0.114 B, torchvision's weights: they add to 0.9999, so white becomes 0.9999.
/// </summary>
internal static class Grayscale
{
    public const float Red = 0.2989f, Green = 0.587f, Blue = 0.114f;

    /// <summary>Makes all three planes the same gray.</summary>
    public static void Apply(Span<float> planes) => PixelMaps.Apply(planes, new ToGray());

    public static Vector<float> Gray(Vector<float> red, Vector<float> green, Vector<float> blue)
        => red * Red + green * Green + blue * Blue;

    private readonly struct ToGray : IPixelMap
    {
        public void Map(ref Vector<float> red, ref Vector<float> green, ref Vector<float> blue)
            => red = green = blue = Gray(red, green, blue);
    }
}
