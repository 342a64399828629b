using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>The same picture is the same to an encoder, whatever column it comes in.</summary>
public sealed class ImageColumnTests : IDisposable
{
    private const int Height = 12, Width = 20, Count = 6;
    private readonly MLContext _ml = new(1);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("image-column-");

    public void Dispose() => _folder.Delete(recursive: true);

    public static TheoryData<string> ColourForms => ["Rgba32", "Bgra32", "Straight", "Premultiplied", "Png", "BytesInterleaved", "Singles", "SinglesInterleaved", "Unit", "ExtractPixels"];

    [Theory]
    [MemberData(nameof(ColourForms))]
    public void A_picture_in_colour_gives_the_same_features_in_every_form(string form)
    {
        Row[] rows = [.. Enumerable.Range(0, Count).Select(seed => new Row { Planar = Planar(seed, 3) })];
        // Over white, a premultiplied or straight colour of alpha a becomes colour * a + 255 - a: the plain forms hold that already.
        bool transparent = form is "Straight" or "Premultiplied";
        if (transparent)
            foreach ((int seed, Row row) in rows.Index())
                MakeTransparent(row, seed, premultiplied: form == "Premultiplied");
        float[][] expected = Features(Vectors(rows, row => row.Planar), new ImageShape(Height, Width, 3));
        AssertSame(expected, form switch
        {
            "Rgba32" or "Bgra32" => Features(Images(rows, Enum.Parse<MLPixelFormat>(form)), null),
            "Straight" or "Premultiplied" => Features(_ml.Data.LoadFromEnumerable(rows), null),
            "Png" => Features(Files(rows), null),
            "BytesInterleaved" => Features(Vectors(rows, row => Interleaved(row.Planar)), new ImageShape(Height, Width, 3) { Layout = PixelLayout.Interleaved }),
            "Singles" => Features(Vectors(rows, row => Floats(row.Planar)), new ImageShape(Height, Width, 3)),
            "SinglesInterleaved" => Features(Vectors(rows, row => Floats(Interleaved(row.Planar))), new ImageShape(Height, Width, 3) { Layout = PixelLayout.Interleaved }),
            "Unit" => Features(Vectors(rows, row => Floats(row.Planar, 255)), new ImageShape(Height, Width, 3) { Scale = PixelScale.Unit }),
            _ => Features(Extracted(rows), new ImageShape(Height, Width, 3), "Pixels"),
        });
        Assert.False(expected[0].SequenceEqual(expected[1]));
    }

    [Theory]
    [InlineData("Singles")]
    [InlineData("Interleaved")]
    [InlineData("Unit")]
    public void A_gray_picture_gives_the_same_features_in_every_vector_form(string form)
    {
        Row[] rows = [.. Enumerable.Range(0, Count).Select(seed => new Row { Planar = Planar(seed, 1) })];
        var shape = new ImageShape(Height, Width, 1);
        AssertSame(Features(Vectors(rows, row => row.Planar), shape), form switch
        {
            "Singles" => Features(Vectors(rows, row => Floats(row.Planar)), shape),
            "Interleaved" => Features(Vectors(rows, row => row.Planar), shape with { Layout = PixelLayout.Interleaved }),
            _ => Features(Vectors(rows, row => Floats(row.Planar, 255)), shape with { Scale = PixelScale.Unit }),
        });
    }

    [Fact]
    public void A_gray_file_is_a_colour_picture_of_three_equal_channels()
    {
        Row[] rows = [.. Enumerable.Range(0, Count).Select(seed => new Row { Planar = [.. Planar(seed, 1), .. Planar(seed, 1), .. Planar(seed, 1)] })];
        foreach ((int index, Row row) in rows.Index())
        {
            row.File = $"{index}.png";
            File.WriteAllBytes(Path.Combine(_folder.FullName, row.File), GrayPng(row.Planar.AsSpan(0, Height * Width)));
        }
        IDataView files = Load(_ml.Data.LoadFromEnumerable(rows));
        AssertSame(Features(Vectors(rows, row => row.Planar), new ImageShape(Height, Width, 3)), Features(files, null));
    }

