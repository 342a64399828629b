using System.Buffers.Binary;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Reads a safetensors file that nobody vouches for. The whole header is checked before memory is taken for data, and what is
/// taken never exceeds the bytes that are there: their number is known from the start where the stream can seek, else memory
/// grows with what was really read. Every fault of the file is an <see cref="InvalidDataException"/> that names the file.
/// </summary>
internal sealed class SafeTensorsReader : IDisposable
{
    /// <summary>Data is read in pieces of this size: a span can't pass 2 GB, and an unchecked length is not to be trusted.</summary>
    internal const int PieceLength = 4 << 20;

    private readonly Stream stream;
    private readonly bool lengthIsChecked;
    private readonly SafeTensorsHeader header;
    private bool read;

    /// <summary>Reads and checks the header. The stream stays the caller's until <see cref="Dispose"/>, which closes it.</summary>
    /// <param name="stream">Stands at the first byte of the file and ends with it.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <param name="longestHeader">
    /// Bytes of header that are read. A parsed header takes some ten times its size, and in a zip a thousandth of it: who knows how
    /// many tensors to expect gives a bound of his own.
    /// </param>
    /// <exception cref="InvalidDataException">Not a safetensors file, or a damaged one.</exception>
    public SafeTensorsReader(Stream stream, string source, int longestHeader = SafeTensorsHeader.MaxLength)
    {
        this.stream = stream;
        Source = source;
        lengthIsChecked = stream.CanSeek;
        long available = lengthIsChecked ? stream.Length - stream.Position : long.MaxValue;

        byte[] prefix = new byte[8];
        ReadExactly(prefix, "the length of its header");
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > SafeTensorsHeader.MaxLength || (long)length > available - 8)
            throw Bad($"its header claims {length} bytes, more than {(length > SafeTensorsHeader.MaxLength ? "the format allows" : "there are")}");
        if (length > (ulong)longestHeader)
            throw Bad($"its header claims {length} bytes, more than the {longestHeader} that are read here");
        byte[] json = ReadHeader((int)length);
        try
        {
            header = SafeTensorsHeader.Parse(json);
        }
        catch (InvalidDataException error)
        {
            throw Bad(error.Message, error);
        }
        long data = available - 8 - json.Length;
        if (lengthIsChecked && header.DataLength != data)
            throw Bad($"its header declares {header.DataLength} bytes of data, but {data} follow");
    }

    /// <summary>Opens a file once, for reading alone, and keeps it from being changed where the system allows that.</summary>
    public static SafeTensorsReader Open(string path)
    {
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try
        {
            return new SafeTensorsReader(file, path);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The file's name, for messages.</summary>
    public string Source { get; }

    /// <summary>Free text under free names.</summary>
    public IReadOnlyDictionary<string, string> Metadata => header.Metadata;

    /// <summary>The tensors in the order of their data.</summary>
    public IReadOnlyList<SafeTensorsEntry> Entries => header.Entries;

    /// <summary>Bytes of data that the header declares; they are there where the stream can seek.</summary>
    public long DataLength => header.DataLength;

    /// <summary>
    /// The tensors' values, once, in the order of their data, on the CPU and in the file's kind; each is the caller's to dispose.
    /// </summary>
    /// <param name="wanted">Which ones; the others are skipped and may be of kinds that we don't load.</param>
    /// <exception cref="InvalidDataException">A kind that we don't load, or data that ends too early or too late.</exception>
    public IEnumerable<(SafeTensorsEntry Entry, Tensor Value)> ReadTensors(Func<SafeTensorsEntry, bool>? wanted = null)
    {
        if (read)
            throw new InvalidOperationException("The data was read already.");
        read = true;
        foreach (SafeTensorsEntry entry in Entries)
        {
            if (wanted is null || wanted(entry))
                yield return (entry, ReadTensor(entry));
            else
                Skip(entry);
        }
        if (!lengthIsChecked && stream.ReadByte() >= 0)
            throw Bad($"more than the declared {header.DataLength} bytes of data follow the header");
    }

    private Tensor ReadTensor(SafeTensorsEntry entry)
    {
        ScalarType kind = SafeTensorsHeader.ScalarOf(entry.DType)
            ?? throw Bad($"tensor {Printable.Quote(entry.Name)} has the unsupported dtype {entry.DType}");
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        long count = entry.Count, piece = PieceLength / kind.ElementSize();
        Tensor? whole = lengthIsChecked || count <= piece ? empty(count, kind, CPU) : null;
        var pieces = new List<Tensor>();
        for (long start = 0; start < count; start += piece)
        {
            long size = Math.Min(piece, count - start);
            pieces.Add(whole?.narrow(0, start, size) ?? empty(size, kind, CPU));
            Span<byte> bytes = pieces[^1].bytes;
            ReadExactly(bytes, $"tensor {Printable.Quote(entry.Name)}");
            if (kind == ScalarType.Bool && bytes.ContainsAnyExceptInRange((byte)0, (byte)1))
                throw Bad($"tensor {Printable.Quote(entry.Name)} is BOOL but holds a byte other than 0 and 1");
        }
        whole ??= cat(pieces, 0);
        return whole.reshape(entry.Shape).MoveToOuterDisposeScope();
    }

    private void Skip(SafeTensorsEntry entry)
    {
        long left = entry.End - entry.Begin;
        if (lengthIsChecked)
        {
            stream.Seek(left, SeekOrigin.Current);
            return;
        }
        byte[] buffer = new byte[Math.Min(left, 1 << 16)];
        for (; left > 0; left -= buffer.Length)
            ReadExactly(buffer.AsSpan(0, (int)Math.Min(left, buffer.Length)), $"tensor {Printable.Quote(entry.Name)}");
    }

    private byte[] ReadHeader(int length)
    {
        byte[] json = new byte[lengthIsChecked ? length : Math.Min(length, 1 << 16)];
        for (int start = 0; start < length;)
        {
            ReadExactly(json.AsSpan(start), "its header");
            start = json.Length;
            Array.Resize(ref json, (int)Math.Min(length, start * 2L));
        }
        return json;
    }

    private void ReadExactly(Span<byte> bytes, string what)
    {
        try
        {
            stream.ReadExactly(bytes);
        }
        catch (EndOfStreamException error)
        {
            throw Bad($"it ends within {what}", error);
        }
    }

    private InvalidDataException Bad(string what, Exception? inner = null) => new($"{Source} is not a whole safetensors file: {what}.", inner);

    /// <summary>Closes the stream.</summary>
    public void Dispose() => stream.Dispose();
}
