using System.Numerics;

namespace Microsoft.ML.Contrastive;

/// <summary>Inverts what is bright: x at or above the threshold becomes 1 - x.</summary>
internal static class Solarize
{
    public static void Apply(Span<float> planes, float threshold) => PixelMaps.Apply(planes, planes, new Invert(threshold));

    private readonly struct Invert(float threshold) : IValueMap
    {
        private readonly Vector<float> _threshold = new(threshold);

        public Vector<float> Map(Vector<float> value)
            => Vector.ConditionalSelect(Vector.GreaterThanOrEqual(value, _threshold), Vector<float>.One - value, value);
    }
}
