using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>One tensor of a safetensors file: what the header says of it. Offsets count from the end of the header.</summary>
internal sealed record SafeTensorsEntry(string Name, string DType, long[] Shape, long Begin, long End)
{
    /// <summary>How many numbers it holds; 1 for rank 0.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);
}

/// <summary>
/// The header of a safetensors file (huggingface/safetensors): a 64-bit length, then a JSON object of entries, of which each
/// names a tensor's kind, shape and place. Reading is stricter than the reference where that one is silent: duplicate names,
/// unknown fields and names with control characters are refused, since no writer makes them.
/// </summary>
internal sealed class SafeTensorsHeader
{
    /// <summary>The format's own bound on the JSON.</summary>
    public const int MaxLength = 100_000_000;

    /// <summary>libtorch's own bound: more dimensions can be made, but not copied.</summary>
    public const int MaxRank = 64;

    private const string MetadataName = "__metadata__";

    /// <summary>Each kind of the format with its size in bits; those with a scalar type are the ones we load and save.</summary>
    private static readonly Dictionary<string, (int Bits, ScalarType? Scalar)> Kinds = new()
    {
        ["F64"] = (64, ScalarType.Float64),
        ["F32"] = (32, ScalarType.Float32),
        ["F16"] = (16, ScalarType.Float16),
        ["BF16"] = (16, ScalarType.BFloat16),
        ["I64"] = (64, ScalarType.Int64),
        ["I32"] = (32, ScalarType.Int32),
        ["U8"] = (8, ScalarType.Byte),
        ["BOOL"] = (8, ScalarType.Bool),
        ["U64"] = (64, null),
        ["C64"] = (64, null),
        ["U32"] = (32, null),
        ["I16"] = (16, null),
        ["U16"] = (16, null),
        ["I8"] = (8, null),
        ["F8_E5M2"] = (8, null),
        ["F8_E4M3"] = (8, null),
        ["F8_E8M0"] = (8, null),
        ["F8_E4M3FNUZ"] = (8, null),
        ["F8_E5M2FNUZ"] = (8, null),
        ["F6_E2M3"] = (6, null),
        ["F6_E3M2"] = (6, null),
        ["F4"] = (4, null),
    };

    private SafeTensorsHeader(IReadOnlyDictionary<string, string> metadata, IReadOnlyList<SafeTensorsEntry> entries)
    {
        Metadata = metadata;
        Entries = entries;
    }

    /// <summary>Free text under free names.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensors in the order of their data.</summary>
    public IReadOnlyList<SafeTensorsEntry> Entries { get; }

    /// <summary>Bytes of data that follow the header.</summary>
    public long DataLength => Entries.Count == 0 ? 0 : Entries[^1].End;

    /// <summary>The kind's scalar type, or null where we don't load it.</summary>
    public static ScalarType? ScalarOf(string dtype) => Kinds[dtype].Scalar;

    /// <summary>
    /// A header for tensors to be written: sorted by size of element, largest first, then by name, so that each is aligned.
    /// </summary>
    /// <exception cref="ArgumentException">A kind that we don't save, a name that is no name or comes twice.</exception>
    public static SafeTensorsHeader For(
        IEnumerable<(string Name, ScalarType DType, long[] Shape)> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var names = new HashSet<string>();
        var entries = new List<SafeTensorsEntry>();
        foreach ((string name, ScalarType scalar, long[] shape) in tensors)
        {
            if (name == MetadataName || name.Any(char.IsControl) || !names.Add(name))
                throw new ArgumentException($"A tensor can't be saved as {Printable.Quote(name)}: reserved, taken, or with control characters.", nameof(tensors));
            string dtype = Kinds.FirstOrDefault(kind => kind.Value.Scalar == scalar).Key
                ?? throw new ArgumentException($"Tensor {Printable.Quote(name)} is {scalar}, an unsupported dtype.", nameof(tensors));
            entries.Add(new SafeTensorsEntry(name, dtype, shape, 0, 0));
        }
        entries.Sort((one, other) => Kinds[other.DType].Bits.CompareTo(Kinds[one.DType].Bits) is not 0 and int bySize
            ? bySize : string.CompareOrdinal(one.Name, other.Name));
        long place = 0;
        for (int i = 0; i < entries.Count; i++)
        {
            long end = checked(place + entries[i].Count * (Kinds[entries[i].DType].Bits / 8));
            entries[i] = entries[i] with { Begin = place, End = end };
            place = end;
        }
        return new SafeTensorsHeader(metadata ?? new Dictionary<string, string>(), entries);
    }

    /// <summary>The bytes before the data: the length, and the JSON padded with spaces to a multiple of 8.</summary>
    public byte[] ToBytes()
    {
        var json = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(json, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            if (Metadata.Count > 0)
            {
                writer.WriteStartObject(MetadataName);
                foreach ((string key, string value) in Metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                    writer.WriteString(key, value);
                writer.WriteEndObject();
            }
            foreach (SafeTensorsEntry entry in Entries)
            {
                writer.WriteStartObject(entry.Name);
                writer.WriteString("dtype", entry.DType);
                writer.WriteStartArray("shape");
                foreach (long size in entry.Shape)
                    writer.WriteNumberValue(size);
                writer.WriteEndArray();
                writer.WriteStartArray("data_offsets");
                writer.WriteNumberValue(entry.Begin);
                writer.WriteNumberValue(entry.End);
                writer.WriteEndArray();
                writer.WriteEndObject();
            }
            writer.WriteEndObject();
        }
        int length = (json.WrittenCount + 7) / 8 * 8;
        if (length > MaxLength)
            throw new InvalidOperationException($"The names and shapes take {length} bytes; the format allows {MaxLength}.");
        byte[] bytes = new byte[8 + length];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, length);
        json.WrittenSpan.CopyTo(bytes.AsSpan(8));
        bytes.AsSpan(8 + json.WrittenCount).Fill((byte)' ');
        return bytes;
    }