    [Fact]
    public void Images_of_any_size_and_orientation_train_and_transform_and_stay_their_owners()
    {
        (int Height, int Width)[] sizes = [(8, 8), (10, 40), (40, 10), (17, 19), (900, 1400), (1, 30)];
        Row[] rows = [.. sizes.Concat(sizes).Select((size, seed) => new Row { Image = Image(Noise(size.Height * size.Width * 3, seed), size.Height, size.Width, MLPixelFormat.Bgra32) })];
        IDataView data = _ml.Data.LoadFromEnumerable(rows);
        using ContrastivePretrainTransformer encoder = Estimator(null, imageSize: 16).Fit(data);
        float[][] features = encoder.Transform(data).Features();
        Assert.Equal(rows.Length, features.Length);
        Assert.All(features, row => Assert.All(row, number => Assert.True(float.IsFinite(number))));
        Assert.Equal(features, encoder.Transform(data).Features());
        _ = encoder.Transform(data).Preview(maxRows: 100); // images pass through it too
        Assert.All(rows, row => Assert.Equal(4 * row.Image!.Height * row.Image.Width, row.Image.Pixels.Length));
    }

    [Fact]
    public void A_picture_much_larger_than_the_view_is_shrunk_on_reading_and_one_of_the_views_size_is_not()
    {
        // One-pixel checks: only where they are not shrunk do they deviate from gray.
        const int Side = 600;
        var checks = new byte[3 * Side * Side];
        for (int i = 0; i < checks.Length; i++)
            checks[i] = (i % Side + i / Side) % 2 == 0 ? (byte)0 : (byte)255;
        Row[] rows = [.. Enumerable.Range(0, 4).Select(_ => new Row { File = "checks.png" })];
        using (MLImage image = Image(checks, Side, Side, MLPixelFormat.Rgba32))
            image.Save(Path.Combine(_folder.FullName, "checks.png"));
        IDataView anySize = Load(_ml.Data.LoadFromEnumerable(rows)), declared = _ml.Transforms.ResizeImages("Image", Side, Side).Fit(anySize).Transform(anySize);

        PictureInput shrunk = Manifest(anySize, imageSize: 16), whole = Manifest(declared, imageSize: null);
        Assert.All(shrunk.Normalization.Deviation, deviation => Assert.True(deviation < 0.05));
        Assert.All(whole.Normalization.Deviation, deviation => Assert.Equal(0.5, deviation, 0.01));
        Assert.Equal((Side, Side), (whole.Height, whole.Width));
        Assert.Equal((224, 224), (Manifest(anySize, null).Height, Manifest(anySize, null).Width)); // at most 224 where nothing is declared
    }

    [Fact]
    public void The_views_size_is_the_one_given_or_declared_or_the_median_of_the_shorter_sides()
    {
        Row[] rows = [.. new[] { (20, 30), (50, 40), (60, 24), (33, 32) }.Select((size, seed) => new Row { Image = Image(Noise(size.Item1 * size.Item2 * 3, seed), size.Item1, size.Item2, MLPixelFormat.Rgba32) })];
        IDataView data = _ml.Data.LoadFromEnumerable(rows);
        Assert.Equal((32, 32), Size(Manifest(data, null)));
        Assert.Equal((9, 9), Size(Manifest(data, 9)));
        IDataView resized = _ml.Transforms.ResizeImages("Image", imageWidth: 14, imageHeight: 22).Fit(data).Transform(data);
        Assert.Equal((22, 14), Size(Manifest(resized, null)));

        Row[] vectors = [.. Enumerable.Range(0, 4).Select(seed => new Row { Planar = Planar(seed, 1) })];
        using ContrastivePretrainTransformer encoder = Estimator(new ImageShape(Height, Width, 1)).Untrained(Vectors(vectors, row => row.Planar));
        Assert.Equal((Height, Width), Size((PictureInput)encoder.Weights.Manifest.Input));

        static (int, int) Size(PictureInput manifest) => (manifest.Height, manifest.Width);
    }

