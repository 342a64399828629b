using System.Globalization;
using System.IO.MemoryMappedFiles;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A file for what does not fit in memory: appended to, then mapped and read. It is gone when this is disposed and when the
/// process ends, however it ends.
/// </summary>
/// <remarks>
/// Bytes are written by ordinary writes, never through the mapping: there, a full disk would be a signal that kills the process.
/// </remarks>
internal sealed unsafe class ScratchFile : IDisposable
{
    private const string Prefix = "contrastiveml-", Suffix = ".scratch";
    private readonly string _folder;
    private readonly FileStream _file;
    private MemoryMappedFile? _mapping;
    private MemoryMappedViewAccessor? _view;
    private byte* _bytes;

    /// <summary>Makes a file of a name that is nobody else's in a folder, which is created where it is missing.</summary>
    /// <exception cref="IOException">The folder or the file can't be made: the message names both options that help.</exception>
    public ScratchFile(string folder)
        : this(folder, Open(folder))
    {
    }

    /// <summary>Over an open file, which this disposes.</summary>
    internal ScratchFile(string folder, FileStream file) => (_folder, _file) = (folder, file);

    /// <summary>Bytes that were appended.</summary>
    public long Length { get; private set; }

    /// <exception cref="IOException">The disk is full, or failed: the message says how much was needed and is free, and what helps.</exception>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(_file.SafeFileHandle, bytes, Length);
        }
        catch (IOException error)
        {
            throw new IOException(Invariant(
                $"Writing {bytes.Length} more bytes to a scratch file of {Length} failed ({error.Message}): {Free(_folder)}. {Advice}"), error);
        }
        Length += bytes.Length;
    }

    /// <summary>Ends writing: from here on the bytes can be read.</summary>
    public void Map()
    {
        if (Length == 0)
            return; // nothing can't be mapped
        _mapping = MemoryMappedFile.CreateFromFile(_file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _mapping.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _bytes);
    }

    /// <summary>Bytes of the mapped file, which must lie within it; the span must not be used once this is disposed.</summary>
    public ReadOnlySpan<byte> Read(long offset, int size) => new(_bytes + offset, size);

    public void Dispose()
    {
        if (_bytes is not null)
            _view!.SafeMemoryMappedViewHandle.ReleasePointer();
        _bytes = null;
        _view?.Dispose();
        _mapping?.Dispose();
        _file.Dispose();
    }

    /// <summary>Refuses a folder, before anything is written, whose disk has less than so many bytes free.</summary>
    /// <exception cref="IOException">It has less, or the folder can't be made: the message names both options that help.</exception>
    public static void RequireRoom(string folder, long needed)
    {
        Create(folder);
        if (FreeBytes(folder) < needed)
            throw new IOException(Invariant($"A scratch file of {needed} bytes is needed for what exceeds the memory budget, but {Free(folder)}. {Advice}"));
    }

    private static string Advice => "Make room there, set TrainingOptions.ScratchFolder to a folder on a larger disk, or raise TrainingOptions.MemoryBudget.";

    private static string Free(string folder) => FreeBytes(folder) is { } bytes
        ? Invariant($"the scratch folder '{folder}' has {bytes} bytes free")
        : $"how much the scratch folder '{folder}' has free can't be told";

    /// <summary>Null where the system does not say, as for a share of a network on Windows.</summary>
    private static long? FreeBytes(string folder)
    {
        try
        {
            return new DriveInfo(OperatingSystem.IsWindows() ? Path.GetPathRoot(folder)! : folder).AvailableFreeSpace;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    private static void Create(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unusable(folder, error);
        }
    }

    private static FileStream Open(string folder)
    {
        Create(folder);
        string path = Path.Combine(folder, $"{Prefix}{Guid.NewGuid():N}{Suffix}");
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            BufferSize = 0,
            Options = FileOptions.DeleteOnClose, // Windows keeps to it even when the process is killed
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite; // the data are nobody else's business
        FileStream? file = null;
        try
        {
            Sweep(folder);
            file = new FileStream(path, options);
            if (!OperatingSystem.IsWindows())
                File.Delete(path); // without a name it is freed with its last handle, even when the process is killed
            return file;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            file?.Dispose();
            throw Unusable(folder, error);
        }
    }

    /// <summary>
    /// Deletes files that a process left which was killed as it made one, or whose system lost power. Files that are held can't be opened here.
    /// Young ones are left alone: on Unix a file is made and locked in two steps, and to hold it between them would fail its maker.
    /// </summary>
    private static void Sweep(string folder)
    {
        foreach (string path in Directory.EnumerateFiles(folder, $"{Prefix}*{Suffix}", new EnumerationOptions()))
            try
            {
                if (DateTime.UtcNow - File.GetLastWriteTimeUtc(path) > TimeSpan.FromMinutes(1))
                    new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, 0, FileOptions.DeleteOnClose).Dispose();
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // Held, another user's, or just swept by another process.
            }
    }

    private static IOException Unusable(string folder, Exception error) => new(
        $"No scratch file can be made in '{folder}' ({error.Message.TrimEnd('.')}). Set TrainingOptions.ScratchFolder to a folder that can be written to, or raise TrainingOptions.MemoryBudget to keep all in memory.", error);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
