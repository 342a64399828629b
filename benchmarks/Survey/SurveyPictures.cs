using System.IO.Compression;
using FewLabels;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Pictures of one size with their classes, decoded, for training and for the test.</summary>
internal sealed record SurveyPictures(ImageShape Shape, SurveyPictures.Row[] Train, SurveyPictures.Row[] Test)
{
    internal sealed class Row
    {
        /// <summary>Planar.</summary>
        public byte[] Image { get; set; } = [];

        public string Label { get; set; } = "";
    }

    private static readonly string[] s_extensions = [".png", ".jpg", ".jpeg", ".bmp", ".gif"];

    /// <exception cref="SurveyException">There are no pictures, or not of one size.</exception>
    public static SurveyPictures Read(SurveyOptions options)
    {
        if (options.Images is { } images)
            return Read(images, "train", images, "test");
        if (options.Train is { } train)
            return Read(train, "", options.Test!, "");
        FashionMnist data = FashionMnist.Open(options.Data, Console.Error.WriteLine);
        return new SurveyPictures(new ImageShape(ImageSet.Side, ImageSet.Side, 1), Rows(data.ReadTraining()), Rows(data.ReadTest()));

        static Row[] Rows(ImageSet set)
            => [.. Enumerable.Range(0, set.Count).Select(i => new Row { Image = set.Image(i), Label = FashionMnist.ClassNames[set.Labels[i]] })];
    }

    public IDataView View(MLContext ml, Row[] rows)
    {
        SchemaDefinition schema = SchemaDefinition.Create(typeof(Row));
        schema[nameof(Row.Image)].ColumnType = new VectorDataViewType(NumberDataViewType.Byte, Shape.Channels * Shape.Height * Shape.Width);
        return ml.Data.LoadFromEnumerable(rows, schema);
    }

    private static SurveyPictures Read(string trainPath, string trainFolder, string testPath, string testFolder)
    {
        ImageShape? shape = null;
        Row[] train = Decode(trainPath, trainFolder), test = Decode(testPath, testFolder);
        if (train.Concat(test).All(row => IsGray(row.Image)))
        {
            foreach (Row row in train.Concat(test))
                row.Image = row.Image[..(row.Image.Length / 3)];
            shape = shape! with { Channels = 1 };
        }
        return new SurveyPictures(shape!, train, test);

        Row[] Decode(string path, string folder)
        {
            var buffer = new PictureBuffer();
            Row[] rows = [.. Files(path, folder).Select(file =>
            {
                MLImage? image = null;
                try
                {
                    image = MLImage.CreateFromStream(file.Content);
                }
                catch (Exception error) when (error is ArgumentException or InvalidOperationException)
                {
                    throw new SurveyException($"{file.Name} in {path} is no picture that can be read: {error.Message}");
                }
                using MLImage decoded = image;
                MLImagePictures.Reader((ref MLImage value) => value = decoded)(buffer);
                shape ??= new ImageShape(decoded.Height, decoded.Width, 3);
                if ((shape.Height, shape.Width) != (decoded.Height, decoded.Width))
                    throw new SurveyException($"{file.Name} in {path} is {decoded.Width} x {decoded.Height} pixels, others are {shape.Width} x {shape.Height}: the survey takes pictures of one size.");
                return new Row { Image = buffer.Picture.Pixels.ToArray(), Label = Path.GetFileName(Path.GetDirectoryName(file.Name)!) };
            })];
            return rows.Length > 1 ? rows
                : throw new SurveyException($"{path} has no two pictures as {(folder.Length > 0 ? folder + "/" : "")}CLASS/NAME ({string.Join(", ", s_extensions)}).");
        }
    }

    private static bool IsGray(byte[] image)
    {
        ReadOnlySpan<byte> red = image.AsSpan(0, image.Length / 3);
        return red.SequenceEqual(image.AsSpan(red.Length, red.Length)) && red.SequenceEqual(image.AsSpan(2 * red.Length));
    }

    /// <summary>The files FOLDER/CLASS/NAME of a folder or zip by name, so that the order is the same everywhere.</summary>
    private static IEnumerable<(string Name, Stream Content)> Files(string path, string folder)
    {
        if (Directory.Exists(path))
        {
            foreach (string name in Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(path, file).Replace('\\', '/')).Where(Belongs).Order(StringComparer.Ordinal))
            {
                using FileStream content = File.OpenRead(Path.Combine(path, name));
                yield return (name, content);
            }
            yield break;
        }
        if (!File.Exists(path))
            throw new SurveyException($"There is no folder or zip '{path}'.");
        using ZipArchive zip = ZipFile.OpenRead(path);
        foreach (ZipArchiveEntry entry in zip.Entries.Where(entry => Belongs(entry.FullName)).OrderBy(entry => entry.FullName, StringComparer.Ordinal))
        {
            using var content = new MemoryStream();
            using (Stream packed = entry.Open())
                packed.CopyTo(content);
            content.Position = 0;
            yield return (entry.FullName, content);
        }

        bool Belongs(string name)
        {
            string[] parts = name.Split('/');
            return s_extensions.Contains(Path.GetExtension(name).ToLowerInvariant())
                && (folder.Length == 0 ? parts.Length == 2 : parts.Length == 3 && parts[0] == folder);
        }
    }
}
