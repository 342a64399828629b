using System.Buffers;
using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>Characters that are written one after the other into an array of the pool. Dispose gives the array back.</summary>
internal ref struct CharBuffer(int capacity)
{
    private char[] _chars = ArrayPool<char>.Shared.Rent(Math.Max(capacity, 16));

    /// <summary>Characters written.</summary>
    public int Length { get; private set; }

    public readonly ReadOnlySpan<char> Written => _chars.AsSpan(0, Length);

    public void Append(char c)
    {
        if (Length == _chars.Length)
            Grow(1);
        _chars[Length++] = c;
    }

    public void Append(ReadOnlySpan<char> text)
    {
        if (text.Length > _chars.Length - Length)
            Grow(text.Length);
        text.CopyTo(_chars.AsSpan(Length));
        Length += text.Length;
    }

    public void Append(Rune rune)
    {
        if (_chars.Length - Length < 2)
            Grow(2);
        Length += rune.EncodeToUtf16(_chars.AsSpan(Length));
    }

    /// <summary>Takes back all but the first characters.</summary>
    public void Cut(int length) => Length = length;

    public readonly void Dispose() => ArrayPool<char>.Shared.Return(_chars);

    private void Grow(int more)
    {
        char[] larger = ArrayPool<char>.Shared.Rent(Math.Max(2 * _chars.Length, Length + more));
        Written.CopyTo(larger);
        ArrayPool<char>.Shared.Return(_chars);
        _chars = larger;
    }
}