    [Fact]
    public void Resizing_images_in_the_chain_trains_on_what_it_gives()
    {
        Row[] rows = [.. Enumerable.Range(0, Count).Select(seed => new Row { File = $"{seed}.png", Planar = Planar(seed, 3) })];
        Files(rows);
        var chain = _ml.Transforms.LoadImages("Image", _folder.FullName, "File")
            .Append(_ml.Transforms.ResizeImages("Image", 16, 16))
            .Append(Estimator(null));
        IDataView data = _ml.Data.LoadFromEnumerable(rows);
        _ = chain.GetOutputSchema(SchemaShape.Create(data.Schema));
        using TransformerChain<ContrastivePretrainTransformer> model = chain.Fit(data);
        Assert.Equal(Count, model.Transform(data).Features().Select(row => row[0]).Distinct().Count());
    }

    private static void AssertSame(float[][] expected, float[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        foreach ((float[] wanted, float[] given) in expected.Zip(actual))
            Assert.All(wanted.Zip(given), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
    }

    private static byte[] Noise(int length, int seed)
    {
        var pixels = new byte[length];
        new Random(seed).NextBytes(pixels);
        return pixels;
    }

    private static byte[] Planar(int seed, int channels) => Noise(channels * Height * Width, seed);

    private static byte[] Interleaved(byte[] planar)
    {
        var pixels = new byte[planar.Length];
        PixelOrder.Interleave<byte>(planar, 3, pixels);
        return pixels;
    }

    private static float[] Floats(byte[] bytes, float scale = 1) => [.. bytes.Select(value => value / scale)];

    /// <summary>Gives the row an image of colours under alphas, and as its plain form what that is over white.</summary>
    private static void MakeTransparent(Row row, int seed, bool premultiplied)
    {
        byte[] alphas = Noise(Height * Width, seed + 100);
        var pixels = new byte[4 * alphas.Length];
        for (int i = 0; i < alphas.Length; i++)
        {
            int alpha = pixels[4 * i + 3] = alphas[i];
            for (int channel = 0; channel < 3; channel++)
            {
                ref byte color = ref row.Planar[channel * alphas.Length + i];
                int multiplied = (color * alpha + 127) / 255;
                pixels[4 * i + channel] = premultiplied ? (byte)multiplied : color;
                color = (byte)(multiplied + 255 - alpha);
            }
        }
        row.Image = MLImage.CreateFromPixels(Width, Height, MLPixelFormat.Rgba32, pixels);
    }

    private static MLImage Image(byte[] planar, int height, int width, MLPixelFormat format)
    {
        int plane = height * width;
        var pixels = new byte[4 * plane];
        for (int i = 0; i < plane; i++)
        {
            for (int channel = 0; channel < 3; channel++)
                pixels[4 * i + (format == MLPixelFormat.Rgba32 ? channel : 2 - channel)] = planar[channel * plane + i];
            pixels[4 * i + 3] = 255;
        }
        return MLImage.CreateFromPixels(width, height, format, pixels);
    }

    /// <summary>An 8-bit gray PNG: signature, header, stored data, end.</summary>
    private static byte[] GrayPng(ReadOnlySpan<byte> pixels)
    {
        using var data = new MemoryStream();
        using (var zlib = new System.IO.Compression.ZLibStream(data, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true))
            for (int row = 0; row < Height; row++)
            {
                zlib.WriteByte(0); // no filter
                zlib.Write(pixels.Slice(row * Width, Width));
            }
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, .. Chunk("IHDR", [0, 0, 0, Width, 0, 0, 0, Height, 8, 0, 0, 0, 0]), .. Chunk("IDAT", data.ToArray()), .. Chunk("IEND", [])];

        static byte[] Chunk(string name, byte[] body)
        {
            byte[] named = [.. System.Text.Encoding.ASCII.GetBytes(name), .. body];
            return [.. BigEndian((uint)body.Length), .. named, .. BigEndian(Crc(named))];
        }

        static byte[] BigEndian(uint number) => [(byte)(number >> 24), (byte)(number >> 16), (byte)(number >> 8), (byte)number];

        static uint Crc(byte[] bytes)
        {
            uint crc = uint.MaxValue;
            foreach (byte value in bytes)
            {
                crc ^= value;
                for (int bit = 0; bit < 8; bit++)
                    crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
            }
            return ~crc;
        }
    }

    private IDataView Images(Row[] rows, MLPixelFormat format)
        => _ml.Data.LoadFromEnumerable(rows.Select(row => new Row { Image = Image(row.Planar, Height, Width, format) }).ToArray());

    private IDataView Files(Row[] rows)
    {
        foreach ((int index, Row row) in rows.Index())
        {
            row.File = $"{index}.png";
            using MLImage image = Image(row.Planar, Height, Width, MLPixelFormat.Rgba32);
            image.Save(Path.Combine(_folder.FullName, row.File));
        }
        return Load(_ml.Data.LoadFromEnumerable(rows));
    }

    private IDataView Load(IDataView rows) => _ml.Transforms.LoadImages("Image", _folder.FullName, "File").Fit(rows).Transform(rows);

    private IDataView Extracted(Row[] rows)
    {
        IDataView images = Files(rows); // resizing disposes the images that it is given
        return _ml.Transforms.ResizeImages("Image", Width, Height).Append(_ml.Transforms.ExtractPixels("Pixels", "Image")).Fit(images).Transform(images);
    }

    private IDataView Vectors<T>(Row[] rows, Func<Row, T[]> numbers)
        where T : struct
    {
        Vector<T>[] vectors = [.. rows.Select(row => new Vector<T> { Image = numbers(row) })];
        SchemaDefinition schema = SchemaDefinition.Create(typeof(Vector<T>));
        PrimitiveDataViewType item = typeof(T) == typeof(byte) ? NumberDataViewType.Byte : NumberDataViewType.Single;
        schema["Image"].ColumnType = new VectorDataViewType(item, vectors[0].Image.Length);
        return _ml.Data.LoadFromEnumerable(vectors, schema);
    }

    /// <summary>Features of the encoder of one seed that has seen the data's brightness only.</summary>
    private float[][] Features(IDataView data, ImageShape? shape, string column = "Image")
    {
        using ContrastivePretrainTransformer encoder = Estimator(shape, imageSize: 10, column).Untrained(data);
        return encoder.Transform(data).Features();
    }

    private PictureInput Manifest(IDataView data, int? imageSize)
    {
        using ContrastivePretrainTransformer encoder = Estimator(null, imageSize).Untrained(data);
        return (PictureInput)encoder.Weights.Manifest.Input;
    }

    private ContrastivePretrainEstimator Estimator(ImageShape? shape, int? imageSize = null, string column = "Image")
        => _ml.Transforms.ContrastivePretrain(new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = "Features",
            InputColumnName = column,
            Encoder = ImageEncoder.SmallConvNet(4),
            Training = new TrainingOptions { Steps = 2, BatchSize = 4 },
            ImageShape = shape,
            ImageSize = imageSize,
        });

    private sealed class Row
    {
        [NoColumn]
        public byte[] Planar { get; set; } = [];

        public string File { get; set; } = "";

        [AnySizeImage]
        public MLImage? Image { get; set; }
    }

    private sealed class Vector<T>
        where T : struct
    {
        public T[] Image { get; set; } = [];
    }
}
