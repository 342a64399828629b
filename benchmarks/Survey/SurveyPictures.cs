using System.IO.Compression;
using FewLabels;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Pictures of one size with their classes, decoded, for training and for the test. Other sizes are cut square around the middle and resized.</summary>
internal sealed record SurveyPictures(ImageShape Shape, SurveyPictures.Row[] Train, SurveyPictures.Row[] Test)
{
    internal sealed class Row
    {
        /// <summary>Planar.</summary>
        public byte[] Image { get; set; } = [];

        public string Label { get; set; } = "";
    }

    private static readonly string[] s_extensions = [".png", ".jpg", ".jpeg", ".bmp", ".gif"];

    /// <exception cref="BenchmarkException">There are no pictures, or a file is none.</exception>
    public static SurveyPictures Read(SurveyOptions options)
    {
        if (options.Images is { } images)
            return Read(images, "train", images, "test", options.Size);
        if (options.Train is { } train)
            return Read(train, "", options.Test!, "", options.Size);
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

    private static SurveyPictures Read(string trainPath, string trainFolder, string testPath, string testFolder, int largestSide)
    {
        var decoder = new Decoder(largestSide);
        Row[] train = decoder.Decode(Files(trainPath, trainFolder), trainPath, trainFolder), test = decoder.Decode(Files(testPath, testFolder), testPath, testFolder);
        ImageShape shape = decoder.MakeOneSize([.. train, .. test]);
        if (train.Concat(test).All(row => IsGray(row.Image)))
        {
            foreach (Row row in train.Concat(test))
                row.Image = row.Image[..(row.Image.Length / 3)];
            shape = shape with { Channels = 1 };
        }
        return new SurveyPictures(shape, train, test);
    }

    /// <summary>Picture files into rows, first each with the shape that it has, then all with one.</summary>
    private sealed class Decoder(int largestSide)
    {
        private readonly Resizer _resizer = new();
        private readonly Dictionary<Row, (int Height, int Width)> _sizes = [];

        public Row[] Decode(IEnumerable<(string Name, Stream Content)> files, string path, string folder)
        {
            var buffer = new PictureBuffer();
            Row[] rows = [.. files.Select(file => Decode(file.Name, file.Content, path, buffer))];
            return rows.Length > 1 ? rows
                : throw new BenchmarkException($"{path} has no two pictures as {(folder.Length > 0 ? folder + "/" : "")}CLASS/NAME ({string.Join(", ", s_extensions)}).");
        }

        /// <summary>Leaves pictures as they are where all are alike and small enough.</summary>
        public ImageShape MakeOneSize(Row[] rows)
        {
            if (_sizes.Values.Distinct().Count() > 1)
            {
                int side = _sizes.Values.Select(size => Math.Min(size.Height, size.Width)).Order().ElementAt(rows.Length / 2);
                foreach (Row row in rows)
                    Resize(row, side, side);
            }
            (int height, int width) = _sizes[rows[0]];
            return new ImageShape(height, width, 3);
        }

        private Row Decode(string name, Stream content, string path, PictureBuffer buffer)
        {
            MLImage? image = null;
            try
            {
                image = MLImage.CreateFromStream(content);
            }
            catch (Exception error) when (error is ArgumentException or InvalidOperationException)
            {
                throw new BenchmarkException($"{name} in {path} is no picture that can be read: {error.Message}");
            }
            using MLImage decoded = image;
            MLImagePictures.Reader((ref MLImage value) => value = decoded)(buffer);
            var row = new Row { Image = buffer.Picture.Pixels.ToArray(), Label = name.Split('/')[^2] };
            _sizes[row] = (decoded.Height, decoded.Width);
            if (Math.Min(decoded.Height, decoded.Width) > largestSide)
                Resize(row, largestSide, largestSide); // at once: photographs would fill the memory
            return row;
        }

        /// <summary>The largest part around the middle that has the wanted shape, at the wanted size.</summary>
        private void Resize(Row row, int height, int width)
        {
            (int rowHeight, int rowWidth) = _sizes[row];
            if ((rowHeight, rowWidth) == (height, width))
                return;
            double scale = Math.Min((double)rowHeight / height, (double)rowWidth / width);
            (int cutHeight, int cutWidth) = ((int)Math.Round(scale * height), (int)Math.Round(scale * width));
            var planes = new float[3 * height * width];
            _resizer.Resize(
                new Picture(row.Image, rowHeight, rowWidth, 3), new CropBox((rowHeight - cutHeight) / 2, (rowWidth - cutWidth) / 2, cutHeight, cutWidth), height, width, planes);
            row.Image = Array.ConvertAll(planes, value => (byte)MathF.Round(value * 255));
            _sizes[row] = (height, width);
        }
    }

    private static bool IsGray(byte[] image)
    {
        ReadOnlySpan<byte> red = image.AsSpan(0, image.Length / 3);
        return red.SequenceEqual(image.AsSpan(red.Length, red.Length)) && red.SequenceEqual(image.AsSpan(2 * red.Length));
    }

    /// <summary>The files FOLDER/CLASS/NAME of a folder or zip, at any depth, by name, so that the order is the same everywhere.</summary>
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
            throw new BenchmarkException($"There is no folder or zip '{path}'.");
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
                && !parts[^1].StartsWith('.') // what macOS puts beside each file of a zip
                && (folder.Length == 0 ? parts.Length >= 2 : parts.Length >= 3 && parts[^3] == folder);
        }
    }
}
