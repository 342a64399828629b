namespace Microsoft.ML.Contrastive;

/// <summary>Counts rows, and those of a kind, over all readers of a column: a cursor has two, which take turns.</summary>
internal sealed class ReaderTally
{
    private long _rows, _marked;
    private int _readers;

    /// <summary>A reader begins.</summary>
    public void Begin() => Interlocked.Increment(ref _readers);

    /// <param name="isMarked">Whether the row is of the kind that is counted.</param>
    public void Count(bool isMarked)
    {
        Interlocked.Increment(ref _rows);
        if (isMarked)
            Interlocked.Increment(ref _marked);
    }

    /// <summary>A reader ends.</summary>
    /// <returns>With the last of them, how many of how many, counted from 0 again afterwards; otherwise none of none.</returns>
    public (long Marked, long Rows) End() => Interlocked.Decrement(ref _readers) > 0 ? default : (Interlocked.Exchange(ref _marked, 0), Interlocked.Exchange(ref _rows, 0));
}