    /// <summary>Reads and checks the JSON; after this every offset and size is known to be consistent.</summary>
    /// <exception cref="InvalidDataException">Anything that the format doesn't allow; the message names tensor and field.</exception>
    public static SafeTensorsHeader Parse(ReadOnlySpan<byte> json)
    {
        if (!Utf8.IsValid(json))
            throw Bad("the header is not UTF-8");
        try
        {
            return ParseObject(new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 4 }));
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped half of a surrogate pair.
            throw new InvalidDataException($"the header is not JSON: {Printable.Message(error.Message)}", error);
        }
    }

    private static SafeTensorsHeader ParseObject(Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw Bad("the header is not a JSON object");
        Dictionary<string, string>? metadata = null;
        var entries = new Dictionary<string, SafeTensorsEntry>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            if (name == MetadataName)
                metadata = metadata is null ? ReadMetadata(ref reader) : throw Bad($"{MetadataName} is there twice");
            else if (name.Any(char.IsControl))
                throw Bad($"tensor {Printable.Quote(name)} has control characters in its name");
            else if (!entries.TryAdd(name, ReadEntry(ref reader, name)))
                throw Bad($"tensor {Printable.Quote(name)} is there twice");
        }
        reader.Read(); // throws where anything but white space follows the object

        SafeTensorsEntry[] ordered = [.. entries.Values.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End)];
        long place = 0;
        foreach (SafeTensorsEntry entry in ordered)
        {
            if (entry.Begin != place)
                throw Bad($"tensor {Printable.Quote(entry.Name)}: data_offsets begin at {entry.Begin}, but the data before it ends at {place}");
            place = entry.End;
        }
        return new SafeTensorsHeader(metadata ?? [], ordered);
    }

    private static Dictionary<string, string> ReadMetadata(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw Bad($"{MetadataName} is not an object");
        var metadata = new Dictionary<string, string>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            if (!reader.Read() || reader.TokenType != JsonTokenType.String)
                throw Bad($"{MetadataName}: {Printable.Quote(key)} is not a string");
            if (!metadata.TryAdd(key, reader.GetString()!))
                throw Bad($"{MetadataName}: {Printable.Quote(key)} is there twice");
        }
        return metadata;
    }

    private static SafeTensorsEntry ReadEntry(ref Utf8JsonReader reader, string name)
    {
        string tensor = $"tensor {Printable.Quote(name)}";
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw Bad($"{tensor} is not an object");
        string? dtype = null;
        long[]? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string field = reader.GetString()!;
            reader.Read();
            switch (field)
            {
                case "dtype" when dtype is null:
                    dtype = reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw Bad($"{tensor}: dtype is not a string");
                    break;
                case "shape" when shape is null:
                    shape = ReadNumbers(ref reader, MaxRank, $"{tensor}: shape");
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadNumbers(ref reader, 2, $"{tensor}: data_offsets");
                    break;
                default:
                    throw Bad($"{tensor}: field {Printable.Quote(field)} is unknown or there twice");
            }
        }
        if (dtype is null || shape is null || offsets is null)
            throw Bad($"{tensor}: {(dtype is null ? "dtype" : shape is null ? "shape" : "data_offsets")} is missing");
        if (!Kinds.TryGetValue(dtype, out var kind))
            throw Bad($"{tensor}: unknown dtype {Printable.Quote(dtype)}");
        if (offsets.Length != 2 || offsets[0] > offsets[1])
            throw Bad($"{tensor}: data_offsets are not a begin and an end");

        // Of a shape with a zero the other sizes must fit too: strides are made of them.
        long bits = kind.Bits;
        foreach (long size in shape)
            bits = size == 0 ? bits : bits <= long.MaxValue / size ? bits * size : throw Bad($"{tensor}: its shape is beyond 64 bits");
        bits = shape.Contains(0) ? 0 : bits;
        if (bits % 8 != 0 || bits / 8 != offsets[1] - offsets[0])
            throw Bad($"{tensor}: {dtype} of shape [{string.Join(", ", shape)}] takes {bits} bits, but data_offsets give it {offsets[1] - offsets[0]} bytes");
        return new SafeTensorsEntry(name, dtype, shape, offsets[0], offsets[1]);
    }

    /// <summary>Whole numbers from 0 to 2^63-1, written with digits alone.</summary>
    private static long[] ReadNumbers(ref Utf8JsonReader reader, int limit, string what)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Bad($"{what} is not an array");
        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || reader.ValueSpan.ContainsAnyExceptInRange((byte)'0', (byte)'9') || !reader.TryGetInt64(out long number))
                throw Bad($"{what} holds something other than whole numbers from 0 to 2^63-1");
            if (numbers.Count == limit)
                throw Bad($"{what} has more than {limit} numbers");
            numbers.Add(number);
        }
        return [.. numbers];
    }

    private static InvalidDataException Bad(string what) => new(what);
}
