using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>
/// Hostile files, made of valid ones: the same file and the same random numbers give the same bytes. Half of the changes are
/// blind; the others know the format, so that what is behind a length, a checksum or a parser is reached too.
/// </summary>
internal static class FileMutator
{
    private static readonly long[] Lengths =
    [
        0, 1, 7, 8, -1, -8, 255, 1 << 16, int.MaxValue, int.MaxValue + 1L, uint.MaxValue, 1L << 32, 99_999_999, 100_000_000, 100_000_001,
        1L << 40, long.MaxValue, long.MaxValue - 7, long.MinValue,
    ];

    private static readonly string[] Numbers =
    [
        "0", "-0", "-1", "1", "2", "3", "7", "0.5", "1e0", "1e9", "1e400", "-1e400", "1e-400", "00", "+1", "0x10", "NaN", "-Infinity", "\"NaN\"", "50", "18", "256",
        "4096", "65536", "2147483647", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1234567890123456789012345678901234567890",
        "true", "null", "\"1\"", "[]", "{}",
    ];

    private static readonly string[] Texts =
    [
        "\"\"", "\"\\u0000\"", "\"a\\r\\n\\u001b[31m\"", "\"\\u202e\"", "\"\\ud800\"", "\"\\\"\"", "\"../../escape\"", "\"/etc/passwd\"", "\"System.IO.FileInfo, System.Runtime\"",
        "\"resNet\"", "\"smallConvNet\"", "\"kind\"", "\"$type\"", "\"U8\"", "\"F64\"", "\"F4\"", "\"BOOL\"", "\"__metadata__\"", "null", "0", "[]", "{\"kind\":\"resNet\",\"depth\":50}",
    ];

    /// <summary>One to three of: a bit, a byte, a digit or a length changed; a stretch cut out, doubled, moved to the end or filled; the end cut off.</summary>
    public static byte[] MutateBytes(byte[] valid, ref SeededRandom random)
    {
        List<byte> bytes = [.. valid];
        for (int changes = 1 + random.NextInt(3); changes > 0 && bytes.Count > 0; changes--)
        {
            // The first bytes of a file are what its reader believes first.
            int place = random.NextInt(random.NextInt(4) == 0 ? Math.Min(bytes.Count, 64) : bytes.Count);
            int length = Math.Min(1 + random.NextInt(20), bytes.Count - place);
            switch (random.NextInt(9))
            {
                case 0:
                    bytes[place] ^= (byte)(1 << random.NextInt(8));
                    break;
                case 1:
                    bytes[place] = (byte)random.NextInt(256);
                    break;
                case 2:
                    place = Math.Max(0, bytes.FindIndex(place, each => char.IsAsciiDigit((char)each)));
                    bytes[place] = (byte)('0' + random.NextInt(10));
                    break;
                case 3:
                    bytes.RemoveRange(place, length);
                    break;
                case 4:
                    bytes.InsertRange(place, bytes.GetRange(place, length));
                    break;
                case 5:
                    bytes.AddRange(bytes.GetRange(place, length));
                    bytes.RemoveRange(place, length);
                    break;
                case 6:
                    byte filling = (byte)(random.NextInt(2) * 255);
                    for (int i = place; i < place + length; i++)
                        bytes[i] = filling;
                    break;
                case 7:
                    WriteLength(bytes, random.NextInt(2) == 0 ? 0 : place, ref random);
                    break;
                default:
                    bytes.RemoveRange(place, bytes.Count - place);
                    break;
            }
        }
        return [.. bytes];
    }

    /// <summary>
    /// JSON with one or two values or names replaced, left out, doubled, made long or nested deeply; what no parser takes is
    /// changed as bytes.
    /// </summary>
    public static byte[] MutateJson(byte[] valid, ref SeededRandom random)
    {
        byte[] json = valid;
        for (int changes = 1 + random.NextInt(2); changes > 0; changes--)
        {
            Place[] places = random.NextInt(5) == 0 ? [] : Places(json);
            json = places.Length == 0 ? MutateBytes(json, ref random) : ChangePlace(json, places[random.NextInt(places.Length)], ref random);
        }
        return json;
    }

    /// <summary>A safetensors file with bytes changed anywhere, or with another header under a length that is right.</summary>
    public static byte[] MutateSafeTensors(byte[] valid, ref SeededRandom random)
    {
        if (random.NextInt(2) == 0)
            return MutateBytes(valid, ref random);
        int end = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(valid);
        byte[] header = MutateJson(valid[8..end], ref random);
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        return [.. length, .. header, .. valid[end..]];
    }

    /// <summary>A zip with bytes changed, or one that is whole but has an entry of other content, doubled, renamed or left out.</summary>
    public static byte[] MutateZip(byte[] valid, ref SeededRandom random)
    {
        if (random.NextInt(5) == 0)
            return MutateBytes(valid, ref random);
        List<KeyValuePair<string, byte[]>> entries = ReadZip(valid);
        int chosen = random.NextInt(entries.Count);
        (string name, byte[] content) = entries[chosen];
        switch (random.NextInt(12))
        {
            case 0:
                entries.RemoveAt(chosen);
                break;
            case 1:
                entries.Insert(chosen, new(name, MutateContent(name, content, ref random)));
                break;
            case 2:
                string[] names = ["../" + name, "/" + name, name.ToUpperInvariant(), name.Replace('/', '\\'), name + "/", "C:\\" + name, "../../escape.txt", new string('a', 300)];
                entries[chosen] = new(names[random.NextInt(names.Length)], content);
                break;
            default:
                entries[chosen] = new(name, MutateContent(name, content, ref random));
                break;
        }
        return WriteZip(entries);
    }

