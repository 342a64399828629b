namespace Microsoft.ML.Contrastive;

/// <summary>The filter between source pixels where a picture is resized; antialiased where it shrinks.</summary>
public enum Interpolation
{
    /// <summary>A triangle, one source pixel to each side.</summary>
    Bilinear,

    /// <summary>Keys' cubic with a = -1/2, two source pixels to each side. Its result may leave [0, 1]; views are clamped to it.</summary>
    Bicubic,
}
