using System.IO.Compression;
using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace ZeroShot;

/// <summary>A picture and its name.</summary>
internal sealed class Emoji
{
    [AnySizeImage]
    public MLImage Image { get; set; } = null!;

    public string Text { get; set; } = "";

    private static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "emoji");

    /// <summary>A vendor's, from the zip beside the program.</summary>
    public static Emoji[] Read(string vendor)
    {
        using ZipArchive zip = ZipFile.OpenRead(Path.Combine(Folder, $"{vendor}.zip"));
        return [.. ReadNames().Select(emoji => new Emoji { Image = Decode(zip.GetEntry(emoji.File)!.Open()), Text = emoji.Name })];
    }

    /// <summary>All emoji's files in a vendor's zip, and names.</summary>
    public static IEnumerable<(string File, string Name)> ReadNames()
        => File.ReadLines(Path.Combine(Folder, "names.tsv")).Skip(1).Select(line => line.Split('\t')).Select(cells => (cells[0], cells[1]));

    /// <summary>One of a vendor's files.</summary>
    public static byte[] ReadFile(string vendor, string file)
    {
        using ZipArchive zip = ZipFile.OpenRead(Path.Combine(Folder, $"{vendor}.zip"));
        using Stream entry = zip.GetEntry(file)!.Open();
        using var content = new MemoryStream();
        entry.CopyTo(content);
        return content.ToArray();
    }

    /// <summary>The pictures of a folder, by their files' names.</summary>
    public static IEnumerable<Emoji> ReadFolder(string folder) => Directory.EnumerateFiles(folder)
        .Where(file => Path.GetExtension(file).ToLowerInvariant() is ".png" or ".jpg" or ".jpeg").Order(StringComparer.Ordinal)
        .Select(file => new Emoji { Image = Decode(File.OpenRead(file)), Text = Path.GetFileName(file) });

    /// <summary>A picture from a PNG or JPEG; the stream is disposed.</summary>
    public static MLImage Decode(Stream file)
    {
        using (file)
        using (var content = new MemoryStream())
        {
            file.CopyTo(content);
            content.Position = 0;
            return MLImage.CreateFromStream(content);
        }
    }
}

/// <summary>What is said of a picture.</summary>
internal sealed class Named
{
    public float[] Score { get; set; } = [];
}
