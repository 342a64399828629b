namespace Microsoft.ML.Contrastive;

/// <summary>What became of one tensor when an encoder's weights were imported.</summary>
public enum ImportStatus
{
    /// <summary>The file's values are the encoder's now, in single precision.</summary>
    Copied,

    /// <summary>A table of positions of another grid: resized, bicubic, and then copied.</summary>
    Interpolated,

    /// <summary>The encoder has it, the file doesn't: it keeps its first values.</summary>
    Missing,

    /// <summary>The file has it, the encoder doesn't, such as a classifier: left aside.</summary>
    Unused,
}

/// <summary>One line of an import's table.</summary>
/// <param name="Status">What became of it.</param>
/// <param name="Name">The encoder's name for it; null where it is <see cref="ImportStatus.Unused"/>.</param>
/// <param name="NameInFile">The file's name for it; null where it is <see cref="ImportStatus.Missing"/>.</param>
/// <param name="Shape">Its shape in the encoder, or where it is unused in the file.</param>
public sealed record ImportedTensor(ImportStatus Status, string? Name, string? NameInFile, IReadOnlyList<long> Shape);
