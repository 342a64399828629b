using System.IO.Compression;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace ZeroShot;

/// <summary>A picture and its name.</summary>
internal sealed class Emoji
{
    [AnySize]
    public MLImage Image { get; set; } = null!;

    public string Text { get; set; } = "";

    /// <summary>A vendor's, from the zip beside the program.</summary>
    public static Emoji[] Read(string vendor)
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "emoji");
        using ZipArchive zip = ZipFile.OpenRead(Path.Combine(folder, $"{vendor}.zip"));
        return [.. File.ReadLines(Path.Combine(folder, "names.tsv")).Skip(1).Select(line => line.Split('\t')).Select(cells => new Emoji { Image = Decode(zip.GetEntry(cells[0])!.Open()), Text = cells[1] })];
    }

    /// <summary>The pictures of a folder, by their files' names.</summary>
    public static IEnumerable<Emoji> ReadFolder(string folder) => Directory.EnumerateFiles(folder)
        .Where(file => Path.GetExtension(file).ToLowerInvariant() is ".png" or ".jpg" or ".jpeg").Order(StringComparer.Ordinal)
        .Select(file => new Emoji { Image = Decode(File.OpenRead(file)), Text = Path.GetFileName(file) });

    private static MLImage Decode(Stream file)
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

/// <summary>Images of any size; ML.NET's own attribute asks for one.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AnySizeAttribute : DataViewTypeAttribute
{
    public override bool Equals(DataViewTypeAttribute? other) => other is AnySizeAttribute;

    public override bool Equals(object? other) => other is AnySizeAttribute;

    public override int GetHashCode() => 1;

    public override void Register() => DataViewTypeManager.Register(new ImageDataViewType(), typeof(MLImage), this);
}
