using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Pictures from RGB to CIE L*a*b* (D65, 2 degrees), and from there to the two views of CMC.</summary>
internal static class LabColor
{
    /// <summary>XYZ of linear sRGB, each row divided by the white point's X, Y or Z.</summary>
    private static readonly double[][] s_xyz =
    [
        [0.412453 / 0.95047, 0.357580 / 0.95047, 0.180423 / 0.95047],
        [0.212671, 0.715160, 0.072169],
        [0.019334 / 1.08883, 0.119193 / 1.08883, 0.950227 / 1.08883],
    ];

    /// <summary>
    /// CMC's normalisation, (x - mean) / deviation: the middle and half the width of the range that sRGB covers in L, a and b (Tian et
    /// al.'s released code).
    /// </summary>
    private static readonly (double Mean, double Deviation)[] s_ranges =
    [
        (50, 50),
        ((-86.183 + 98.233) / 2, (86.183 + 98.233) / 2),
        ((-107.857 + 94.478) / 2, (107.857 + 94.478) / 2),
    ];

    /// <summary>RGB [N, 3, ...] from 0 to 1 to L, a and b, each [N, 1, ...]; L from 0 to 100.</summary>
    public static Tensor[] FromRgb(Tensor rgb)
    {
        Tensor linear = where(rgb.le(0.04045), rgb.div(12.92), rgb.add(0.055).div(1.055).pow(2.4));
        Tensor[] channels = linear.split(1, 1);
        Tensor[] f = [.. s_xyz.Select(row => CompressedLightness(channels[0].mul(row[0]).add(channels[1], alpha: row[1]).add(channels[2], alpha: row[2])))];
        return [f[1].mul(116).sub(16), f[0].sub(f[1]).mul(500), f[1].sub(f[2]).mul(200)];
    }

    /// <summary>The views of CMC, about -1 to 1: luminance [N, 1, ...] and colour [N, 2, ...].</summary>
    public static (Tensor Luminance, Tensor Color) Views(Tensor rgb)
    {
        Tensor[] lab = [.. FromRgb(rgb).Zip(s_ranges, (channel, range) => channel.sub(range.Mean).div(range.Deviation))];
        return (lab[0], cat([lab[1], lab[2]], 1));
    }

    /// <summary>A cube root with a straight line near zero, where the root is too steep.</summary>
    private static Tensor CompressedLightness(Tensor t) => where(t.gt(0.008856), t.clamp(min: 0.001).pow(1.0 / 3), t.mul(7.787).add(16.0 / 116));
}
