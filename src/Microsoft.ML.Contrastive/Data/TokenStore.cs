using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Microsoft.ML.Contrastive;

/// <summary>All texts of a run as token ids, read from the data once: added, then sealed, then read by any number of threads. An example has one text or several.</summary>
internal sealed class TokenStore(ByteStore bytes) : IDisposable
{
    /// <summary>Stands between the texts of an example; no token has this id.</summary>
    public const int Separator = -1;

    public int Count => bytes.Count;

    /// <summary>Bytes that went to the scratch file; final once this is sealed.</summary>
    public long ScratchLength => bytes.ScratchLength;

    /// <summary>The ids of a row's texts.</summary>
    public int[][] this[int row]
    {
        get
        {
            ReadOnlySpan<int> ids = MemoryMarshal.Cast<byte, int>(bytes[row]);
            var texts = new int[ids.Count(Separator) + 1][];
            int next = 0;
            foreach (Range text in ids.Split(Separator))
                texts[next++] = ids[text].ToArray();
            return texts;
        }
    }

    /// <summary>Tokens of all texts of a row together.</summary>
    public int Length(int row) => bytes.Length(row) / sizeof(int);

    /// <summary>Tells the system which rows are read next.</summary>
    public void Prefetch(ReadOnlySpan<int> rows, ReadAhead readAhead) => bytes.Prefetch(rows, readAhead);

    /// <summary>Keeps the texts of an example, with a <see cref="Separator"/> between each two.</summary>
    /// <exception cref="IOException">The scratch file can't be made or written.</exception>
    public void Add(ReadOnlySpan<int> ids) => ids.CopyTo(MemoryMarshal.Cast<byte, int>(bytes.Add(ids.Length * sizeof(int))));

    /// <summary>Ends adding: from here on texts can be read.</summary>
    /// <exception cref="IOException">The scratch file can't be written.</exception>
    public void Seal() => bytes.Seal();

    /// <summary>Deletes the scratch file. No thread may be reading.</summary>
    public void Dispose() => bytes.Dispose();

    /// <summary>SHA-256, in lowercase hexadecimal, of all ids: the same for the same texts in the same order. One pass over all bytes.</summary>
    public string Fingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[sizeof(int)];
        for (int row = 0; row < Count; row++)
        {
            ReadOnlySpan<byte> ids = bytes[row];
            MemoryMarshal.Write(length, ids.Length);
            hash.AppendData(length);
            hash.AppendData(ids);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
