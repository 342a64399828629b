namespace Microsoft.ML.Contrastive;

/// <summary>Between planes (channel, row, column) and interleaved pixels (row, column, channel).</summary>
internal static class PixelOrder
{
    public static void Interleave<T>(ReadOnlySpan<T> planar, int channels, Span<T> interleaved)
    {
        int plane = planar.Length / channels;
        for (int channel = 0; channel < channels; channel++)
        {
            ReadOnlySpan<T> source = planar.Slice(channel * plane, plane);
            for (int i = 0; i < source.Length; i++)
                interleaved[i * channels + channel] = source[i];
        }
    }

    public static void Deinterleave<T>(ReadOnlySpan<T> interleaved, int channels, Span<T> planar)
    {
        int plane = planar.Length / channels;
        for (int channel = 0; channel < channels; channel++)
        {
            Span<T> target = planar.Slice(channel * plane, plane);
            for (int i = 0; i < target.Length; i++)
                target[i] = interleaved[i * channels + channel];
        }
    }
}
