using System.Buffers.Binary;
using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// SentencePiece's table of how characters are written: the number of bytes of a double-array trie, the trie, whose values are places in
/// the texts behind it, and those texts, each with a zero at its end. Read with bounds: a damaged table finds nothing, or something else.
/// </summary>
internal sealed class CharacterMap
{
    private readonly ReadOnlyMemory<byte> _trie, _texts;

    /// <exception cref="ArgumentException">The sizes do not fit.</exception>
    public CharacterMap(ReadOnlyMemory<byte> map)
    {
        long size = map.Length < 4 ? -1 : BinaryPrimitives.ReadUInt32LittleEndian(map.Span);
        if (size < 4 || size % 4 != 0 || size > map.Length - 4)
            throw new ArgumentException($"The table of characters is damaged: {map.Length} bytes can't hold a trie of {size}.", nameof(map));
        _trie = map.Slice(4, (int)size);
        _texts = map[(4 + (int)size)..];
    }

    /// <summary>How the longest known start of the text is written.</summary>
    /// <param name="text">UTF-8.</param>
    /// <param name="taken">Bytes of that start.</param>
    /// <param name="written">What stands for it, perhaps nothing.</param>
    public bool TryMap(ReadOnlySpan<byte> text, out int taken, out string written)
    {
        (taken, int place) = (0, -1);
        uint node = 0, unit = Unit(0);
        node ^= Offset(unit);
        for (int i = 0; i < text.Length; i++)
        {
            node ^= text[i];
            unit = Unit(node);
            if ((unit & 0x800000FF) != text[i])
                break;
            node ^= Offset(unit);
            if ((unit >> 8 & 1) != 0)
                (taken, place) = (i + 1, (int)(Unit(node) & 0x7FFFFFFF));
        }
        if (taken == 0 || place >= _texts.Length)
        {
            written = "";
            return false;
        }
        ReadOnlySpan<byte> found = _texts.Span[place..];
        int end = found.IndexOf((byte)0);
        written = Encoding.UTF8.GetString(end < 0 ? found : found[..end]);
        return true;
    }

    private uint Unit(uint node) => 4L * node + 4 <= _trie.Length ? BinaryPrimitives.ReadUInt32LittleEndian(_trie.Span[(int)(4 * node)..]) : 0;

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & (1u << 9)) >> 6);
}
