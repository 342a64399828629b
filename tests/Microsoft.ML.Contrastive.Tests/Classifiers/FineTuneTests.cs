using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Classifiers;

public sealed class FineTuneTests : IDisposable
{
    private static readonly TrainingOptions FewSteps = new() { Steps = 4, BatchSize = 16 };
    private readonly string _folder = Directory.CreateTempSubdirectory("fine-tune").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<ImageEncoder> Encoders =>
    [
        ImageEncoder.SmallConvNet(4),
        ImageEncoder.ResNet18(Stem.Small) with { Width = 16 },
        ImageEncoder.ResNet50(Stem.Small) with { Width = 16, SelectiveKernels = true },
        new VisionTransformer { Patch = 4, Width = 32, Depth = 3, Heads = 2 },
        new VisionTransformer { Patch = 8, Width = 32, Depth = 1, Heads = 2, Positions = PositionEmbedding.Learned },
        new EncoderWithHead(ImageEncoder.SmallConvNet(4), 20),
        ImageEncoder.LuminanceAndColor(ImageEncoder.SmallConvNet(2), ImageEncoder.ResNet18(Stem.Small) with { Width = 16 }),
    ];

    [Theory]
    [MemberData(nameof(Encoders))]
    public void Every_encoder_takes_a_classifier_and_the_zip_gives_the_same_answers_elsewhere(ImageEncoder shape)
    {
        var ml = new MLContext(1);
        IDataView data = Labelled(ml, 48, 3);
        using ContrastivePretrainTransformer encoder = Untrained(ml, data, shape, 3);
        using ImageClassifierTransformer classifier = ml.MulticlassClassification.Trainers.FineTune(encoder, training: FewSteps).Fit(data);
        IDataView before = classifier.Transform(data);
        Assert.All(before.Features("Score"), row => Assert.Equal(1, row.Sum(), 1e-5f));

        using var stream = new MemoryStream();
        ml.Model.Save(classifier, data.Schema, stream);
        stream.Position = 0;
        using var loaded = (ImageClassifierTransformer)new MLContext().Model.Load(stream, out _);
        IDataView after = loaded.Transform(data);
        Assert.Equal(before.Features("Score"), after.Features("Score"));
        Assert.Equal(before.GetColumn<uint>("PredictedLabel"), after.GetColumn<uint>("PredictedLabel"));
        Assert.Equal(Show(before.Schema), Show(after.Schema));
        Assert.Equal(classifier.TrainingRecord, loaded.TrainingRecord);
    }

