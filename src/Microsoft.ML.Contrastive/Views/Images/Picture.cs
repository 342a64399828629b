namespace Microsoft.ML.Contrastive;

/// <summary>
/// One stored picture: bytes in planar order (channel, row, column), row 0 on top, red-green-blue.
/// </summary>
internal readonly ref struct Picture(ReadOnlySpan<byte> pixels, int height, int width, int channels)
{
    /// <summary>Channels * Height * Width bytes.</summary>
    public ReadOnlySpan<byte> Pixels { get; } = pixels;

    public int Height { get; } = height;

    public int Width { get; } = width;

    /// <summary>1 or 3.</summary>
    public int Channels { get; } = channels;
}
