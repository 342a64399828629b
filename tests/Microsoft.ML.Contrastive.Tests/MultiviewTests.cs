using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>CMC on several columns of pictures: what a colour camera and two other sensors saw of one scene, each in a size of its own.</summary>
public sealed class MultiviewTests : IDisposable
{
    private const int Kinds = 12;
    private static readonly string[] s_two = ["Camera", "Depth"], s_three = ["Camera", "Depth", "Heat"];
    private static readonly ImageShape s_camera = new(16, 16, 3), s_depth = new(20, 20, 1), s_heat = new(12, 16, 1);
    private static readonly TrainingOptions s_few = new() { Steps = 4, BatchSize = 16 };
    private readonly string _folder = Directory.CreateTempSubdirectory("multiview").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Training_learns_what_untrained_networks_do_not_know_in_all_views_and_in_each()
    {
        var ml = new MLContext(10);
        IDataView data = View(ml, Make(1024, 1, noise: 160)), test = View(ml, Make(300, 2, noise: 160));
        ContrastivePretrainEstimator estimator = Estimator(ml, s_two, new Cmc { LearningRate = new(0.24) }, new TrainingOptions { Steps = 250, BatchSize = 64 });
        using ContrastivePretrainTransformer trained = estimator.Fit(data), untrained = estimator.Untrained(data);
        Better(trained, untrained, "both views");
        foreach (string name in s_two)
        {
            using ContrastivePretrainTransformer view = trained.Only(name), before = untrained.Only(name);
            Better(view, before, name);
        }

        void Better(ContrastivePretrainTransformer one, ContrastivePretrainTransformer other, string what)
        {
            double after = NearestNeighbour(one), before = NearestNeighbour(other);
            Assert.True(after > before + 0.05, $"{what}: nearest-neighbour accuracy {before:0.000} before, {after:0.000} after");
        }

        double NearestNeighbour(ContrastivePretrainTransformer encoder)
        {
            float[][] bank = encoder.Transform(data).Features(), queries = encoder.Transform(test).Features();
            return queries.Index().Average(query => bank.Index()
                .MaxBy(row => System.Numerics.Tensors.TensorPrimitives.CosineSimilarity<float>(row.Item, query.Item)).Index % Kinds == query.Index % Kinds ? 1.0 : 0.0);
        }
    }

    [Fact]
    public void Features_are_all_networks_beside_each_other_and_each_alone_needs_its_column_alone()
    {
        var ml = new MLContext(1);
        IDataView data = View(ml, Make(40));
        MultiviewEncoder networks = ImageEncoder.Multiview(ImageEncoder.SmallConvNet(4), ImageEncoder.SmallConvNet(2), new ResNet { Stem = Stem.Small, Width = 8 });
        using ContrastivePretrainTransformer encoder = Estimator(ml, s_three, encoder: networks).Fit(data);
        Assert.Equal(networks, encoder.Encoder);
        Assert.Equal(s_three, encoder.InputColumnNames);
        float[][] all = encoder.Transform(data).Features();
        Assert.Equal(networks.FeatureSize, all[0].Length);
        int start = 0;
        foreach ((int view, string name) in s_three.Index())
        {
            using ContrastivePretrainTransformer one = encoder.Only(name);
            float[][] features = one.Transform(ml.Transforms.SelectColumns(name).Fit(data).Transform(data)).Features();
            int size = networks.Views[view].FeatureSize;
            Assert.All(features.Zip(all), rows => Close(rows.Second.AsSpan(start, size), rows.First));
            start += size;
        }
        Assert.Contains("'Camera' and 'Depth' and 'Heat'", Assert.Throws<ArgumentException>(() => encoder.Only("Sonar")).Message, StringComparison.Ordinal);
        encoder.Dispose();
        Assert.Throws<ObjectDisposedException>(() => encoder.Only("Depth"));
    }

