namespace Microsoft.ML.Contrastive;

/// <summary>
/// Cuts a box out of a picture and resizes it to bytes, bit for bit as the Python library Pillow does: columns first and then rows, weights of 22
/// binary digits, a byte after each. What was trained on pictures from Pillow sees the same pictures.
/// </summary>
internal sealed class ByteResizer
{
    private const int Digits = 22;
    private readonly Dictionary<ResizeAxis, Taps> _cache = [];
    private byte[] _narrow = [];

    /// <summary>Resizes, bicubic and antialiased; the axes say of both sizes what is kept.</summary>
    /// <param name="source">The picture; the axes' input sizes are its own.</param>
    /// <param name="rowAxis">Along the height.</param>
    /// <param name="columnAxis">Along the width.</param>
    /// <param name="destination">[channels, rows kept, columns kept].</param>
    public void Resize(Picture source, ResizeAxis rowAxis, ResizeAxis columnAxis, Span<byte> destination)
    {
        Taps rows = TapsOf(rowAxis), columns = TapsOf(columnAxis);
        int height = rowAxis.Count, width = columnAxis.Count;
        if (_narrow.Length < rows.InputCount * width)
            _narrow = new byte[rows.InputCount * width];
        for (int channel = 0; channel < source.Channels; channel++)
        {
            ReadOnlySpan<byte> plane = source.Pixels.Slice(channel * source.Height * source.Width, source.Height * source.Width);
            for (int row = 0; row < rows.InputCount; row++)
                AlongRow(plane.Slice((rows.InputStart + row) * source.Width, source.Width), columns, _narrow.AsSpan(row * width, width));
            for (int row = 0; row < height; row++)
                AcrossRows(rows.Of(row, out int first), _narrow.AsSpan((first - rows.InputStart) * width), width, destination.Slice((channel * height + row) * width, width));
        }
    }

    private static void AlongRow(ReadOnlySpan<byte> pixels, Taps columns, Span<byte> destination)
    {
        for (int column = 0; column < destination.Length; column++)
        {
            ReadOnlySpan<int> weights = columns.Of(column, out int first);
            ReadOnlySpan<byte> from = pixels.Slice(first, weights.Length);
            int sum = 1 << (Digits - 1);
            for (int i = 0; i < from.Length; i++)
                sum += from[i] * weights[i];
            destination[column] = ToByte(sum);
        }
    }

    private static void AcrossRows(ReadOnlySpan<int> weights, ReadOnlySpan<byte> rows, int width, Span<byte> destination)
    {
        for (int column = 0; column < destination.Length; column++)
        {
            int sum = 1 << (Digits - 1);
            for (int i = 0; i < weights.Length; i++)
                sum += rows[i * width + column] * weights[i];
            destination[column] = ToByte(sum);
        }
    }

    private static byte ToByte(int sum) => (byte)Math.Clamp(sum >> Digits, 0, 255);

    private Taps TapsOf(ResizeAxis axis)
    {
        if (_cache.Count > 64) // pictures of all sizes would keep weights of all sizes
            _cache.Clear();
        return _cache.TryGetValue(axis, out Taps? taps) ? taps : _cache[axis] = new Taps(axis);
    }

    /// <summary>Which source pixels make an output pixel, and with what whole weight.</summary>
    private sealed class Taps
    {
        private readonly int[] _first;
        private readonly int[][] _weights;

        public Taps(ResizeAxis axis)
        {
            double scale = (double)axis.Input / axis.Output, stretch = Math.Max(scale, 1), support = 2 * stretch;
            _first = new int[axis.Count];
            _weights = new int[axis.Count][];
            for (int i = 0; i < axis.Count; i++)
            {
                if (axis.IsIdentity) // Pillow leaves such an axis alone
                {
                    (_first[i], _weights[i]) = (axis.Start + i, [1 << Digits]);
                    continue;
                }
                double centre = (axis.Start + i + 0.5) * scale;
                int first = Math.Max((int)(centre - support + 0.5), 0), end = Math.Min((int)(centre + support + 0.5), axis.Input);
                double[] taps = [.. Enumerable.Range(first, end - first).Select(j => ResizeWeights.Cubic((j - centre + 0.5) * (1 / stretch)))];
                double inverse = 1 / taps.Sum();
                (_first[i], _weights[i]) = (first, [.. taps.Select(tap => Whole(tap * inverse * (1 << Digits)))]);
            }
            InputStart = _first.Min();
            InputCount = Enumerable.Range(0, axis.Count).Max(i => _first[i] + _weights[i].Length) - InputStart;

            static int Whole(double weight) => (int)(weight < 0 ? weight - 0.5 : weight + 0.5);
        }

        /// <summary>The first source pixel that any kept output needs.</summary>
        public int InputStart { get; }

        /// <summary>How many source pixels the kept outputs need.</summary>
        public int InputCount { get; }

        public ReadOnlySpan<int> Of(int index, out int first)
        {
            first = _first[index];
            return _weights[index];
        }
    }
}
