using System.IO.Compression;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>A picture with words.</summary>
internal sealed class CaptionedRow
{
    /// <summary>Planar, three channels.</summary>
    public byte[] Image { get; set; } = [];

    /// <summary>The picture's name: rows of one name are captions of one picture.</summary>
    public string File { get; set; } = "";

    public string Caption { get; set; } = "";

    public string Label { get; set; } = "";
}

/// <summary>Pictures of a folder or zip, decoded to one square size; alpha over white.</summary>
internal sealed class CaptionedPictures(int side)
{
    private static readonly string[] s_extensions = [".png", ".jpg", ".jpeg", ".bmp", ".gif"];
    private readonly ByteResizer _resizer = new();
    private readonly PictureBuffer _buffer = new();

    public ImageShape Shape => new(side, side, 3);

    public IDataView View(MLContext ml, IEnumerable<CaptionedRow> rows)
    {
        SchemaDefinition schema = SchemaDefinition.Create(typeof(CaptionedRow));
        schema[nameof(CaptionedRow.Image)].ColumnType = new VectorDataViewType(NumberDataViewType.Byte, 3 * side * side);
        return ml.Data.LoadFromEnumerable(rows, schema);
    }

    /// <summary>The rows of a TSV with a header, each with its picture; those with a blank caption are left out, and told.</summary>
    /// <param name="file">The TSV; has a column file, the picture's path in <paramref name="pictures"/>.</param>
    /// <param name="pictures">A folder or zip.</param>
    /// <param name="make">A row from its cells by column name, or null to leave it out.</param>
    /// <exception cref="BenchmarkException">The TSV or a picture is missing, or none that can be read.</exception>
    public CaptionedRow[] Read(string file, string pictures, Func<Func<string, string>, CaptionedRow?> make)
    {
        if (!File.Exists(file))
            throw new BenchmarkException($"There is no file {file}.");
        using Source source = Source.Open(pictures);
        string[] lines = File.ReadAllLines(file), columns = lines.FirstOrDefault("").Split('\t');
        var rows = new List<CaptionedRow>();
        var decoded = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        int blank = 0;
        foreach ((int number, string line) in lines.Index().Skip(1).Where(line => line.Item.Length > 0))
        {
            string[] cells = line.Split('\t');
            if (make(Cell) is not { } row)
                continue;
            if (string.IsNullOrWhiteSpace(row.Caption))
            {
                blank++;
                continue;
            }
            row.File = Cell("file");
            if (!decoded.TryGetValue(row.File, out byte[]? pixels))
                decoded.Add(row.File, pixels = Decode(source.Read(row.File), row.File));
            row.Image = pixels;
            rows.Add(row);

            string Cell(string name) => Array.IndexOf(columns, name) is >= 0 and int column && column < cells.Length ? cells[column]
                : throw new BenchmarkException($"{file}, line {number + 1}, has no column '{name}': it needs a header with file and caption, and tabs between cells.");
        }
        if (blank > 0)
            Console.Error.WriteLine($"{file}: {blank} rows with a blank caption are left out.");
        return rows.Count > 0 ? [.. rows] : throw new BenchmarkException($"{file} has no rows for this task: it needs a header with file and caption, and a picture's path and words in each line behind it.");
    }

    /// <summary>CIFAR-10 with its nouns as captions.</summary>
    /// <param name="data">Holds the folder cifar10.</param>
    /// <param name="part">train or test.</param>
    /// <exception cref="BenchmarkException">A file is missing.</exception>
    public CaptionedRow[] ReadCifar(string data, string part) => Read(
        Path.Combine(data, "cifar10", $"cifar10-{part}.tsv"), Path.Combine(data, "cifar10", $"cifar10-{part}.zip"), cell => new CaptionedRow { Caption = cell("noun"), Label = cell("label") });

    /// <summary>Pictures as CLASS/NAME, with the folders' names as labels.</summary>
    /// <exception cref="BenchmarkException">There is none.</exception>
    public CaptionedRow[] ReadClasses(string pictures)
    {
        using Source source = Source.Open(pictures);
        CaptionedRow[] rows = [.. source.Names.Where(name => name.Contains('/') && !Path.GetFileName(name).StartsWith('.') && s_extensions.Contains(Path.GetExtension(name).ToLowerInvariant())).Order(StringComparer.Ordinal)
            .Select(name => new CaptionedRow { Image = Decode(source.Read(name), name), Label = name.Split('/')[^2].Replace('_', ' ') })];
        return rows.Length > 0 ? rows : throw new BenchmarkException($"{pictures} has no pictures as CLASS/NAME.");
    }

    private byte[] Decode(Stream content, string name)
    {
        MLImage? image = null;
        try
        {
            image = MLImage.CreateFromStream(content);
        }
        catch (Exception error) when (error is ArgumentException or InvalidOperationException)
        {
            throw new BenchmarkException($"{name} is no picture that can be read: {error.Message}");
        }
        using MLImage decoded = image;
        MLImagePictures.Reader((ref MLImage value) => value = decoded)(_buffer);
        (ResizeAxis rows, ResizeAxis columns) = ImageViewMaker.Covering(_buffer.Height, _buffer.Width, side, side);
        var pixels = new byte[3 * side * side];
        _resizer.Resize(_buffer.Picture, rows, columns, pixels);
        return pixels;
    }

    /// <summary>A folder or a zip.</summary>
    private sealed class Source(string place, ZipArchive? zip) : IDisposable
    {
        public IEnumerable<string> Names => zip is not null ? zip.Entries.Select(entry => entry.FullName)
            : Directory.EnumerateFiles(place, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(place, file).Replace('\\', '/'));

        public static Source Open(string path) => Directory.Exists(path) ? new Source(path, null)
            : File.Exists(path) ? new Source(path, OpenZip(path)) : throw new BenchmarkException($"There is no folder or zip '{path}'.");

        public MemoryStream Read(string name)
        {
            using Stream packed = zip is null
                ? File.Exists(Path.Combine(place, name)) ? File.OpenRead(Path.Combine(place, name)) : throw Missing()
                : (zip.GetEntry(name) ?? throw Missing()).Open();
            var content = new MemoryStream();
            packed.CopyTo(content);
            content.Position = 0;
            return content;

            BenchmarkException Missing() => new($"{place} has no picture {name}.");
        }

        public void Dispose() => zip?.Dispose();

        private static ZipArchive OpenZip(string path)
        {
            try
            {
                return ZipFile.OpenRead(path);
            }
            catch (InvalidDataException)
            {
                throw new BenchmarkException($"{path} is no folder and no zip.");
            }
        }
    }
}