    /// <summary>A zip's entries, in their order.</summary>
    public static List<KeyValuePair<string, byte[]>> ReadZip(byte[] zip)
    {
        using var archive = new ZipArchive(new MemoryStream(zip));
        return [.. archive.Entries.Select(entry => KeyValuePair.Create(entry.FullName, ReadEntry(entry)))];
    }

    /// <summary>A whole zip, whose lengths and checksums are right.</summary>
    public static byte[] WriteZip(IEnumerable<KeyValuePair<string, byte[]>> entries)
    {
        using var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, byte[] content) in entries)
            {
                ZipArchiveEntry entry = archive.CreateEntry(name, CompressionLevel.Fastest);
                entry.LastWriteTime = DateTimeOffset.UnixEpoch.AddYears(20); // the same bytes on each run
                using Stream body = entry.Open();
                body.Write(content);
            }
        }
        return stream.ToArray();
    }

    private static byte[] ReadEntry(ZipArchiveEntry entry)
    {
        using Stream body = entry.Open();
        using var copy = new MemoryStream();
        body.CopyTo(copy);
        return copy.ToArray();
    }

    private static byte[] MutateContent(string name, byte[] content, ref SeededRandom random) => Path.GetExtension(name) switch
    {
        ".json" => MutateJson(content, ref random),
        ".safetensors" => MutateSafeTensors(content, ref random),
        _ => MutateBytes(content, ref random),
    };

    private static void WriteLength(List<byte> bytes, int place, ref SeededRandom random)
    {
        var number = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(number, Lengths[random.NextInt(Lengths.Length)]);
        int width = random.NextInt(3) == 0 ? 4 : 8;
        for (int i = 0; i < width && place + i < bytes.Count; i++)
            bytes[place + i] = number[i];
    }

    private static byte[] ChangePlace(byte[] json, Place place, ref SeededRandom random)
    {
        byte[] value = json[place.Start..place.End];
        bool isMember = place.NameStart >= 0;
        switch (random.NextInt(8))
        {
            case 0 when isMember: // left out
                return Replace(json, place.NameStart, EndWithComma(json, place.End), []);
            case 1 when isMember: // twice
                return Replace(json, place.NameStart, place.NameStart, [.. json[place.NameStart..place.End], (byte)',']);
            case 2 when isMember: // under another name
                return Replace(json, place.NameStart, place.NameEnd, Encoding.ASCII.GetBytes(Pick(Texts, ref random)));
            case 3: // nested
                int depth = 1 << random.NextInt(17);
                return Replace(json, place.Start, place.End, [.. Repeat("["u8, depth), .. value, .. Repeat("]"u8, random.NextInt(4) == 0 ? 0 : depth)]);
            case 4: // long
                byte[] item = random.NextInt(2) == 0 ? value : "0"u8.ToArray();
                int count = 1 << random.NextInt(random.NextInt(20) == 0 ? 20 : 13);
                return Replace(json, place.Start, place.End, [(byte)'[', .. Repeat([.. item, (byte)','], Math.Min(count, (1 << 22) / (item.Length + 1))), .. item, (byte)']']);
            case 5: // a long text
                return Replace(json, place.Start, place.End, [(byte)'"', .. Repeat("x\\n"u8, 1 << random.NextInt(random.NextInt(20) == 0 ? 20 : 13)), (byte)'"']);
            case 6:
                return Replace(json, place.Start, place.End, Encoding.ASCII.GetBytes(Pick(Texts, ref random)));
            default:
                return Replace(json, place.Start, place.End, Encoding.ASCII.GetBytes(Pick(Numbers, ref random)));
        }
    }

    private static string Pick(string[] texts, ref SeededRandom random) => texts[random.NextInt(texts.Length)];

    private static byte[] Repeat(ReadOnlySpan<byte> text, int count)
    {
        var result = new byte[text.Length * count];
        for (int i = 0; i < count; i++)
            text.CopyTo(result.AsSpan(i * text.Length));
        return result;
    }

    private static byte[] Replace(byte[] bytes, int start, int end, byte[] by) => [.. bytes[..start], .. by, .. bytes[end..]];

    private static int EndWithComma(byte[] json, int end)
    {
        int next = end;
        while (next < json.Length && json[next] is (byte)' ' or (byte)'\r' or (byte)'\n' or (byte)'\t')
            next++;
        return next < json.Length && json[next] == (byte)',' ? next + 1 : end;
    }

    /// <summary>Where each value stands, with its name where it has one; none where it is no JSON.</summary>
    private static Place[] Places(byte[] json)
    {
        var places = new List<Place>();
        var open = new Stack<(int Start, int NameStart, int NameEnd)>();
        int nameStart = -1, nameEnd = -1;
        var reader = new Utf8JsonReader(json);
        try
        {
            while (reader.Read())
            {
                int start = (int)reader.TokenStartIndex, end = (int)reader.BytesConsumed;
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName:
                        (nameStart, nameEnd) = (start, start + reader.ValueSpan.Length + 2);
                        continue;
                    case JsonTokenType.StartObject or JsonTokenType.StartArray:
                        open.Push((start, nameStart, nameEnd));
                        break;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        var began = open.Pop();
                        places.Add(new Place(began.Start, end, began.NameStart, began.NameEnd));
                        break;
                    default:
                        places.Add(new Place(start, end, nameStart, nameEnd));
                        break;
                }
                nameStart = -1;
            }
        }
        catch (JsonException)
        {
            return [];
        }
        return [.. places];
    }

    private readonly record struct Place(int Start, int End, int NameStart, int NameEnd);
}
