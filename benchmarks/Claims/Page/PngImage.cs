using System.Buffers.Binary;
using System.IO.Compression;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Small pictures as PNG (W3C, Portable Network Graphics, third edition): 8 bits a channel, gray or in colour, no filter.</summary>
internal static class PngImage
{
    private const byte Gray = 0, Colour = 2;
    private static readonly uint[] s_crc = [.. Enumerable.Range(0, 256).Select(index =>
    {
        uint value = (uint)index;
        for (int bit = 0; bit < 8; bit++)
            value = (value & 1) == 0 ? value >> 1 : 0xEDB88320 ^ (value >> 1);
        return value;
    })];

    /// <summary>For an img element's src.</summary>
    public static string DataUri(byte[] planes, ImageShape shape) => "data:image/png;base64," + Convert.ToBase64String(Encode(planes, shape));

    /// <param name="planes">One plane of bytes for each channel, [C, H, W].</param>
    /// <param name="shape">1 or 3 channels.</param>
    public static byte[] Encode(byte[] planes, ImageShape shape)
    {
        (int height, int width, int channels) = (shape.Height, shape.Width, shape.Channels);
        var lines = new byte[height * (1 + width * channels)];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                for (int channel = 0; channel < channels; channel++)
                    lines[y * (1 + width * channels) + 1 + x * channels + channel] = planes[(channel * height + y) * width + x];
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
            zlib.Write(lines);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (8, channels == 1 ? Gray : Colour);
        return [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10, .. Chunk("IHDR"u8, header), .. Chunk("IDAT"u8, packed.ToArray()), .. Chunk("IEND"u8, [])];
    }

    private static byte[] Chunk(ReadOnlySpan<byte> kind, ReadOnlySpan<byte> content)
    {
        var chunk = new byte[12 + content.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, content.Length);
        kind.CopyTo(chunk.AsSpan(4));
        content.CopyTo(chunk.AsSpan(8));
        uint crc = uint.MaxValue;
        foreach (byte each in chunk.AsSpan(4, 4 + content.Length))
            crc = s_crc[(byte)(crc ^ each)] ^ (crc >> 8);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(8 + content.Length), ~crc);
        return chunk;
    }
}