    [Fact]
    public void One_view_is_an_encoder_like_any_other_which_outlives_the_whole_and_can_be_fine_tuned()
    {
        var ml = new MLContext(1);
        IDataView data = View(ml, Make(48));
        ContrastivePretrainTransformer encoder = Estimator(ml, s_two).Fit(data);
        Assert.Contains("Only(\"Camera\")", Assert.Throws<ArgumentException>(() => ml.MulticlassClassification.Trainers.FineTune(encoder, "Label")).Message, StringComparison.Ordinal);
        using ContrastivePretrainTransformer depth = encoder.Only("Depth");
        float[][] before = depth.Transform(data).Features();
        encoder.Dispose();
        using var stream = new MemoryStream();
        ml.Model.Save(depth, data.Schema, stream);
        stream.Position = 0;
        ITransformer loaded = ml.Model.Load(stream, out _);
        Assert.All(before.Zip(loaded.Transform(data).Features()), rows => Close(rows.First, rows.Second));
        (loaded as IDisposable)?.Dispose();
    }

    [Fact]
    public void The_zip_and_the_prediction_engine_give_equal_rows()
    {
        var ml = new MLContext(3);
        SensorRow[] rows = Make(40);
        IDataView data = View(ml, rows);
        using ContrastivePretrainTransformer encoder = Estimator(ml, s_three).Fit(data);
        float[][] before = encoder.Transform(data).Features();
        string zip = Path.Combine(_folder, "model.zip");
        ml.Model.Save(encoder, data.Schema, zip);
        var fresh = new MLContext(99);
        ITransformer loaded = fresh.Model.Load(zip, out DataViewSchema schema);
        Assert.Equal(((ContrastivePretrainTransformer)loaded).Weights.Manifest.ToJson(), encoder.Weights.Manifest.ToJson());
        Assert.All(before.Zip(loaded.Transform(data).Features()), pair => Close(pair.First, pair.Second));
        using PredictionEngine<SensorRow, Embedded> engine = fresh.Model.CreatePredictionEngine<SensorRow, Embedded>(loaded, schema);
        for (int i = 0; i < 3; i++)
            Close(before[i], engine.Predict(rows[i]).Features);
        IEstimator<ITransformer> again = ((ContrastivePretrainTransformer)loaded).AsEstimator();
        Assert.Contains("Features", again.GetOutputSchema(SchemaShape.Create(data.Schema)).Select(column => column.Name));
        Assert.Contains("Depth", Assert.Throws<ArgumentException>(() => again.Fit(ml.Transforms.DropColumns("Depth").Fit(data).Transform(data))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_is_cancelled_ends_in_the_bytes_of_an_unbroken_one()
    {
        var method = new Cmc { Contrast = BankContrast.Nce };
        Fit("unbroken", cancelAt: null);
        Assert.Throws<OperationCanceledException>(() => Fit("broken", cancelAt: 7));
        Fit("broken", cancelAt: null);
        Assert.Equal(Final("unbroken"), Final("broken"));

        void Fit(string name, int? cancelAt)
        {
            using var source = new CancellationTokenSource();
            var ml = new MLContext(1);
            var training = new TrainingOptions
            {
                Steps = 12, BatchSize = 16, ReportEvery = 1, CheckpointFolder = Path.Combine(_folder, name), CheckpointSteps = 4, CancellationToken = source.Token,
                Progress = new OnProgress(report => { if (report.Step == cancelAt) source.Cancel(); }),
            };
            Estimator(ml, s_three, method, training).Fit(View(ml, Make(40))).Dispose();
        }

        byte[] Final(string name) => File.ReadAllBytes(Directory.GetFiles(Path.Combine(_folder, name), "*.safetensors").Max(StringComparer.Ordinal)!);
    }

    [Fact]
    public void Training_goes_on_from_earlier_networks_of_the_same_shapes()
    {
        var ml = new MLContext(5);
        IDataView data = View(ml, Make(40));
        using ContrastivePretrainTransformer first = Estimator(ml, s_two).Fit(data);
        var still = new Cmc { LearningRate = new(1e-12), Optimizer = new Sgd() };
        using ContrastivePretrainTransformer second = Estimator(ml, s_two, still).Fit(data, first);
        Assert.True(first.Weights.Module.parameters().Zip(second.Weights.Module.parameters(), (a, b) => (a - b).abs().max().ToDouble()).Max() < 1e-6);
        Assert.Contains("earlier encoder", Assert.Throws<ArgumentException>(() => Estimator(ml, s_three, still).Fit(data, first)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void All_columns_are_cut_and_flipped_alike()
    {
        var ml = new MLContext(1);
        SensorRow[] rows = Make(32);
        foreach (SensorRow row in rows)
            row.Heat = row.Depth[..(20 * 20)];
        IDataView data = View(ml, rows, heat: s_depth);
        IHost host = ((IHostEnvironment)ml).Register("Test");
        using IChannel channel = host.Start("Test");
        var options = new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = "Features", InputColumnNames = ["Depth", "Heat"], Method = new Cmc(), ImageShapes = [s_depth, s_depth], Encoder = ImageEncoder.SmallConvNet(2), Training = s_few,
        };
        using MultiviewExamples examples = MultiviewExamples.Read(data, options, null, new ColumnReading(host, channel, s_few));
        ContrastiveMethod resolved = new Cmc().ResolveFully(examples.Facts(16, 4));
        using Contrastive.Views views = examples.CreateMaker(resolved)([3, 9, 1], 0, 1);
        Assert.Equal([3L, 2, 20, 20], views[0].shape);
        TensorAssert.Equal(views[0].narrow(1, 0, 1), views[0].narrow(1, 1, 1), 0);
        Assert.Equal([3L, 9, 1], views.RowIndices.data<long>().ToArray());
        Assert.Equal((2, 2, 20), (examples.Facts(16, 4).ImageColumns, examples.Facts(16, 4).Channels, examples.Facts(16, 4).ImageHeight));
    }

    [Fact]
    public void Rows_without_one_of_the_pictures_are_named_or_left_out()
    {
        var ml = new MLContext(1);
        SensorRow[] rows = Make(40);
        rows[7].Depth = [];
        IDataView data = View(ml, rows);
        Refused<InvalidOperationException>(() => Estimator(ml, s_two).Fit(data), "Row 7", "'Depth'");
        using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(Options(s_two) with { MissingImages = MissingImages.Skip }).Fit(data);
        Assert.Contains("\"rows\":39", encoder.TrainingRecord.Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        float[][] features = encoder.Transform(data).Features();
        Assert.All(features[7], number => Assert.True(float.IsNaN(number)));
        Assert.All(features[8], number => Assert.True(float.IsFinite(number)));
    }

    [Fact]
    public void What_does_not_fit_is_named_before_any_training()
    {
        var ml = new MLContext(1);
        IDataView data = View(ml, Make(40));
        Refused<ArgumentException>(() => Estimator(ml, ["Camera"]), "1 columns", "InputColumnName");
        Refused<ArgumentException>(() => Estimator(ml, ["Camera", "Camera"]), "'Camera' more than once");
        Refused<ArgumentException>(() => Estimator(ml, ["Camera", null!]), "null or empty");
        Refused<ArgumentException>(() => ml.Transforms.ContrastivePretrain(Options(s_two) with { InputColumnName = "Camera" }), "'Camera'", "both set");
        Refused<ArgumentException>(() => ml.Transforms.ContrastivePretrain(Options(s_two) with { ImageShapes = [s_camera] }), "1 ImageShapes for 2");
        Refused<ArgumentException>(() => ml.Transforms.ContrastivePretrain(Options(s_two) with { ImageShape = s_camera }), "ImageShapes");
        Refused<ArgumentException>(() => ml.Transforms.ContrastivePretrain(Options(s_two) with { Method = new SimClrV1() }), "SimClrV1", "Cmc");
        Refused<ArgumentException>(() => Estimator(ml, s_three, encoder: ImageEncoder.Multiview(ImageEncoder.SmallConvNet(), ImageEncoder.SmallConvNet())), "2 networks for 3");
        Refused<ArgumentException>(() => Estimator(ml, s_two, encoder: TextEncoder.Small()), "takes no pictures");
        Refused<ArgumentException>(() => Estimator(ml, s_two, encoder: ImageEncoder.Multiview(new LuminanceAndColor(ImageEncoder.SmallConvNet(), ImageEncoder.SmallConvNet()), ImageEncoder.SmallConvNet())), "Views[0]");
        Refused<ArgumentException>(() => Estimator(ml, s_two, encoder: ImageEncoder.Multiview(ImageEncoder.SmallConvNet(), ImageEncoder.ViTTiny(5))), "multiple");
        Refused<ArgumentException>(() => ml.Transforms.ContrastivePretrain("Features", s_two, new Cmc()).Fit(data), "'Camera'", "imageShape");
        Refused<ArgumentException>(() => Estimator(ml, ["Camera", "Sonar"]).Fit(data), "'Sonar'");
        Refused<ArgumentException>(() => Estimator(ml, ["Camera", "Sonar"]).GetOutputSchema(SchemaShape.Create(data.Schema)), "'Sonar'");
        Refused<ArgumentException>(() => ml.Transforms.ContrastivePretrain(Options(s_two) with { ImageShapes = [s_camera, s_camera] }).Fit(data), "'Depth'", "16 x 16 x 3");
        Refused<ArgumentException>(() => ml.Transforms.ContrastivePretrain(Options(s_two) with { Encoder = ImageEncoder.Multiview(ImageEncoder.SmallConvNet()) }), "Views");
        var monitored = s_few with { Monitor = new KnnMonitor { Bank = data, Queries = data } };
        Refused<ArgumentException>(() => Estimator(ml, s_two, training: monitored), "Monitor");
        Refused<ArgumentNullException>(() => ml.Transforms.ContrastivePretrain("Features", (string[])null!, new Cmc()), "inputColumnNames");
    }

    private static void Refused<T>(Func<object> act, params string[] parts)
        where T : Exception
    {
        string message = Assert.ThrowsAny<T>(act).Message;
        Assert.All(parts, part => Assert.Contains(part, message, StringComparison.Ordinal));
    }

    private static ContrastivePretrainEstimator Estimator(MLContext ml, string[] columns, Cmc? method = null, TrainingOptions? training = null, Encoder? encoder = null)
        => ml.Transforms.ContrastivePretrain("Features", columns, method ?? new Cmc(), encoder ?? ImageEncoder.SmallConvNet(8), training ?? s_few, Shapes(columns));

    private static ContrastivePretrainEstimator.Options Options(string[] columns) => new()
    {
        OutputColumnName = "Features", InputColumnNames = columns, Method = new Cmc(), Encoder = ImageEncoder.SmallConvNet(4), Training = s_few, ImageShapes = Shapes(columns),
    };

    private static ImageShape?[] Shapes(string[] columns) => [.. columns.Select(name => name switch { "Depth" => s_depth, "Heat" => s_heat, _ => s_camera })];

    private static void Close(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-4f * Math.Max(1, Math.Abs(expected[i])));
    }

    private static IDataView View(MLContext ml, IEnumerable<SensorRow> rows, ImageShape? heat = null)
    {
        SchemaDefinition schema = SchemaDefinition.Create(typeof(SensorRow));
        foreach ((string name, ImageShape shape) in new[] { ("Camera", s_camera), ("Depth", s_depth), ("Heat", heat ?? s_heat) })
            schema[name].ColumnType = new VectorDataViewType(NumberDataViewType.Byte, (int)shape.Size);
        return ml.Data.LoadFromEnumerable(rows, schema);
    }

    /// <summary>A bar at an angle that is the class, at a random place: bright and in colour, near, and warm at one end; noise of each sensor's own.</summary>
    private static SensorRow[] Make(int count, int seed = 1, int noise = 40)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(id =>
        {
            double angle = Math.PI / 2 * (id % Kinds) / (Kinds - 1), x = 0.35 + 0.3 * random.NextDouble(), y = 0.35 + 0.3 * random.NextDouble();
            return new SensorRow
            {
                Camera = Seen(s_camera, (distance, channel) => (220 - 60 * channel) * distance),
                Depth = Seen(s_depth, (distance, _) => 200 - 150 * distance),
                Heat = Seen(s_heat, (distance, _) => 60 + 120 * distance),
            };

            byte[] Seen(ImageShape shape, Func<double, int, double> brightness)
            {
                var pixels = new byte[shape.Size];
                for (int i = 0; i < pixels.Length; i++)
                {
                    double row = (double)(i / shape.Width % shape.Height) / shape.Height, column = (double)(i % shape.Width) / shape.Width;
                    double distance = 12 * ((column - x) * Math.Sin(angle) - (row - y) * Math.Cos(angle));
                    pixels[i] = (byte)Math.Clamp(brightness(Math.Exp(-distance * distance), i / (shape.Height * shape.Width)) + noise * random.NextDouble(), 0, 255);
                }
                return pixels;
            }
        })];
    }

    /// <summary>What the three saw.</summary>
    public sealed class SensorRow
    {
        public byte[] Camera { get; set; } = [];

        public byte[] Depth { get; set; } = [];

        public byte[] Heat { get; set; } = [];
    }

    private sealed class Embedded
    {
        public float[] Features { get; set; } = [];
    }
}
