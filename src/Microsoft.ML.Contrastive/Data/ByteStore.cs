namespace Microsoft.ML.Contrastive;

/// <summary>
/// Items of bytes that are added one after the other, then read in any order by any number of threads: the first in memory, as
/// far as a budget goes, all others in a <see cref="ScratchFile"/>.
/// </summary>
internal sealed class ByteStore : IDisposable
{
    private const int InScratch = -1;
    private readonly long _budget;
    private readonly string _folder;
    private readonly int _chunkSize;
    private readonly List<byte[]> _memory = []; // in chunks, so that the whole may exceed one array
    private readonly List<(int Chunk, long Offset, int Size)> _items = [];
    private ScratchFile? _scratch;
    private byte[]? _chunk; // where the next item goes: the last of the memory's, or what the scratch file gets next
    private int _used;
    private long _kept; // in the memory's chunks before that one
    private bool _sealed, _disposed;

    /// <summary>A quarter of the memory that the process may use, in bytes.</summary>
    public static long DefaultBudget => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4;

    /// <param name="memoryBudget">Bytes of items kept in memory. Null: a quarter of the memory that the process may use.</param>
    /// <param name="scratchFolder">Where the scratch file is made once it is needed. Null: the system's folder for temporary files.</param>
    /// <param name="chunkSize">Bytes that are allocated and written at once, unless an item is larger.</param>
    public ByteStore(long? memoryBudget, string? scratchFolder, int chunkSize = 1 << 26)
    {
        _budget = memoryBudget ?? DefaultBudget;
        _folder = Path.GetFullPath(scratchFolder ?? Path.GetTempPath());
        _chunkSize = chunkSize;
    }

    public int Count => _items.Count;

    /// <summary>Bytes in the scratch file; final once this is sealed.</summary>
    public long ScratchLength => _scratch?.Length ?? 0;

    /// <summary>How many bytes an item has.</summary>
    public int Length(int item) => _items[item].Size;

    /// <summary>The bytes of an item, to be used no longer than this lives.</summary>
    public ReadOnlySpan<byte> this[int item]
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (!_sealed)
                throw new InvalidOperationException("Items can be read once all are added: call Seal first.");
            (int chunk, long offset, int size) = _items[item];
            return chunk == InScratch ? _scratch!.Read(offset, size) : _memory[chunk].AsSpan((int)offset, size);
        }
    }

    /// <summary>
    /// Tells the system which items are read next, so that it fetches them from the disk together, not one page after the other as they
    /// are read: what makes random order bearable once the scratch file exceeds the system's cache.
    /// </summary>
    public void Prefetch(ReadOnlySpan<int> items, ReadAhead readAhead)
    {
        foreach (int item in items)
            if (_items[item].Chunk == InScratch)
                readAhead(this[item]);
    }

    /// <summary>Says before the first item how many bytes will come, so that a disk that is too small is an error now, not hours later.</summary>
    /// <exception cref="IOException">The scratch folder has no room for what exceeds the budget, or can't be made.</exception>
    public void Expect(long bytes)
    {
        if (bytes > _budget)
            ScratchFile.RequireRoom(_folder, bytes - _budget);
    }

    /// <summary>Makes room for one more item and gives its bytes, to be filled before the next call.</summary>
    /// <exception cref="IOException">The scratch file can't be made or written.</exception>
    public Span<byte> Add(int size)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_sealed)
            throw new InvalidOperationException("The store is sealed: no item can be added.");
        if (_chunk is null || size > _chunk.Length - _used)
            _chunk = NextChunk(size);
        _items.Add(_scratch is null ? (_memory.Count - 1, _used, size) : (InScratch, _scratch.Length + _used, size));
        _used += size;
        return _chunk.AsSpan(_used - size, size);
    }

    /// <summary>Ends adding: from here on items can be read.</summary>
    /// <exception cref="IOException">The scratch file can't be written.</exception>
    public void Seal()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_sealed)
            return;
        CloseChunk();
        _scratch?.Map();
        _chunk = null;
        _sealed = true;
    }

    /// <summary>Deletes the scratch file. No thread may be reading.</summary>
    public void Dispose()
    {
        _disposed = true;
        _memory.Clear();
        _chunk = null;
        _scratch?.Dispose();
    }

    private byte[] NextChunk(int size)
    {
        CloseChunk();
        long room = _budget - _kept;
        if (_scratch is null && size <= room)
        {
            _memory.Add(Allocate(Math.Min(Math.Max(_chunkSize, size), room)));
            return _memory[^1];
        }
        _scratch ??= new ScratchFile(_folder);
        return _chunk?.Length >= size ? _chunk : Allocate(Math.Max(_chunkSize, size));
    }

    private void CloseChunk()
    {
        if (_scratch is null)
            (_kept, _chunk) = (_kept + _used, null); // full: never to be written to again
        else
            _scratch.Append(_chunk.AsSpan(0, _used));
        _used = 0;
    }

    private static byte[] Allocate(long size) => GC.AllocateUninitializedArray<byte>((int)size);
}

/// <summary>Asks the system to have bytes of a mapped file in memory soon; false where it was not asked.</summary>
internal delegate bool ReadAhead(ReadOnlySpan<byte> mapped);
