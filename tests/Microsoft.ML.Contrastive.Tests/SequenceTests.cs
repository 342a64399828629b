using System.Text.Json.Nodes;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>Sequence columns, from reading to the zip.</summary>
public sealed class SequenceTests : IDisposable
{
    private const int Length = 64, Size = 2;
    private static readonly SequenceShape s_shape = new(Length, Size);
    private static readonly Cpc s_method = new() { LearningRate = new(3e-3, WarmupEpochs: 1, RateScaling.None) };
    private static readonly SequenceEncoder s_encoder = new() { Width = 4, ContextSize = 32 };
    private readonly string _folder = Directory.CreateTempSubdirectory("sequences-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private sealed class Row
    {
        public float[] Window { get; set; } = [];

        public string Label { get; set; } = "";
    }

    private sealed class Prediction
    {
        public float[] Features { get; set; } = [];
    }

    /// <summary>Four kinds of oscillation at any phase, in noise: no single number of them tells the kind.</summary>
    private static Row[] Make(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            (int kind, double phase, double loudness) = (i % 4, 2 * Math.PI * random.NextDouble(), 0.7 + 0.6 * random.NextDouble());
            var window = new float[Length * Size];
            for (int time = 0; time < Length; time++)
            {
                double angle = phase + time * (kind % 2 == 0 ? 0.4 : 0.55);
                for (int channel = 0; channel < Size; channel++)
                {
                    double wave = Math.Sin(angle + channel * (kind < 2 ? 0.8 : 2.0)); // the channels' lag tells the other half of the kind
                    window[time * Size + channel] = (float)(3 + loudness * (wave + 1.5 * (random.NextDouble() + random.NextDouble() - 1)));
                }
            }
            return new Row { Window = window, Label = $"kind {kind}" };
        })];
    }

    private static IDataView View(MLContext ml, IEnumerable<Row> rows, int size = Length * Size)
    {
        SchemaDefinition schema = SchemaDefinition.Create(typeof(Row));
        schema[nameof(Row.Window)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, size);
        return ml.Data.LoadFromEnumerable(rows, schema);
    }

    private static ContrastivePretrainEstimator Estimator(
        MLContext ml, TrainingOptions training, ContrastiveMethod? method = null, SequenceShape? shape = null, Encoder? encoder = null)
        => ml.Transforms.ContrastivePretrain("Features", "Window", method ?? s_method, encoder ?? s_encoder, training, sequence: shape ?? s_shape);

    private static TrainingOptions Few(int steps = 4) => new() { Steps = steps, BatchSize = 32 };

    private static float[][] Features(ITransformer encoder, IDataView data) => [.. encoder.Transform(data).GetColumn<float[]>("Features")];

    [Fact]
    public void Learned_features_beat_raw_numbers_and_an_untrained_encoder_under_a_linear_probe()
    {
        var ml = new MLContext(3);
        IDataView train = View(ml, Make(1024, 1)), test = View(ml, Make(512, 2));
        ContrastivePretrainEstimator estimator = Estimator(ml, new TrainingOptions { Epochs = 20, BatchSize = 64 });
        using ContrastivePretrainTransformer encoder = estimator.Fit(train), untrained = estimator.Untrained(train);
        double learned = Probe(encoder, "Features"), random = Probe(untrained, "Features"), raw = Probe(untrained, "Window");
        string all = $"learned {learned:f3}, untrained {random:f3}, raw {raw:f3}";
        Assert.True(learned > random + 0.05 && learned > raw + 0.2, all);

        double Probe(ITransformer features, string column)
            => ml.Representation().EvaluateLinearProbe(features.Transform(train), features.Transform(test), column, options: new() { Epochs = 20 }).Accuracy;
    }

    [Fact]
    public void The_zip_and_one_row_at_a_time_give_the_same_features()
    {
        var ml = new MLContext(4);
        Row[] rows = Make(64, 1);
        IDataView data = View(ml, rows);
        using ContrastivePretrainTransformer encoder = Estimator(ml, Few()).Fit(data);
        Assert.Equal(s_encoder, encoder.Encoder);
        float[][] features = Features(encoder, data);
        Assert.All(features, row => Assert.Equal(32, row.Length));
        Assert.NotEqual(features[0], features[1]);

        string zip = Path.Combine(_folder, "model.zip");
        ml.Model.Save(encoder, data.Schema, zip);
        var fresh = new MLContext();
        ITransformer loaded = fresh.Model.Load(zip, out DataViewSchema schema);
        Assert.Equal(features, Features(loaded, View(fresh, rows)));
        using PredictionEngine<Row, Prediction> engine = fresh.Model.CreatePredictionEngine<Row, Prediction>(loaded, schema);
        for (int i = 0; i < 3; i++)
            Assert.All(features[i].Zip(engine.Predict(rows[i]).Features), pair => Assert.Equal(pair.First, pair.Second, 1e-5));

        JsonNode input = JsonNode.Parse(encoder.Weights.Manifest.ToJson())!["input"]!;
        Assert.Equal(("sequences", 64), ((string)input["kind"]!, (int)input["shape"]!["length"]!));
        Assert.Equal(3, (double)input["normalization"]!["mean"]![0]!, 0.1);
    }

    [Fact]
    public void Memory_and_a_stop_change_nothing_and_the_layout_only_the_order()
    {
        var ml = new MLContext(5);
        Row[] rows = Make(96, 1);
        IDataView data = View(ml, rows);
        float[][] expected = Fit(Few(12), s_shape, data);
        Assert.Equal(expected, Fit(Few(12) with { MemoryBudget = 0, ScratchFolder = _folder }, s_shape, data));

        using var stop = new CancellationTokenSource();
        TrainingOptions kept = Few(12) with { CheckpointFolder = Path.Combine(_folder, "run"), ReportEvery = 1 };
        var progress = new StopAt(5, stop);
        Assert.Throws<OperationCanceledException>(() => Estimator(ml, kept with { CancellationToken = stop.Token, Progress = progress }).Fit(data));
        Assert.Equal(expected, Fit(kept, s_shape, data));

        IDataView turned = View(ml, rows.Select(row => new Row
        {
            Window = [.. Enumerable.Range(0, Size).SelectMany(channel => Enumerable.Range(0, Length).Select(time => row.Window[time * Size + channel]))],
            Label = row.Label,
        }));
        Assert.Equal(expected, Fit(Few(12), s_shape with { Layout = SequenceLayout.ChannelMajor }, turned));

        float[][] Fit(TrainingOptions training, SequenceShape shape, IDataView view)
        {
            using ContrastivePretrainTransformer encoder = Estimator(ml, training, shape: shape).Fit(view);
            return Features(encoder, view);
        }
    }

    private sealed class StopAt(long step, CancellationTokenSource stop) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Step == step)
                stop.Cancel();
        }
    }

    [Fact]
    public void A_missing_number_is_refused_with_its_row_column_time_and_channel()
    {
        var ml = new MLContext(6);
        Row[] rows = Make(40, 1);
        using ContrastivePretrainTransformer encoder = Estimator(ml, Few()).Fit(View(ml, rows));
        rows[33].Window[7] = float.NaN;
        foreach (Action act in new Action[] { () => Estimator(ml, Few()).Fit(View(ml, rows)), () => Features(encoder, View(ml, rows)) })
        {
            string message = Assert.Throws<InvalidOperationException>(act).Message;
            Assert.All(["Row 33", "'Window'", "number 1 at time 3", "NaN", "ReplaceMissingValues"], part => Assert.Contains(part, message, StringComparison.Ordinal));
        }
    }

    public static TheoryData<string, string[]> Wrong => new()
    {
        { "another method", ["SimClrV1", "Cpc"] },
        { "a picture's encoder", ["SmallConvNet", "SequenceEncoder"] },
        { "a sequence's encoder for pictures", ["SequenceEncoder", "ImageEncoder"] },
        { "another size", ["'Window'", "128", "64 times of 3"] },
        { "too short", ["6 times", "Halvings"] },
        { "too many steps", ["15 ", "PredictionSteps"] },
        { "views", ["Augmentations", "Cpc"] },
        { "both shapes", ["ImageShape", "SequenceShape"] },
        { "another type", ["'Label'", "vector of Single"] },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void What_does_not_fit_is_refused_before_training(string what, string[] parts)
    {
        var ml = new MLContext(7);
        IDataView data = View(ml, Make(64, 1));
        string message = Assert.ThrowsAny<ArgumentException>(() => what switch
        {
            "another method" => Estimator(ml, Few(), new SimClrV1()).Fit(data),
            "a picture's encoder" => Estimator(ml, Few(), encoder: ImageEncoder.SmallConvNet()).Fit(data),
            "a sequence's encoder for pictures" => ml.Transforms.ContrastivePretrain("Features", "Window", new Cpc(), s_encoder, Few(), new ImageShape(8, 16, 1)).Fit(data),
            "another size" => Estimator(ml, Few(), shape: new(Length, 3)).Fit(data),
            "too short" => Estimator(ml, Few(), shape: new(6, 2)).Fit(data),
            "too many steps" => Estimator(ml, Few(), s_method with { PredictionSteps = 15 }).Fit(data),
            "views" => Estimator(ml, Few(), s_method with { Augmentations = [new ImageAugmentation()] }).Fit(data),
            "both shapes" => ml.Transforms.ContrastivePretrain("Features", "Window", s_method, s_encoder, Few(), new ImageShape(8, 16, 1), s_shape).Fit(data),
            _ => ml.Transforms.ContrastivePretrain("Features", "Label", s_method, s_encoder, Few(), sequence: s_shape).Fit(data),
        }).Message;
        Assert.All(parts, part => Assert.Contains(part, message, StringComparison.Ordinal));
    }

    [Fact]
    public void The_estimator_promises_the_schema_that_it_gives()
    {
        var ml = new MLContext(8);
        IDataView data = View(ml, Make(64, 1));
        ContrastivePretrainEstimator estimator = Estimator(ml, Few());
        SchemaShape.Column promised = estimator.GetOutputSchema(SchemaShape.Create(data.Schema)).Single(column => column.Name == "Features");
        using ContrastivePretrainTransformer encoder = estimator.Fit(data);
        var given = (VectorDataViewType)encoder.GetOutputSchema(data.Schema)["Features"].Type;
        Assert.Equal((SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, 32), (promised.Kind, promised.ItemType, given.Size));
        SchemaShape wrong = SchemaShape.Create(View(ml, []).Schema);
        Assert.Contains("'Label'", Assert.Throws<ArgumentException>(() => ml.Transforms.ContrastivePretrain("Features", "Label", s_method, sequence: s_shape).GetOutputSchema(wrong)).Message, StringComparison.Ordinal);
    }
}
