namespace Microsoft.ML.Contrastive;

/// <summary>How a picture is resized where nothing is random.</summary>
internal enum PlainResizing
{
    /// <summary>Bilinear and antialiased, in single precision.</summary>
    Bilinear,

    /// <summary>Bicubic and antialiased, in bytes as Pillow has them: what CLIP was trained and published with.</summary>
    BicubicBytes,
}
