using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// All pictures of a run as bytes, read from the data once: each row has its own height and width. They are added, then
/// <see cref="Seal"/>ed, then read, by several threads if need be.
/// </summary>
internal sealed class ImageStore : IDisposable
{
    private readonly ByteStore _bytes;
    private readonly List<(int Height, int Width)> _sizes = [];

    /// <param name="channels">1 or 3.</param>
    /// <param name="memoryBudget">Bytes of pictures kept in memory; null for the default of <see cref="ByteStore"/>.</param>
    /// <param name="scratchFolder">Where all other bytes go; null for the default of <see cref="ByteStore"/>.</param>
    public ImageStore(int channels, long? memoryBudget = null, string? scratchFolder = null)
        : this(channels, new ByteStore(memoryBudget, scratchFolder))
    {
    }

    /// <summary>Over an empty store, which this disposes.</summary>
    internal ImageStore(int channels, ByteStore bytes) => (Channels, _bytes) = (channels, bytes);

    /// <summary>1 or 3, the same for all rows.</summary>
    public int Channels { get; }

    public int Count => _sizes.Count;

    /// <summary>Bytes that went to the scratch file; final once this is sealed.</summary>
    public long ScratchLength => _bytes.ScratchLength;

    /// <summary>A row's picture, to be used no longer than this lives.</summary>
    public Picture this[int row] => new(_bytes[row], _sizes[row].Height, _sizes[row].Width, Channels);

    /// <summary>Tells the system which rows are read next.</summary>
    public void Prefetch(ReadOnlySpan<int> rows, ReadAhead readAhead) => _bytes.Prefetch(rows, readAhead);

    /// <summary>Says before the first picture how many will come, and of which size, before <see cref="AddShrunk"/> shrinks them.</summary>
    /// <exception cref="IOException">The scratch folder has no room for what exceeds the budget, or can't be made.</exception>
    public void Expect(long rows, int height, int width, int largestSide)
    {
        (height, width) = Shrunk(height, width, largestSide);
        _bytes.Expect(checked(rows * Channels * height * width));
    }

    /// <summary>Makes room for one more picture and gives its bytes, planar, to be filled before the next call.</summary>
    /// <exception cref="IOException">The scratch file can't be made or written.</exception>
    public Span<byte> Add(int height, int width)
    {
        Span<byte> room = _bytes.Add(checked(Channels * height * width));
        _sizes.Add((height, width));
        return room;
    }

    /// <summary>
    /// Keeps a picture; one whose shorter side exceeds <paramref name="largestSide"/> is shrunk to it first, since views are
    /// smaller still.
    /// </summary>
    /// <exception cref="IOException">The scratch file can't be made or written.</exception>
    public void AddShrunk(Picture picture, int largestSide, Resizer resizer)
    {
        (int height, int width) = Shrunk(picture.Height, picture.Width, largestSide);
        if ((height, width) == (picture.Height, picture.Width))
        {
            picture.Pixels.CopyTo(Add(height, width));
            return;
        }
        var planes = new float[Channels * height * width];
        resizer.Resize(picture, new CropBox(0, 0, picture.Height, picture.Width), height, width, planes);
        Span<byte> bytes = Add(height, width);
        for (int i = 0; i < planes.Length; i++)
            bytes[i] = (byte)MathF.Round(planes[i] * 255);
    }

    /// <summary>Ends adding: from here on pictures can be read.</summary>
    /// <exception cref="IOException">The scratch file can't be written.</exception>
    public void Seal() => _bytes.Seal();

    /// <summary>Deletes the scratch file. No thread may be reading.</summary>
    public void Dispose() => _bytes.Dispose();

    /// <summary>Median over the pictures of the shorter of height and width.</summary>
    public int MedianShorterSide()
    {
        int[] sides = [.. _sizes.Select(size => Math.Min(size.Height, size.Width)).Order()];
        return sides[sides.Length / 2];
    }

    /// <summary>Mean and deviation of each channel over all pictures, at [0, 1]: the run's normalisation. One pass over all bytes.</summary>
    public Normalization MeasureNormalization()
    {
        long[][] counts = [.. Enumerable.Range(0, Channels).Select(_ => new long[256])];
        for (int row = 0; row < Count; row++)
        {
            Picture picture = this[row];
            int plane = picture.Height * picture.Width;
            for (int channel = 0; channel < Channels; channel++)
            {
                long[] ofChannel = counts[channel];
                foreach (byte value in picture.Pixels.Slice(channel * plane, plane))
                    ofChannel[value]++;
            }
        }
        var mean = new float[Channels];
        var deviation = new float[Channels];
        for (int channel = 0; channel < Channels; channel++)
        {
            double sum = 0, squares = 0, pixels = counts[channel].Sum();
            for (int value = 0; value < 256; value++)
            {
                sum += counts[channel][value] * (value / 255.0);
                squares += counts[channel][value] * (value / 255.0) * (value / 255.0);
            }
            mean[channel] = (float)(sum / pixels);
            deviation[channel] = (float)Math.Sqrt(Math.Max(squares / pixels - sum / pixels * (sum / pixels), 1e-6));
        }
        return new Normalization(mean, deviation);
    }

    /// <summary>False where pictures have one channel, or three equal ones in each of up to 1,000 that are looked at.</summary>
    public bool HasColor()
    {
        if (Channels == 1)
            return false;
        int stride = Math.Max(1, Count / 1000);
        for (int row = 0; row < Count; row += stride)
        {
            Picture picture = this[row];
            int plane = picture.Height * picture.Width;
            ReadOnlySpan<byte> red = picture.Pixels[..plane];
            if (!red.SequenceEqual(picture.Pixels.Slice(plane, plane)) || !red.SequenceEqual(picture.Pixels.Slice(2 * plane, plane)))
                return true;
        }
        return false;
    }

    /// <summary>
    /// SHA-256, in lowercase hexadecimal, of the channels and then of each row's height, width and bytes: the same for the same
    /// pictures in the same order, wherever they lie. One pass over all bytes.
    /// </summary>
    public string Fingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(Channels);
        for (int row = 0; row < Count; row++)
        {
            Picture picture = this[row];
            Append(picture.Height);
            Append(picture.Width);
            hash.AppendData(picture.Pixels);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Append(int number)
        {
            Span<byte> bytes = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
            hash.AppendData(bytes);
        }
    }

    private static (int Height, int Width) Shrunk(int height, int width, int largestSide)
    {
        int shorter = Math.Min(height, width);
        return shorter <= largestSide
            ? (height, width)
            : ((int)((long)height * largestSide / shorter), (int)((long)width * largestSide / shorter));
    }
}