    [Theory]
    [MemberData(nameof(Encoders))]
    public void Only_what_is_to_be_trained_changes_statistics_too(ImageEncoder shape)
    {
        var ml = new MLContext(2);
        IDataView data = Labelled(ml, 48, 3);
        using ContrastivePretrainTransformer encoder = Untrained(ml, data, shape, 3);
        Dictionary<string, Tensor> start = encoder.Weights.Module.state_dict();
        foreach (TrainedLayers trains in Enum.GetValues<TrainedLayers>())
        {
            using ImageClassifierTransformer classifier = ml.MulticlassClassification.Trainers.FineTune(encoder, trains: trains, training: FewSteps).Fit(data);
            string[] last = shape.ForFineTuning.Stages[^1];
            foreach ((string name, Tensor value) in classifier.Weights.Module.state_dict().Where(entry => entry.Key.StartsWith("encoder.", StringComparison.Ordinal)))
            {
                string own = name["encoder.".Length..];
                bool expected = trains == TrainedLayers.All || (trains == TrainedLayers.LastStages && last.Any(stage => own.StartsWith(stage, StringComparison.Ordinal)));
                bool isConstant = own.Contains("pos_embed", StringComparison.Ordinal) && shape is VisionTransformer { Positions: not PositionEmbedding.Learned };
                Assert.True((expected && !isConstant) == !value.equal(start[own]).all().item<bool>(), $"{name} with {trains}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Encoders))]
    public void An_encoders_stages_name_each_of_its_tensors_once(ImageEncoder shape)
    {
        shape = shape.ForFineTuning;
        using nn.Module<Tensor, Tensor> module = shape.CreateModule(3, seed: 1, imageSize: 16);
        Assert.All(module.state_dict().Keys, name => Assert.Single(shape.Stages.SelectMany(stage => stage), start => name.StartsWith(start, StringComparison.Ordinal)));
        Assert.All(shape.Stages.SelectMany(stage => stage), start => Assert.Contains(module.state_dict().Keys, name => name.StartsWith(start, StringComparison.Ordinal)));
    }

    [Fact]
    public void A_head_that_features_do_not_pass_is_no_stage_of_them()
    {
        var encoder = new EncoderWithHead(ImageEncoder.SmallConvNet(4), 20);
        Assert.Equal(["head."], encoder.ForFineTuning.Stages[^1]);
        Assert.All(encoder.Stages[^1], name => Assert.StartsWith("backbone.", name, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Label")]
    [InlineData("Number")]
    [InlineData("Whole")]
    [InlineData("Flag")]
    public void Its_columns_are_those_of_a_stock_trainer_for_labels_of_any_kind(string column)
    {
        var ml = new MLContext(3);
        IDataView data = ml.Transforms.CustomMapping<PictureRow, OtherLabels>(
            (row, labels) => (labels.Number, labels.Whole, labels.Flag) = (row.Id % 4 + 0.5f, row.Id % 4 - 7, row.Id % 4 > 1), contractName: null)
            .Append(ml.Transforms.Conversion.MapValueToKey("Key", column)).Fit(ml.View(Pictures.Make(40))).Transform(ml.View(Pictures.Make(40)));
        using ContrastivePretrainTransformer encoder = Untrained(ml, data, ImageEncoder.SmallConvNet(4));
        FineTuneEstimator estimator = ml.MulticlassClassification.Trainers.FineTune(encoder, "Key", training: FewSteps);
        using ImageClassifierTransformer classifier = estimator.Fit(data);
        var stock = ml.MulticlassClassification.Trainers.SdcaMaximumEntropy("Key", maximumNumberOfIterations: 1);
        IDataView features = encoder.Transform(data);

        DataViewSchema ours = classifier.GetOutputSchema(data.Schema), theirs = stock.Fit(features).GetOutputSchema(features.Schema);
        SchemaShape promised = estimator.GetOutputSchema(SchemaShape.Create(data.Schema));
        foreach (string name in new[] { "PredictedLabel", "Score" })
        {
            Assert.Equal(Show(theirs[name]), Show(ours[name]));
            SchemaShape.Column wanted = SchemaShape.Create(ours).Single(each => each.Name == name), promise = promised.Single(each => each.Name == name);
            Assert.Equal(Show(wanted), Show(promise));
        }

        // The values behind the keys came through, and through a zip.
        using var stream = new MemoryStream();
        ml.Model.Save(classifier, data.Schema, stream);
        stream.Position = 0;
        IDataView mapped = ml.Transforms.Conversion.MapKeyToValue("Text", "PredictedLabel")
            .Append(ml.Transforms.Conversion.ConvertType("Text", outputKind: DataKind.String)).Fit(classifier.Transform(data)).Transform(new MLContext().Model.Load(stream, out _).Transform(data));
        IDataView given = ml.Transforms.Conversion.ConvertType("Text", column, DataKind.String).Fit(data).Transform(data);
        Assert.Subset(given.GetColumn<string>("Text").ToHashSet(), mapped.GetColumn<string>("Text").ToHashSet());
    }

    [Fact]
    public void A_stock_chain_around_it_evaluates_predicts_one_row_and_is_saved_whole()
    {
        var ml = new MLContext(4);
        PictureRow[] rows = Pictures.Make(160);
        IDataView data = ml.View(rows), test = ml.View(Pictures.Make(80, seed: 2));
        using ContrastivePretrainTransformer encoder = Untrained(ml, data, ImageEncoder.SmallConvNet(4));
        using var model = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(ml.MulticlassClassification.Trainers.FineTune(new FineTuneEstimator.Options
            {
                Encoder = encoder, LearningRate = new(1e-2, Scaling: RateScaling.None), Training = FewSteps with { Steps = 200, BatchSize = 32 },
            }))
            .Append(ml.Transforms.Conversion.MapKeyToValue("Said", "PredictedLabel")).Fit(data);
        MulticlassClassificationMetrics metrics = ml.MulticlassClassification.Evaluate(model.Transform(test), topKPredictionCount: 2);
        Assert.True(metrics.MicroAccuracy > 0.8, $"four bars at four angles are easy: {metrics.MicroAccuracy}");
        Assert.Equal(4, metrics.ConfusionMatrix.NumberOfClasses);

        using var stream = new MemoryStream();
        ml.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        var fresh = new MLContext();
        ITransformer loaded = fresh.Model.Load(stream, out DataViewSchema schema);
        string[] said = [.. model.Transform(data).GetColumn<string>("Said")];
        Assert.Equal(said, loaded.Transform(data).GetColumn<string>("Said"));
        using PredictionEngine<PictureRow, Prediction> engine = fresh.Model.CreatePredictionEngine<PictureRow, Prediction>(loaded, schema);
        float[][] scores = model.Transform(data).Features("Score");
        for (int i = 0; i < 5; i++)
        {
            Prediction one = engine.Predict(rows[i]);
            Assert.Equal(said[i], one.Said);
            Assert.Equal(scores[i], one.Score, (expected, actual) => Math.Abs(expected - actual) < 1e-5f);
        }
    }

    [Fact]
    public void Simclr_v2_is_fine_tuned_from_its_middle_layer_unless_that_is_turned_off()
    {
        var ml = new MLContext(5);
        IDataView data = Labelled(ml, 64);
        using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", new SimClrV2 { HiddenSize = 20 }, ImageEncoder.SmallConvNet(4), FewSteps, Pictures.Shape()).Fit(data);
        var options = new FineTuneEstimator.Options { Encoder = encoder, Trains = TrainedLayers.Head, Training = FewSteps };
        foreach (bool fromMiddle in new[] { true, false })
        {
            using ImageClassifierTransformer classifier = ml.MulticlassClassification.Trainers.FineTune(options with { FromMiddleLayer = fromMiddle }).Fit(data);
            Dictionary<string, Tensor> state = classifier.Weights.Module.state_dict();
            Assert.Equal([4L, fromMiddle ? 20 : 32], state["head.weight"].shape);
            TensorAssert.Equal(encoder.Weights.Module.state_dict()["head.0.weight"], state["encoder.head.0.weight"], 0);
            Assert.Contains("SimClrV2", classifier.TrainingRecord, StringComparison.Ordinal); // how the start was made
        }
    }

    [Fact]
    public void With_validation_rows_the_record_says_how_many_of_them_are_right()
    {
        var ml = new MLContext(6);
        IDataView data = Labelled(ml, 64), validation = Labelled(ml, 64, seed: 2);
        using ContrastivePretrainTransformer encoder = Untrained(ml, data, ImageEncoder.SmallConvNet(4));
        FineTuneEstimator estimator = ml.MulticlassClassification.Trainers.FineTune(encoder, training: new() { BatchSize = 16, Epochs = 8 });
        using ImageClassifierTransformer last = estimator.Fit(data), best = estimator.Fit(data, validation);
        double ofLast = Accuracy(ml, last, validation), ofBest = Accuracy(ml, best, validation);
        Assert.Contains($"\"validationAccuracy\":{ofBest.ToString(System.Globalization.CultureInfo.InvariantCulture)}", best.TrainingRecord, StringComparison.Ordinal);
        Assert.True(ofBest >= ofLast, $"{ofBest} {ofLast}");
    }

    [Fact]
    public void The_epoch_that_did_best_on_validation_rows_is_kept_not_the_last()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        ImageEncoder shape = ImageEncoder.SmallConvNet(2);
        var scripted = new Queue<double>([0.2, 0.9, 0.5]); // three epochs of two steps
        var facts = new RunFacts(8, 4, 6, 8, 8, 1, shape.FeatureSize) { Encoder = shape };
        var recipe = (ClassifierTraining)new ClassifierTraining { Data = new([0, 1, 2, 0, 1, 2, 0, 1], 3, "", _ => scripted.Dequeue()) }.ResolveFully(facts);
        using Learner learner = recipe.CreateLearner(new LearnerSetup(() => shape.Build(1, 8, 8, generator), shape.FeatureSize, generator, facts));
        learner.train();
        using var runner = new StepRunner(learner, recipe.Optimizer!);
        Dictionary<string, Tensor>? afterTwo = null;
        for (int step = 0; step < 6; step++)
        {
            using var views = new Contrastive.Views(rand(4, 1, 8, 8, generator: generator)) { RowIndices = arange(4) };
            runner.Run(views, new Step(step, 6, seed: 1), rate: 0.01, constantRate: 0.01);
            if (step == 3)
                afterTwo = learner.Encoder.state_dict().ToDictionary(entry => entry.Key, entry => entry.Value.clone());
            else if (step == 4)
                Assert.NotEqual(0, (learner.Encoder.state_dict()["head.weight"] - afterTwo!["head.weight"]).abs().max().ToDouble());
        }
        foreach ((string name, Tensor value) in learner.Encoder.state_dict())
            TensorAssert.Equal(afterTwo![name], value, 0);
        Assert.Empty(scripted);
    }

    [Fact]
    public void A_run_that_is_cancelled_goes_on_to_the_bytes_of_an_unbroken_one()
    {
        var ml = new MLContext(7);
        IDataView data = Labelled(ml, 50), validation = Labelled(ml, 30, seed: 2);
        using ContrastivePretrainTransformer encoder = Untrained(ml, data, ImageEncoder.SmallConvNet(4));
        using ImageClassifierTransformer unbroken = Fit(new TrainingOptions(), validation);
        using var source = new CancellationTokenSource();
        var progress = new OnProgress(report => { if (report.Step == 5) source.Cancel(); });
        var folder = new TrainingOptions { CheckpointFolder = _folder };
        Assert.Throws<OperationCanceledException>(() => Fit(folder with { Progress = progress, CancellationToken = source.Token }, validation));
        using ImageClassifierTransformer resumed = Fit(folder, validation);
        Assert.Equal(unbroken.Transform(data).Features("Score"), resumed.Transform(data).Features("Score"));

        // Other labels, or other validation rows, are another run.
        Assert.Contains("fingerprint", Assert.Throws<ArgumentException>(() => Fit(folder, Labelled(ml, 30, seed: 3))).Message, StringComparison.Ordinal);

        ImageClassifierTransformer Fit(TrainingOptions training, IDataView heldOut) => ml.MulticlassClassification.Trainers.FineTune(
            encoder, training: training with { Steps = 9, BatchSize = 16, ReportEvery = 1 }).Fit(data, heldOut);
    }

    [Fact]
    public void Rows_without_a_label_or_picture_are_left_out_and_few_rows_make_one_batch()
    {
        var ml = new MLContext(8);
        PictureRow[] rows = Pictures.Make(20);
        foreach (PictureRow row in rows.Take(5))
            row.Label = "";
        var log = new List<string>();
        ml.Log += (_, e) => log.Add(e.Message);
        IDataView data = ml.Transforms.Conversion.MapValueToKey("Label", keyData: ml.Data.LoadFromEnumerable(Pictures.Make(4).Select(row => new OneLabel { Label = row.Label }))).Fit(ml.View(rows)).Transform(ml.View(rows));
        using ContrastivePretrainTransformer encoder = Untrained(ml, data, ImageEncoder.SmallConvNet(4));
        using ImageClassifierTransformer classifier = ml.MulticlassClassification.Trainers.FineTune(encoder, training: new TrainingOptions { Epochs = 2 }).Fit(data);
        Assert.Contains(log, message => message.Contains("Left out 5 of 20 rows: column 'Label'", StringComparison.Ordinal));
        Assert.Contains("\"batchSize\":15", classifier.TrainingRecord, StringComparison.Ordinal);
        Assert.Contains("\"steps\":2,", classifier.TrainingRecord, StringComparison.Ordinal);
        Assert.Equal(20, classifier.Transform(data).GetColumn<uint>("PredictedLabel").Count());
    }

    [Fact]
    public void Bad_input_is_refused_by_name_before_training()
    {
        var ml = new MLContext(9);
        IDataView text = ml.View(Pictures.Make(40)), data = Labelled(ml, 40);
        using ContrastivePretrainTransformer encoder = Untrained(ml, data, ImageEncoder.SmallConvNet(4));
        var trainers = ml.MulticlassClassification.Trainers;
        var options = new FineTuneEstimator.Options { Encoder = encoder };
        Refused<ArgumentException>("MapValueToKey(\"Label\")", () => trainers.FineTune(encoder).Fit(text));
        Refused<ArgumentException>("MapValueToKey(\"Label\")", () => trainers.FineTune(encoder).GetOutputSchema(SchemaShape.Create(text.Schema)));
        Refused<ArgumentException>("no column 'Class'", () => trainers.FineTune(encoder, "Class").Fit(data));
        Refused<ArgumentException>("no column 'Class'", () => trainers.FineTune(encoder, "Class").GetOutputSchema(SchemaShape.Create(data.Schema)));
        Refused<ArgumentException>("no column 'Picture'", () => trainers.FineTune(options with { ImageColumnName = "Picture" }).Fit(data));
        Refused<ArgumentException>("too few", () => trainers.FineTune(encoder).Fit(ml.Data.TakeRows(data, 1)));
        Refused<ArgumentException>("other classes", () => trainers.FineTune(encoder).Fit(data, Labelled(ml, 40, classes: 3)));
        Refused<ArgumentOutOfRangeException>("4 stages", () => trainers.FineTune(options with { Stages = 5 }));
        Refused<ArgumentOutOfRangeException>("smoothing", () => trainers.FineTune(options with { LabelSmoothing = 1 }));
        Refused<ArgumentOutOfRangeException>("TrainedLayers", () => trainers.FineTune(options with { Trains = (TrainedLayers)9 }));
        Refused<ArgumentException>("names of their own", () => trainers.FineTune(options with { ScoreColumnName = "PredictedLabel" }));
        Refused<ArgumentException>("learning rate", () => trainers.FineTune(options with { LearningRate = new(-1) }));
        encoder.Dispose();
        Assert.Throws<ObjectDisposedException>(() => trainers.FineTune(encoder));
    }

    internal static void Refused<T>(string message, Action act)
        where T : Exception
        => Assert.Contains(message, Assert.ThrowsAny<T>(act).Message, StringComparison.Ordinal);

    /// <summary>Pictures whose labels are keys.</summary>
    internal static IDataView Labelled(MLContext ml, int count, int channels = 1, int seed = 1, int classes = 4)
    {
        IDataView data = ml.View(Pictures.Make(count, seed, channels, classes), channels);
        return ml.Transforms.Conversion.MapValueToKey("Label").Fit(data).Transform(data);
    }

    internal static ContrastivePretrainTransformer Untrained(MLContext ml, IDataView data, ImageEncoder shape, int channels = 1)
        => ml.Transforms.ContrastivePretrain("Features", "Image", encoder: shape, training: FewSteps, imageShape: Pictures.Shape(channels)).Untrained(data);

    internal static double Accuracy(MLContext ml, ImageClassifierTransformer classifier, IDataView data)
        => ml.MulticlassClassification.Evaluate(classifier.Transform(data)).MicroAccuracy;

    private static string Show(DataViewSchema schema) => string.Join("\n", schema.Select(Show));

    private static string Show(DataViewSchema.Column column)
        => $"{column.Name} {column.Type} [{string.Join(", ", column.Annotations.Schema.Select(each => $"{each.Name} {each.Type}").Order())}]";

    private static string Show(SchemaShape.Column column)
        => $"{column.GetTypeString()} [{string.Join(", ", column.Annotations.Select(each => $"{each.Name} {each.GetTypeString()}").Order())}]";

    private sealed class OneLabel
    {
        public string Label { get; set; } = "";
    }

    private sealed class OtherLabels
    {
        public float Number { get; set; }

        public int Whole { get; set; }

        public bool Flag { get; set; }
    }

    private sealed class Prediction
    {
        public string Said { get; set; } = "";

        public float[] Score { get; set; } = [];
    }
}
