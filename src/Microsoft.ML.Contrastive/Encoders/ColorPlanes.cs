using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>In which a picture's luminance is told from its colour.</summary>
public enum CmcColorSpace
{
    /// <summary>L, a and b of CIE L*a*b* (D65, 2 degrees).</summary>
    Lab,

    /// <summary>Y, Cb and Cr of ITU-R BT.601 (Tian et al. 2020 find it slightly ahead of Lab).</summary>
    YCbCr,
}

/// <summary>Pictures from RGB to a plane of luminance and two of colour.</summary>
internal static class ColorPlanes
{
    /// <summary>XYZ of linear sRGB, each row divided by the white point's X, Y or Z.</summary>
    private static readonly double[][] s_xyz =
    [
        [0.412453 / 0.95047, 0.357580 / 0.95047, 0.180423 / 0.95047],
        [0.212671, 0.715160, 0.072169],
        [0.019334 / 1.08883, 0.119193 / 1.08883, 0.950227 / 1.08883],
    ];

    /// <summary>Y, Cb and Cr of RGB from 0 to 1, without what is added.</summary>
    private static readonly double[][] s_yCbCr = [[65.481, 128.553, 24.966], [-37.797, -74.203, 112], [112, -93.786, -18.214]];

    /// <summary>
    /// CMC's normalisation of L, a and b, (x - mean) / deviation: the middle and half the width of the range that sRGB covers (Tian et al.'s released code).
    /// </summary>
    private static readonly (double Mean, double Deviation)[] s_labRanges =
    [
        (50, 50),
        ((-86.183 + 98.233) / 2, (86.183 + 98.233) / 2),
        ((-107.857 + 94.478) / 2, (107.857 + 94.478) / 2),
    ];

    /// <summary>The same of Y, Cb and Cr: pictures' means, and half the width of the range (Tian et al.'s released code).</summary>
    private static readonly (double Mean, double Deviation)[] s_yCbCrRanges = [(116.151, 109.5), (121.080, 111.855), (132.342, 111.964)];

    /// <summary>RGB [N, 3, ...] from 0 to 1 to three planes, each [N, 1, ...], of about -1 to 1.</summary>
    public static Tensor[] FromRgb(Tensor rgb, CmcColorSpace space)
    {
        (Tensor[] planes, (double Mean, double Deviation)[] ranges) = space == CmcColorSpace.Lab ? (Lab(rgb), s_labRanges) : (YCbCr(rgb), s_yCbCrRanges);
        return [.. planes.Zip(ranges, (plane, range) => plane.Minus(range.Mean).Over(range.Deviation))];
    }

    /// <summary>RGB [N, 3, ...] from 0 to 1 to L, a and b, each [N, 1, ...]; L from 0 to 100.</summary>
    public static Tensor[] Lab(Tensor rgb)
    {
        Tensor linear = where(rgb.IsAtMost(0.04045), rgb.Over(12.92), rgb.Plus(0.055).Over(1.055).Power(2.4));
        Tensor[] f = [.. Mixed(linear, s_xyz).Select(CompressedLightness)];
        return [f[1].Times(116).Minus(16), f[0].sub(f[1]).Times(500), f[1].sub(f[2]).Times(200)];
    }

    /// <summary>RGB [N, 3, ...] from 0 to 1 to Y, from 16 to 235, and Cb and Cr, from 16 to 240: each [N, 1, ...].</summary>
    public static Tensor[] YCbCr(Tensor rgb) => [.. Mixed(rgb, s_yCbCr).Zip((int[])[16, 128, 128], (plane, start) => plane.Plus(start))];

    /// <summary>Each row's weighted sum of the channels.</summary>
    private static IEnumerable<Tensor> Mixed(Tensor picture, double[][] rows)
    {
        Tensor[] channels = picture.split(1, 1);
        return rows.Select(row => channels[0].Times(row[0]).Plus(channels[1], alpha: row[1]).Plus(channels[2], alpha: row[2]));
    }

    /// <summary>A cube root with a straight line near zero, where the root is too steep.</summary>
    private static Tensor CompressedLightness(Tensor t) => where(t.IsAbove(0.008856), t.AtLeast(0.001).Power(1.0 / 3), t.Times(7.787).Plus(16.0 / 116));
}
