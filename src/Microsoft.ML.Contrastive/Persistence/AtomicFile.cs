namespace Microsoft.ML.Contrastive;

/// <summary>Files that are either whole or as they were before, whatever happens while they are written.</summary>
internal static class AtomicFile
{
    /// <summary>How the name of a file that is not whole yet ends; one that stays behind belongs to a process that was killed.</summary>
    public const string TemporaryExtension = ".tmp";

    /// <summary>Writes beside the file, waits until the bytes are on the disk, and only then takes its name.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        string temporary = $"{Path.GetFullPath(path)}.{Guid.NewGuid():N}{TemporaryExtension}";
        try
        {
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                write(file);
                file.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary); // gone already where all went well
        }
    }
}
