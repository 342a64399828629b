namespace Microsoft.ML.Contrastive;

/// <summary>Per channel (x - mean) / deviation, with x in [0, 1].</summary>
/// <param name="Mean">One number per channel.</param>
/// <param name="Deviation">One number per channel, above 0.</param>
internal sealed record Normalization(float[] Mean, float[] Deviation)
{
    /// <summary>Leaves pixels as they are.</summary>
    public static Normalization None(int channels) => new(new float[channels], [.. Enumerable.Repeat(1f, channels)]);
}
