namespace Microsoft.ML.Contrastive;

/// <summary>In which order the numbers of a picture stand in a vector.</summary>
public enum PixelLayout
{
    /// <summary>Channel, row, column: what ML.NET's <c>ExtractPixels</c> gives. The default.</summary>
    Planar,

    /// <summary>Row, column, channel: how most picture files and arrays hold pixels.</summary>
    Interleaved,
}

/// <summary>Which numbers stand for black and for full intensity.</summary>
public enum PixelScale
{
    /// <summary>0 to 255, bytes or numbers in single precision. The default.</summary>
    Bytes,

    /// <summary>0 to 1, single precision only.</summary>
    Unit,
}

/// <summary>
/// How a known-size vector column holds a picture. <c>Height * Width * Channels</c> must be the vector's size.
/// </summary>
/// <param name="Height">Rows of pixels, at least 1.</param>
/// <param name="Width">Columns of pixels, at least 1.</param>
/// <param name="Channels">1 (gray) or 3 (red, green, blue).</param>
public sealed record ImageShape(int Height, int Width, int Channels)
{
    /// <summary>The order of the numbers. The default value is <see cref="PixelLayout.Planar"/>.</summary>
    public PixelLayout Layout { get; init; } = PixelLayout.Planar;

    /// <summary>The range of the numbers; values outside are refused. The default value is <see cref="PixelScale.Bytes"/>.</summary>
    public PixelScale Scale { get; init; } = PixelScale.Bytes;

    /// <summary>Numbers of one picture.</summary>
    internal long Size => (long)Height * Width * Channels;

    /// <summary>Throws when a setting is out of its range.</summary>
    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Width, 1);
        if (Channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(Channels), Channels, "An ImageShape has 1 channel (gray) or 3 (red, green, blue).");
        if ((long)Height * Width > Array.MaxLength / Channels)
            throw new ArgumentOutOfRangeException(nameof(Height), Height, $"An ImageShape of {Height} x {Width} x {Channels} is more than a vector can hold.");
        if (!Enum.IsDefined(Layout))
            throw new ArgumentOutOfRangeException(nameof(Layout), Layout, "Choose PixelLayout.Planar or PixelLayout.Interleaved.");
        if (!Enum.IsDefined(Scale))
            throw new ArgumentOutOfRangeException(nameof(Scale), Scale, "Choose PixelScale.Bytes or PixelScale.Unit.");
    }
}
