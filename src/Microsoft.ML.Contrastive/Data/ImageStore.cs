namespace Microsoft.ML.Contrastive;

/// <summary>
/// All pictures of a run as bytes, read from the data once: each row has its own height and width. Bytes lie in chunks,
/// so that the whole may exceed one array.
/// </summary>
internal sealed class ImageStore(int channels)
{
    private const int ChunkSize = 1 << 26;
    private readonly List<byte[]> _chunks = [];
    private readonly List<(int Chunk, int Offset, int Height, int Width)> _rows = [];
    private int _used;

    /// <summary>1 or 3, the same for all rows.</summary>
    public int Channels { get; } = channels;

    public int Count => _rows.Count;

    public Picture this[int row]
    {
        get
        {
            (int chunk, int offset, int height, int width) = _rows[row];
            return new Picture(_chunks[chunk].AsSpan(offset, Channels * height * width), height, width, Channels);
        }
    }

    /// <summary>Makes room for one more picture and gives its bytes, planar, to be filled.</summary>
    public Span<byte> Add(int height, int width)
    {
        int size = checked(Channels * height * width);
        if (_chunks.Count == 0 || _used + size > _chunks[^1].Length)
        {
            _chunks.Add(GC.AllocateUninitializedArray<byte>(Math.Max(ChunkSize, size)));
            _used = 0;
        }
        _rows.Add((_chunks.Count - 1, _used, height, width));
        Span<byte> room = _chunks[^1].AsSpan(_used, size);
        _used += size;
        return room;
    }

    /// <summary>
    /// Keeps a picture; one whose shorter side exceeds <paramref name="largestSide"/> is shrunk to it first, since views are
    /// smaller still.
    /// </summary>
    public void AddShrunk(Picture picture, int largestSide, Resizer resizer)
    {
        int shorter = Math.Min(picture.Height, picture.Width);
        if (shorter <= largestSide)
        {
            picture.Pixels.CopyTo(Add(picture.Height, picture.Width));
            return;
        }
        int height = (int)((long)picture.Height * largestSide / shorter), width = (int)((long)picture.Width * largestSide / shorter);
        var planes = new float[Channels * height * width];
        resizer.Resize(picture, new CropBox(0, 0, picture.Height, picture.Width), height, width, planes);
        Span<byte> bytes = Add(height, width);
        for (int i = 0; i < planes.Length; i++)
            bytes[i] = (byte)MathF.Round(planes[i] * 255);
    }

    /// <summary>Median over the pictures of the shorter of height and width.</summary>
    public int MedianShorterSide()
    {
        int[] sides = [.. _rows.Select(row => Math.Min(row.Height, row.Width)).Order()];
        return sides[sides.Length / 2];
    }

    /// <summary>Mean and deviation of each channel over all pictures, at [0, 1]: the run's normalisation.</summary>
    public Normalization MeasureNormalization()
    {
        var sum = new double[Channels];
        var squares = new double[Channels];
        double pixels = 0;
        var counts = new long[Channels, 256];
        for (int row = 0; row < Count; row++)
        {
            Picture picture = this[row];
            int plane = picture.Height * picture.Width;
            pixels += plane;
            for (int channel = 0; channel < Channels; channel++)
                foreach (byte value in picture.Pixels.Slice(channel * plane, plane))
                    counts[channel, value]++;
        }
        for (int channel = 0; channel < Channels; channel++)
            for (int value = 0; value < 256; value++)
            {
                sum[channel] += counts[channel, value] * (value / 255.0);
                squares[channel] += counts[channel, value] * (value / 255.0) * (value / 255.0);
            }
        float[] mean = [.. sum.Select(total => (float)(total / pixels))];
        float[] deviation = [.. squares.Zip(sum, (square, total) => (float)Math.Sqrt(Math.Max(square / pixels - total / pixels * (total / pixels), 1e-6)))];
        return new Normalization(mean, deviation);
    }

    /// <summary>SHA-256 over all pictures.</summary>
    public string Fingerprint()
    {
        using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        for (int row = 0; row < Count; row++)
        {
            Picture picture = this[row];
            hash.AppendData(BitConverter.GetBytes(picture.Height));
            hash.AppendData(BitConverter.GetBytes(picture.Width));
            hash.AppendData(picture.Pixels);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
