using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Cuts a box out of a picture and resizes it, antialiased, to planes of single precision in [0, 1] (bicubic results are
/// not clamped). Pixels outside the box never enter. Keeps its buffers and weights: one instance per thread.
/// </summary>
internal sealed class Resizer(Interpolation interpolation = Interpolation.Bilinear)
{
    /// <summary>Rows that share one reading of the weights.</summary>
    private const int StripRows = 4;

    /// <summary>Training asks the same few sizes over and over; 4 MiB hold those of a 256-pixel picture.</summary>
    private const int MaxCachedNumbers = 1 << 20;

    private readonly Dictionary<ResizeAxis, ResizeWeights> _cache = [];
    private int _cachedNumbers;
    private float[] _strip = [];
    private float[] _rows = [];

    /// <summary>Resizes the box to [channels, height, width].</summary>
    public void Resize(Picture source, CropBox box, int height, int width, Span<float> destination)
        => Resize(source, box.Top, box.Left, new ResizeAxis(box.Height, height), new ResizeAxis(box.Width, width), destination);

    /// <summary>Resizes the box that starts at a top and a left and has the axes' input sizes; the result is [channels, rows kept, columns kept].</summary>
    public void Resize(Picture source, int top, int left, ResizeAxis rowAxis, ResizeAxis columnAxis, Span<float> destination)
    {
        ResizeWeights? vertical = rowAxis.IsIdentity ? null : Weights(rowAxis);
        ResizeWeights? horizontal = columnAxis.IsIdentity ? null : Weights(columnAxis);
        int height = rowAxis.Count, width = columnAxis.Count;
        destination = destination[..(source.Channels * height * width)];
        top += vertical is null ? rowAxis.Start : vertical.InputStart;
        left += horizontal is null ? columnAxis.Start : 0;
        int inputRows = vertical?.InputCount ?? height;
        int inputColumns = horizontal is null ? width : columnAxis.Input;

        // The pass along the rows costs more, so it gets whichever rows are fewer: the source's or the result's.
        bool verticalFirst = vertical is not null && inputRows > height;
        bool verticalLast = vertical is not null && !verticalFirst;
        int stripStride = inputColumns + Vector<byte>.Count;
        Reserve(ref _strip, StripRows * stripStride);
        if (verticalLast)
            Reserve(ref _rows, inputRows * width + Vector<byte>.Count);

        ReadOnlySpan<float> single = [1f];
        for (int channel = 0; channel < source.Channels; channel++)
        {
            ReadOnlySpan<byte> pixels = source.Pixels[((channel * source.Height + top) * source.Width + left)..];
            Span<float> plane = destination[(channel * height * width)..];
            Span<float> passed = verticalLast ? _rows : plane;
            int rows = verticalLast ? inputRows : height;
            for (int row = 0; row < rows; row += StripRows)
            {
                int count = Math.Min(StripRows, rows - row);
                for (int r = row; r < row + count; r++)
                {
                    int first = r;
                    ReadOnlySpan<float> weights = single;
                    if (verticalFirst)
                    {
                        weights = vertical!.Of(r, out first);
                        first -= vertical.InputStart;
                    }
                    Span<float> to = horizontal is null ? passed[(r * width)..] : _strip.AsSpan((r - row) * stripStride);
                    WeightedRows.Sum(pixels[(first * source.Width)..], source.Width, inputColumns, weights, 1f / 255, to);
                }
                if (horizontal is not null)
                    AlongRows(_strip, stripStride, count, horizontal, passed[(row * width)..]);
            }
            if (verticalLast)
            {
                for (int row = 0; row < height; row++)
                {
                    ReadOnlySpan<float> weights = vertical!.Of(row, out int first);
                    WeightedRows.Sum(_rows.AsSpan((first - vertical.InputStart) * width), width, width, weights, plane[(row * width)..]);
                }
            }
        }
    }

    private ResizeWeights Weights(ResizeAxis axis)
    {
        if (_cache.TryGetValue(axis, out ResizeWeights? weights))
            return weights;
        weights = new ResizeWeights(axis, interpolation);
        _cachedNumbers += weights.Size;
        if (_cachedNumbers > MaxCachedNumbers)
        {
            _cache.Clear();
            _cachedNumbers = weights.Size;
        }
        return _cache[axis] = weights;
    }

    /// <summary>Resizes up to <see cref="StripRows"/> rows of a strip, which start <paramref name="stride"/> apart.</summary>
    private static void AlongRows(ReadOnlySpan<float> strip, int stride, int rows, ResizeWeights weights, Span<float> destination)
    {
        int width = weights.Axis.Count, lanes = Vector<float>.Count;
        ReadOnlySpan<ResizeWeights.Block> blocks = weights.Blocks(out ReadOnlySpan<float> dense);
        Span<float> rest = stackalloc float[lanes];
        foreach (ResizeWeights.Block block in blocks)
        {
            // Always four rows: those beyond `rows` hold an earlier strip's numbers and are not stored.
            ref float from0 = ref Unsafe.AsRef(in strip[block.Input]);
            ref float from1 = ref Unsafe.Add(ref from0, stride);
            ref float from2 = ref Unsafe.Add(ref from1, stride);
            ref float from3 = ref Unsafe.Add(ref from2, stride);
            ref float weight = ref Unsafe.AsRef(in dense[block.Offset]);
            Vector<float> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
            for (nuint j = 0; j < (nuint)block.Count; j++)
            {
                Vector<float> w = Vector.LoadUnsafe(ref weight, j * (nuint)lanes);
                sum0 = Vector.MultiplyAddEstimate(new Vector<float>(Unsafe.Add(ref from0, j)), w, sum0);
                sum1 = Vector.MultiplyAddEstimate(new Vector<float>(Unsafe.Add(ref from1, j)), w, sum1);
                sum2 = Vector.MultiplyAddEstimate(new Vector<float>(Unsafe.Add(ref from2, j)), w, sum2);
                sum3 = Vector.MultiplyAddEstimate(new Vector<float>(Unsafe.Add(ref from3, j)), w, sum3);
            }
            Span<float> to = destination[block.Output..];
            Store(sum0, to, rest, width);
            if (rows > 1)
                Store(sum1, to[width..], rest, width);
            if (rows > 2)
                Store(sum2, to[(2 * width)..], rest, width);
            if (rows > 3)
                Store(sum3, to[(3 * width)..], rest, width);
        }

        static void Store(Vector<float> sum, Span<float> to, Span<float> rest, int width)
        {
            if (width >= rest.Length)
            {
                sum.CopyTo(to);
                return;
            }
            sum.CopyTo(rest);
            rest[..width].CopyTo(to);
        }
    }

    private static void Reserve(ref float[] buffer, int size)
    {
        if (buffer.Length < size)
            buffer = new float[size];
    }
}
