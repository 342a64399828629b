using System.IO.Compression;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>Reads and changes entries of saved models, by their names without the folder.</summary>
internal static class ZipEntries
{
    public static byte[] Read(byte[] zip, string name)
    {
        using var archive = new ZipArchive(new MemoryStream(zip));
        using var copy = new MemoryStream();
        using (Stream entry = archive.Entries.Single(each => each.Name == name).Open())
            entry.CopyTo(copy);
        return copy.ToArray();
    }

    /// <summary>The zip with other content in an entry, or without it.</summary>
    public static byte[] Replace(byte[] zip, string name, byte[]? content)
    {
        using var stream = new MemoryStream();
        stream.Write(zip);
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Update, leaveOpen: true))
        {
            ZipArchiveEntry entry = archive.Entries.Single(each => each.Name == name);
            string fullName = entry.FullName;
            entry.Delete();
            if (content is not null)
                using (Stream body = archive.CreateEntry(fullName).Open())
                    body.Write(content);
        }
        return stream.ToArray();
    }
}
