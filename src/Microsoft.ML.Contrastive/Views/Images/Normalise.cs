using System.Numerics;

namespace Microsoft.ML.Contrastive;

/// <summary>Per channel (x - mean) / deviation.</summary>
internal static class Normalise
{
    /// <summary>Writes the normalised planes; both spans are [channels, height, width] and may be the same.</summary>
    public static void Apply(ReadOnlySpan<float> planes, Normalization normalization, Span<float> destination)
    {
        int channels = normalization.Mean.Length, size = planes.Length / channels;
        for (int channel = 0; channel < channels; channel++)
        {
            var map = new Standardise(normalization.Mean[channel], normalization.Deviation[channel]);
            PixelMaps.Apply(planes.Slice(channel * size, size), destination.Slice(channel * size, size), map);
        }
    }

    /// <summary>The same of numbers whose channels stand beside each other: [positions, channels]; both spans may be the same.</summary>
    public static void Interleaved(ReadOnlySpan<float> numbers, Normalization normalization, Span<float> destination)
    {
        int channels = normalization.Mean.Length;
        for (int start = 0; start < numbers.Length; start += channels)
            for (int channel = 0; channel < channels; channel++)
                destination[start + channel] = (numbers[start + channel] - normalization.Mean[channel]) / normalization.Deviation[channel];
    }

    private readonly struct Standardise(float mean, float deviation) : IValueMap
    {
        private readonly Vector<float> _mean = new(mean), _inverse = new(1 / deviation);

        public Vector<float> Map(Vector<float> value) => (value - _mean) * _inverse;
    }
}
