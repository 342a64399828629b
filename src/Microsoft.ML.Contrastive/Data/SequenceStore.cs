using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Microsoft.ML.Contrastive;

/// <summary>All sequences of a run, read from the data once: [T, d] in single precision, added, then sealed, then read by any number of threads.</summary>
internal sealed class SequenceStore(SequenceShape shape, ByteStore bytes) : IDisposable
{
    public int Count => bytes.Count;

    /// <summary>Bytes that went to the scratch file; final once this is sealed.</summary>
    public long ScratchLength => bytes.ScratchLength;

    /// <summary>A row's sequence, to be used no longer than this lives.</summary>
    public ReadOnlySpan<float> this[int row] => MemoryMarshal.Cast<byte, float>(bytes[row]);

    /// <summary>Tells the system which rows are read next.</summary>
    public void Prefetch(ReadOnlySpan<int> rows, ReadAhead readAhead) => bytes.Prefetch(rows, readAhead);

    /// <summary>Says before the first sequence how many will come.</summary>
    /// <exception cref="IOException">The scratch folder has no room for what exceeds the budget, or can't be made.</exception>
    public void Expect(long rows) => bytes.Expect(checked(rows * shape.Numbers * sizeof(float)));

    /// <summary>Keeps a sequence.</summary>
    /// <exception cref="IOException">The scratch file can't be made or written.</exception>
    public void Add(ReadOnlySpan<float> sequence) => sequence.CopyTo(MemoryMarshal.Cast<byte, float>(bytes.Add(shape.Numbers * sizeof(float))));

    /// <summary>Ends adding: from here on sequences can be read.</summary>
    /// <exception cref="IOException">The scratch file can't be written.</exception>
    public void Seal() => bytes.Seal();

    /// <summary>Deletes the scratch file. No thread may be reading.</summary>
    public void Dispose() => bytes.Dispose();

    /// <summary>Mean and deviation of each channel over all times of all sequences: the run's normalisation. A channel that never changes gets the deviation 1. Two passes.</summary>
    public Normalization MeasureNormalization()
    {
        double[] mean = Mean((value, _) => value), variance = Mean((value, channel) => (value - mean[channel]) * (value - mean[channel]));
        return new Normalization(
            Array.ConvertAll(mean, value => (float)value), Array.ConvertAll(variance, value => value > 0 ? Math.Max((float)Math.Sqrt(value), float.Epsilon * (1 << 23)) : 1));

        double[] Mean(Func<double, int, double> of)
        {
            var sums = new double[shape.Size];
            for (int row = 0; row < Count; row++)
            {
                ReadOnlySpan<float> sequence = this[row];
                for (int i = 0; i < sequence.Length; i++)
                    sums[i % shape.Size] += of(sequence[i], i % shape.Size);
            }
            return Array.ConvertAll(sums, sum => sum / ((double)Count * shape.Length));
        }
    }

    /// <summary>SHA-256, in lowercase hexadecimal, of length, size and all numbers: the same for the same sequences in the same order. One pass over all bytes.</summary>
    public string Fingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> sizes = stackalloc byte[2 * sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(sizes, shape.Length);
        BinaryPrimitives.WriteInt32LittleEndian(sizes[sizeof(int)..], shape.Size);
        hash.AppendData(sizes);
        for (int row = 0; row < Count; row++)
            hash.AppendData(bytes[row]);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
