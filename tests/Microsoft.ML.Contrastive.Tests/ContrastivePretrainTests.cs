using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Contrastive.Tests;

public sealed class ContrastivePretrainTests
{
    private static readonly TrainingOptions FewSteps = new() { Steps = 6, BatchSize = 32 };

    [Theory]
    [MemberData(nameof(AllMethods.Data), MemberType = typeof(AllMethods))]
    public void The_same_seed_gives_the_same_features_and_another_seed_others(ContrastiveMethod method)
    {
        float[][] first = Fit(1), again = Fit(1), other = Fit(2);
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);

        float[][] Fit(int seed)
        {
            var ml = new MLContext(seed);
            IDataView data = ml.ViewFor(method, 100);
            using ContrastivePretrainTransformer encoder = Estimator(ml, method).Fit(data);
            return encoder.Transform(data).Features();
        }
    }

    [Fact]
    public void Two_fits_at_once_do_not_disturb_each_other()
    {
        float[][] alone = Fit();
        var together = new float[2][][];
        Parallel.For(0, 2, i => together[i] = Fit());
        Assert.Equal(alone, together[0]);
        Assert.Equal(alone, together[1]);

        static float[][] Fit()
        {
            var ml = new MLContext(3);
            IDataView data = ml.View(Pictures.Make(100));
            using ContrastivePretrainTransformer encoder = Estimator(ml, new MoCoV2()).Fit(data);
            return encoder.Transform(data).Features();
        }
    }

    [Fact]
    public void The_number_of_view_threads_does_not_change_the_result()
    {
        var ml = new MLContext(4);
        IDataView data = ml.View(Pictures.Make(100));
        float[][] one = Features(1), three = Features(3);
        Assert.Equal(one, three);

        float[][] Features(int threads)
        {
            using ContrastivePretrainTransformer encoder = Estimator(ml, new SimClrV1(), FewSteps with { ViewThreads = threads }).Fit(data);
            return encoder.Transform(data).Features();
        }
    }

    [Fact]
    public void The_schema_that_the_estimator_promises_is_the_schema_that_comes()
    {
        var ml = new MLContext(6);
        IDataView data = ml.View(Pictures.Make(64));
        ContrastivePretrainEstimator estimator = Estimator(ml, new SimClrV1());
        SchemaShape promised = estimator.GetOutputSchema(SchemaShape.Create(data.Schema));
        using ContrastivePretrainTransformer encoder = estimator.Fit(data);
        SchemaShape came = SchemaShape.Create(encoder.GetOutputSchema(data.Schema));
        Assert.Equal(came.Select(Print), promised.Select(Print));
        Assert.Equal(came.Select(Print), SchemaShape.Create(encoder.Transform(data).Schema).Select(Print));
        Assert.Equal(came.Select(Print), encoder.AsEstimator().GetOutputSchema(SchemaShape.Create(data.Schema)).Select(Print));
        Assert.Equal(encoder.FeatureSize, ((VectorDataViewType)encoder.GetOutputSchema(data.Schema)["Features"].Type).Size);

        static string Print(SchemaShape.Column column) => $"{column.Name} {column.Kind} {column.ItemType} {column.IsKey}";
    }

    [Fact]
    public void One_row_at_a_time_gives_the_features_of_the_batch()
    {
        var ml = new MLContext(7);
        PictureRow[] rows = Pictures.Make(70);
        IDataView data = ml.View(rows);
        using ContrastivePretrainTransformer encoder = Estimator(ml, new SimClrV1()).Fit(data);
        float[][] batch = encoder.Transform(data).Features();
        SchemaDefinition schema = SchemaDefinition.Create(typeof(PictureRow));
        schema["Image"].ColumnType = data.Schema["Image"].Type;
        using var engine = ml.Model.CreatePredictionEngine<PictureRow, FeatureRow>(encoder, inputSchemaDefinition: schema);
        for (int i = 0; i < rows.Length; i++)
            AssertClose(batch[i], engine.Predict(rows[i]).Features);
    }

    [Fact]
    public void Several_threads_transform_with_one_encoder()
    {
        var ml = new MLContext(8);
        IDataView data = ml.View(Pictures.Make(200));
        using ContrastivePretrainTransformer encoder = Estimator(ml, new SimClrV1()).Fit(data);
        float[][] alone = encoder.Transform(data).Features();
        Parallel.For(0, 6, _ => Assert.Equal(alone, encoder.Transform(data).Features()));
    }

    [Fact]
    public void A_chain_with_stock_trainers_classifies_and_cross_validates_without_training_the_encoder_again()
    {
        var ml = new MLContext(9);
        IDataView data = ml.View(Pictures.Make(240));
        using ContrastivePretrainTransformer encoder = Estimator(ml, new SimClrV1(), FewSteps with { Steps = 60 }).Fit(data);
        var chain = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(encoder.AsEstimator()).AppendCacheCheckpoint(ml)
            .Append(ml.MulticlassClassification.Trainers.SdcaMaximumEntropy());
        var folds = ml.MulticlassClassification.CrossValidate(data, chain, numberOfFolds: 3);
        Assert.True(folds.Average(fold => fold.Metrics.MicroAccuracy) > 0.8, "four bars at four angles are easy");
        foreach (var fold in folds)
            (fold.Model as IDisposable)?.Dispose();
        Assert.NotEmpty(encoder.Transform(data).Features()); // shared weights outlive the folds
    }

    /// <summary>Without negatives, or with keys from a slower network, learning takes more and longer steps.</summary>
    public static TheoryData<ContrastiveMethod, int> LearningRuns => new()
    {
        { new SimClrV1(), 150 },
        { new MoCoV2 { Momentum = 0.95, LearningRate = new(0.3) }, 300 },
        { new MoCoV1(), 300 },
        { new MoCoV3(), 200 },
        { new Byol(), 400 },
        { new SimSiam { LearningRate = new(0.3) }, 400 },
        { new InvaSpread(), 150 },
        { new InstDisc(), 300 },
        { new Cmc { LearningRate = new(0.24) }, 300 },
    };

    [Theory]
    [MemberData(nameof(LearningRuns))]
    public void Training_learns_what_an_untrained_encoder_does_not_know(ContrastiveMethod method, int steps)
    {
        const int Kinds = 12;
        var ml = new MLContext(10);
        int channels = Pictures.ChannelsFor(method), noise = channels == 1 ? 160 : 40; // noise is most of colour's differences
        IDataView data = ml.View(Pictures.Make(1024, 1, channels, Kinds, noise), channels), test = ml.View(Pictures.Make(400, 2, channels, Kinds, noise), channels);
        ContrastivePretrainEstimator estimator = Estimator(ml, method, new TrainingOptions { Steps = steps, BatchSize = 64 });
        using ContrastivePretrainTransformer trained = estimator.Fit(data), untrained = estimator.Untrained(data);
        double after = NearestNeighbour(trained), before = NearestNeighbour(untrained);
        Assert.True(after > before + 0.05, $"{method.GetType().Name}: nearest-neighbour accuracy {before:0.000} before, {after:0.000} after");

        double NearestNeighbour(ContrastivePretrainTransformer encoder)
        {
            float[][] bank = Unit(encoder.Transform(data).Features()), queries = Unit(encoder.Transform(test).Features());
            // Rows go around the classes in turn, so row i is of class i modulo their number.
            return queries.Index().Average(query =>
                bank.Index().MaxBy(row => System.Numerics.Tensors.TensorPrimitives.Dot<float>(row.Item, query.Item)).Index % Kinds == query.Index % Kinds ? 1.0 : 0.0);
        }

        static float[][] Unit(float[][] rows) => [.. rows.Select(row => row.Select(x => x / (float)Math.Sqrt(row.Sum(y => y * y))).ToArray())];
    }

    [Fact]
    public void Fit_goes_on_from_an_earlier_encoder()
    {
        var ml = new MLContext(11);
        IDataView data = ml.View(Pictures.Make(100));
        using ContrastivePretrainTransformer first = Estimator(ml, new SimClrV1()).Fit(data);
        float[][] before = first.Transform(data).Features();
        // A rate of nearly zero shows where the second run starts.
        ContrastivePretrainEstimator still = Estimator(ml, new SimClrV1 { LearningRate = new(1e-12), Optimizer = new Sgd() });
        using ContrastivePretrainTransformer second = still.Fit(data, first), fresh = still.Fit(data);
        Assert.Equal(before, first.Transform(data).Features());
        Assert.True(Distance(first, second) < 1e-6);
        Assert.True(Distance(first, fresh) > 1e-3);

        ContrastivePretrainEstimator other = ml.Transforms.ContrastivePretrain(
            "Features", "Image", new SimClrV1(), ImageEncoder.SmallConvNet(4), FewSteps, Pictures.Shape());
        Assert.Contains("earlier encoder", Assert.Throws<ArgumentException>(() => other.Fit(data, first)).Message, StringComparison.Ordinal);

        static double Distance(ContrastivePretrainTransformer one, ContrastivePretrainTransformer two)
            => one.Weights.Module.parameters().Zip(two.Weights.Module.parameters(), (a, b) => (a - b).abs().max().ToDouble()).Max();
    }

    [Fact]
    public void Progress_tells_step_rate_loss_and_collapse_signals()
    {
        var ml = new MLContext(12);
        var reports = new List<TrainingProgress>();
        var options = new TrainingOptions { Epochs = 4, BatchSize = 32, ReportEvery = 5, Progress = new OnProgress(reports.Add) };
        using ContrastivePretrainTransformer encoder = Estimator(ml, new MoCoV2 { QueueLength = 40 }, options).Fit(ml.View(Pictures.Make(100)));
        Assert.Equal([1L, 5, 10, 12], reports.Select(report => report.Step));
        Assert.All(reports, report =>
        {
            Assert.Equal(12, report.TotalSteps);
            Assert.Equal((report.Step - 1) / 3, report.Epoch);
            Assert.Equal(Math.Log(41), report.FlatLoss!.Value, 1e-12);
            Assert.InRange(report.EmbeddingDeviation, 0, 1.0001);
            Assert.InRange(report.LearningRate, 0, 0.12 * 32 / 256);
            Assert.True(report.ItemsPerSecond > 0 && double.IsFinite(report.Loss) && report.TimeLeft >= TimeSpan.Zero);
        });
    }

    [Fact]
    public void The_contexts_log_tells_seed_settings_dropped_rows_and_progress()
    {
        var ml = new MLContext(18);
        var lines = new List<string>();
        ml.Log += (_, entry) => lines.Add(entry.Message);
        using ContrastivePretrainTransformer encoder = Estimator(ml, new MoCoV2()).Fit(ml.View(Pictures.Make(100)));
        Assert.Contains(lines, line => line.Contains("Seed 18, device cpu", StringComparison.Ordinal) && line.Contains("\"queueLength\":32", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("leaves out 4 of 100 rows", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("Step 1 of 6", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("Step 6 of 6", StringComparison.Ordinal) && line.Contains("0:00 left", StringComparison.Ordinal));
    }

    [Fact]
    public void Cancelling_stops_between_steps()
    {
        var ml = new MLContext(13);
        using var source = new CancellationTokenSource();
        long last = 0;
        var options = new TrainingOptions
        {
            Steps = 100_000,
            BatchSize = 32,
            ReportEvery = 1,
            CancellationToken = source.Token,
            Progress = new OnProgress(report =>
            {
                last = report.Step;
                if (report.Step == 3)
                    source.Cancel();
            }),
        };
        Assert.Throws<OperationCanceledException>(() => Estimator(ml, new SimClrV1(), options).Fit(ml.View(Pictures.Make(64))));
        Assert.Equal(3, last);
    }

    [Fact]
    public void The_host_can_stop_training()
    {
        var ml = new MLContext(14);
        var options = FewSteps with { Steps = 100_000, ReportEvery = 1, Progress = new OnProgress(report => { if (report.Step == 2) ml.CancelExecution(); }) };
        Assert.Throws<OperationCanceledException>(() => Estimator(ml, new SimClrV1(), options).Fit(ml.View(Pictures.Make(64))));
    }

    [Fact]
    public void A_loss_that_is_no_number_stops_with_the_step_and_advice()
    {
        var ml = new MLContext(15);
        var wild = new SimClrV1 { Optimizer = new Sgd(), LearningRate = new(1e30) };
        var error = Assert.Throws<InvalidOperationException>(() => Estimator(ml, wild).Fit(ml.View(Pictures.Make(64))));
        Assert.Contains("at step", error.Message, StringComparison.Ordinal);
        Assert.Contains("learning rate", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disposed_encoder_says_so()
    {
        var ml = new MLContext(16);
        IDataView data = ml.View(Pictures.Make(64));
        ContrastivePretrainTransformer encoder = Estimator(ml, new SimClrV1()).Untrained(data);
        IDataView lazy = encoder.Transform(data);
        encoder.Dispose();
        encoder.Dispose();
        Assert.Throws<ObjectDisposedException>(() => encoder.Transform(data));
        Assert.Throws<ObjectDisposedException>(() => lazy.Features());
        Assert.Throws<ObjectDisposedException>(() => encoder.AsEstimator());
    }

    [Fact]
    public void A_method_of_the_users_own_trains_and_its_zip_loads_without_it()
    {
        var ml = new MLContext(17);
        IDataView data = ml.View(Pictures.Make(64));
        using ContrastivePretrainTransformer encoder = Estimator(ml, new OwnMethod()).Fit(data);
        Assert.Contains(nameof(OwnMethod), encoder.TrainingRecord, StringComparison.Ordinal);
        using var stream = new MemoryStream();
        ml.Model.Save(encoder, data.Schema, stream);
        stream.Position = 0;
        Assert.Equal(encoder.Transform(data).Features(), new MLContext().Model.Load(stream, out _).Transform(data).Features());
    }

    private static ContrastivePretrainEstimator Estimator(MLContext ml, ContrastiveMethod method, TrainingOptions? training = null)
        => ml.Transforms.ContrastivePretrain("Features", "Image", method, ImageEncoder.SmallConvNet(8), training ?? FewSteps, Pictures.ShapeFor(method));

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-5f);
    }

    private sealed class FeatureRow
    {
        public float[] Features { get; set; } = [];
    }
}
