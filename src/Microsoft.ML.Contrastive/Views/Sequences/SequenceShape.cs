namespace Microsoft.ML.Contrastive;

/// <summary>In which order the numbers of a sequence stand in a vector.</summary>
public enum SequenceLayout
{
    /// <summary>All channels of the first time, then all of the second: the default.</summary>
    TimeMajor,

    /// <summary>All times of the first channel, then all of the second.</summary>
    ChannelMajor,
}

/// <summary>
/// How a known-size vector column of Single holds a sequence: sensor windows, audio frames. <c>Length * Size</c> must be the vector's size.
/// </summary>
/// <param name="Length">T, times of a sequence, at least 1.</param>
/// <param name="Size">d, numbers at each time (channels), 1 to 4,096.</param>
public sealed record SequenceShape(int Length, int Size)
{
    /// <summary>Largest sequence, in numbers.</summary>
    internal const int MaxNumbers = 1 << 24;

    /// <summary>The order of the numbers. The default value is <see cref="SequenceLayout.TimeMajor"/>.</summary>
    public SequenceLayout Layout { get; init; } = SequenceLayout.TimeMajor;

    /// <summary>Numbers of one sequence.</summary>
    internal int Numbers => Length * Size;

    /// <summary>Throws when a setting is out of its range.</summary>
    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Length, 1);
        if (Size is < 1 or > 4096)
            throw new ArgumentOutOfRangeException(nameof(Size), Size, "A SequenceShape has 1 to 4,096 numbers at each time.");
        if ((long)Length * Size > MaxNumbers)
            throw new ArgumentOutOfRangeException(nameof(Length), Length, $"A SequenceShape of {Length} x {Size} is more than {MaxNumbers} numbers: cut the sequences into shorter windows.");
        if (!Enum.IsDefined(Layout))
            throw new ArgumentOutOfRangeException(nameof(Layout), Layout, "Choose SequenceLayout.TimeMajor or SequenceLayout.ChannelMajor.");
    }
}
