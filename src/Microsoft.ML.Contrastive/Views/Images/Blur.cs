namespace Microsoft.ML.Contrastive;

/// <summary>
/// Gaussian blur of one plane, separable. Borders are reflected without repeating the edge pixel; a kernel that reaches
/// further than the picture goes on to and fro, so that it never reads outside.
/// </summary>
internal static class Blur
{
    /// <summary>Weights below this move nothing in single precision.</summary>
    private const float Negligible = 1e-9f;

    /// <summary>The kernel's width in pixels: a share of the view's width, made odd, at least 3 (22.4 gives 23, as SimCLR's code).</summary>
    public static int KernelSize(double fraction, int viewWidth) => Math.Max(3, (int)(fraction * viewWidth) / 2 * 2 + 1);

    /// <summary>Fills an odd number of weights exp(-(z / sigma)^2 / 2), z = 0 in the middle, divided by their sum.</summary>
    public static void FillKernel(Span<float> kernel, double sigma)
    {
        int radius = kernel.Length / 2;
        double sum = 1;
        for (int z = 1; z <= radius; z++)
            sum += 2 * Weight(z);
        for (int z = 0; z <= radius; z++)
            kernel[radius - z] = kernel[radius + z] = (float)(Weight(z) / sum);

        double Weight(int z) => Math.Exp(-0.5 * (z / sigma) * (z / sigma));
    }

    /// <summary>Numbers of scratch space that <see cref="Apply"/> needs.</summary>
    public static int ScratchSize(int height, int width, int kernelX, int kernelY) => (height + kernelY) * width + width + kernelX;

    /// <summary>Blurs a plane [height, width] in place.</summary>
    public static void Apply(Span<float> plane, int height, int width, ReadOnlySpan<float> kernelX, ReadOnlySpan<float> kernelY, Span<float> scratch)
    {
        kernelX = Significant(kernelX);
        kernelY = Significant(kernelY);
        int right = kernelX.Length / 2, down = kernelY.Length / 2;
        Span<float> line = scratch[..(width + 2 * right)];
        Span<float> rows = scratch.Slice(line.Length, (height + 2 * down) * width);
        for (int y = 0; y < height; y++)
        {
            ReadOnlySpan<float> row = plane.Slice(y * width, width);
            row.CopyTo(line[right..]);
            for (int i = 1; i <= right; i++)
            {
                line[right - i] = row[Reflect(-i, width)];
                line[right + width - 1 + i] = row[Reflect(width - 1 + i, width)];
            }
            WeightedRows.Sum(line, 1, width, kernelX, rows[((y + down) * width)..]);
        }
        for (int i = 1; i <= down; i++)
        {
            Row(rows, Reflect(-i, height)).CopyTo(Row(rows, -i));
            Row(rows, Reflect(height - 1 + i, height)).CopyTo(Row(rows, height - 1 + i));
        }
        for (int y = 0; y < height; y++)
            WeightedRows.Sum(rows[(y * width)..], width, width, kernelY, plane.Slice(y * width, width));

        Span<float> Row(Span<float> padded, int y) => padded.Slice((y + down) * width, width);
    }

    /// <summary>The pixel that stands for <paramref name="index"/>: ... 2 1 | 0 1 2 ... n-1 | n-2 n-3 ..., over and over.</summary>
    public static int Reflect(int index, int count)
    {
        if (count == 1)
            return 0;
        int period = 2 * (count - 1);
        index = Math.Abs(index) % period;
        return index < count ? index : period - index;
    }

    private static ReadOnlySpan<float> Significant(ReadOnlySpan<float> kernel)
    {
        int skip = 0;
        while (kernel[skip] < Negligible)
            skip++;
        return kernel[skip..^skip];
    }
}
