using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>What can't be trained on is refused before the first step, by the name of the column, row or option, with what to do.</summary>
public sealed class BadInputTests : IDisposable
{
    private const int Side = 16;
    private static readonly ImageShape Gray = new(Side, Side, 1), Unit = Gray with { Scale = PixelScale.Unit };
    private static readonly TrainingOptions NoTraining = new() { Steps = 2, BatchSize = 4, ReportEvery = 1, Progress = new Refuse() };
    private readonly MLContext _ml = new(1);
    private readonly List<string> _warnings = [];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bad-input-");

    public BadInputTests() => _ml.Log += (_, message) =>
    {
        lock (_warnings)
            if (message.Kind == Runtime.ChannelMessageKind.Warning)
                _warnings.Add(message.RawMessage);
    };

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("Absent", false)]
    [InlineData("Absent", true)]
    [InlineData("Text", false)]
    [InlineData("Scalar", false)]
    [InlineData("Scalar", true)]
    [InlineData("Doubles", true)]
    [InlineData("Keys", true)]
    [InlineData("ByteKeys", true)]
    [InlineData("Unknown", true)]
    [InlineData("Bytes", false)]
    [InlineData("Image", true)]
    public void A_column_that_holds_no_pictures_is_refused_by_schema_and_by_fit(string column, bool withShape)
    {
        ContrastivePretrainEstimator estimator = Estimator(column, withShape ? Gray : null);
        IDataView data = View(Rows(8));
        foreach (ArgumentException error in new[]
        {
            Assert.Throws<ArgumentException>(() => estimator.Fit(data)),
            Assert.Throws<ArgumentException>(() => estimator.GetOutputSchema(SchemaShape.Create(data.Schema))),
        })
            Assert.Contains($"'{column}'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Absent", "Bytes, Singles", false)] // what there is
    [InlineData("Unknown", "known size of 256: put [VectorType(256)]", true)]
    [InlineData("Bytes", "new ImageShape(height, width, channels)", false)]
    [InlineData("Image", "leave imageShape out", true)]
    public void The_message_says_what_to_do(string column, string advice, bool withShape)
    {
        var error = Assert.Throws<ArgumentException>(() => Estimator(column, withShape ? Gray : null).Fit(View(Rows(8))));
        Assert.Contains(advice, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Image", "Bytes", "'Image' is a vector: the encoder was trained on MLImage")]
    [InlineData("Bytes", "Image", "'Bytes' holds MLImage: the encoder was trained on vectors of 16 x 16 x 1 = 256 numbers")]
    [InlineData("Bytes", "Text", "'Bytes' is String: the encoder was trained on vectors")]
    public void A_fitted_encoder_says_what_it_was_trained_on_since_its_shape_can_no_longer_be_chosen(string trained, string given, string message)
    {
        using ContrastivePretrainTransformer encoder = Estimator(trained, trained == "Image" ? null : Gray).Untrained(View(Rows(8)));
        IDataView other = _ml.Transforms.CopyColumns(trained, given).Fit(View(Rows(2))).Transform(View(Rows(2)));
        Fails<ArgumentException>(() => encoder.Transform(other), message);
    }

    [Fact]
    public void A_column_that_is_missing_is_answered_with_each_name_that_there_is_once()
    {
        IDataView data = _ml.Transforms.CopyColumns("Text", "Scalar").Fit(View(Rows(8))).Transform(View(Rows(8)));
        Assert.Equal(2, data.Schema.Count(column => column.Name == "Text")); // the first is hidden
        foreach (Action act in new Action[]
        {
            () => Estimator("Absent", null).Fit(data),
            () => Estimator("Absent", null).GetOutputSchema(SchemaShape.Create(data.Schema)),
            () => _ml.Representation().EvaluateGeometry(data, "Absent"),
        })
        {
            string message = Assert.Throws<ArgumentException>(act).Message;
            Assert.Contains("no column 'Absent'", message, StringComparison.Ordinal);
            Assert.Equal(2, message.Split("Text").Length);
        }
    }

    [Fact]
    public void Pixels_from_0_to_1_where_bytes_are_expected_are_refused_before_training_but_not_black_ones()
    {
        Row[] rows = Rows(8);
        rows[6].Singles![9] = 0.7f;
        Fails<ArgumentException>(() => Estimator("Singles", Gray).Fit(View(rows)), "'Singles'", "PixelScale.Unit");
        rows[2].Singles![3] = 1;
        Fails<ArgumentException>(() => Estimator("Singles", Gray).Fit(View(rows)), "'Singles'", "PixelScale.Unit");
        rows[2].Singles![3] = 1.5f;
        Estimator("Singles", Gray).Untrained(View(rows)).Dispose();
        Estimator("Singles", Gray).Untrained(View(Rows(8))).Dispose();
    }

    [Fact]
    public void A_shape_that_does_not_multiply_to_the_size_is_refused()
        => Fails<ArgumentException>(() => Estimator("Bytes", new ImageShape(16, 15, 1)).Fit(View(Rows(8))), "'Bytes'", "256", "240");

    [Fact]
    public void Unit_scale_is_not_for_bytes()
        => Fails<ArgumentException>(() => Estimator("Bytes", Unit).Fit(View(Rows(8))), "'Bytes'", "PixelScale.Unit");

    [Fact]
    public void No_rows_and_fewer_rows_than_a_batch_are_refused()
    {
        Fails<ArgumentException>(() => Estimator("Bytes", Gray).Fit(View([])), "'Bytes'", "no rows");
        Fails<ArgumentException>(() => Estimator("Bytes", Gray).Fit(View(Rows(3))), "3 pictures", "batch of 4", "BatchSize");
    }

    [Theory]
    [InlineData("Singles", float.NaN)]
    [InlineData("Singles", float.PositiveInfinity)]
    [InlineData("Singles", -1f)]
    [InlineData("Singles", 255.5f)]
    [InlineData("Unit", float.NaN)]
    [InlineData("Unit", float.NegativeInfinity)]
    [InlineData("Unit", 1.01f)]
    [InlineData("Unit", -0.01f)]
    public void Numbers_that_are_no_pixels_are_refused_by_row_whatever_is_done_with_missing_pictures(string column, float number)
    {
        Row[] rows = Rows(8);
        (column == "Unit" ? rows[5].Unit : rows[5].Singles)![7] = number;
        foreach (MissingImages missing in Enum.GetValues<MissingImages>())
        {
            ContrastivePretrainEstimator estimator = Estimator(column, column == "Unit" ? Unit : Gray, missing);
            Fails<InvalidOperationException>(() => estimator.Fit(View(rows)), "Row 5", $"'{column}'", "number 7", column == "Unit" ? "0 to 1 " : "0 to 255 ");
        }
    }

    [Theory]
    [InlineData("Bytes")]
    [InlineData("Singles")]
    public void An_array_of_another_length_than_the_column_declares_is_refused_by_row(string column)
    {
        Row[] rows = Rows(8);
        (rows[3].Bytes, rows[3].Singles) = (new byte[255], new float[257]);
        Fails<InvalidOperationException>(() => Estimator(column, Gray).Fit(View(rows)), "Row 3", $"'{column}'", "256");
    }

    [Theory]
    [InlineData("Image")]
    [InlineData("Bytes")]
    [InlineData("Singles")]
    public void A_null_picture_is_refused_by_row_or_skipped_and_counted(string column)
    {
        Row[] rows = Rows(12);
        (rows[2].Image, rows[2].Bytes, rows[2].Singles) = (null, null, null);
        ImageShape? shape = column == "Image" ? null : Gray;
        Fails<InvalidOperationException>(() => Estimator(column, shape).Fit(View(rows)), "Row 2", $"'{column}'", "MissingImages.Skip");

        using ContrastivePretrainTransformer encoder = Estimator(column, shape, MissingImages.Skip).Untrained(View(rows));
        Assert.Contains(_warnings, message => message.Contains("Left out 1 of 12 rows", StringComparison.Ordinal) && message.Contains($"'{column}'", StringComparison.Ordinal));
        AssertOnlyMissing(2, encoder.Transform(View(rows)).Features());
    }

    [Fact]
    public void An_undecodable_file_is_refused_by_row_or_skipped_and_counted()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "damaged.png"), "this is no picture");
        using (MLImage picture = Picture(3))
            picture.Save(Path.Combine(_folder.FullName, "good.png"));
        Row[] rows = Rows(10);
        foreach ((int index, Row row) in rows.Index())
            row.Text = index switch { 4 => "damaged.png", 6 => "absent.png", _ => "good.png" };
        IDataView data = _ml.Transforms.LoadImages("Loaded", _folder.FullName, "Text").Fit(View(rows)).Transform(View(rows));

        Fails<InvalidOperationException>(() => Estimator("Loaded", null).Fit(data), "Row 4", "'Loaded'", "could not be decoded", "MissingImages.Skip");
        using ContrastivePretrainTransformer encoder = Estimator("Loaded", null, MissingImages.Skip).Untrained(data);
        Assert.Contains(_warnings, message => message.Contains("Left out 2 of 10 rows", StringComparison.Ordinal));
        float[][] features = encoder.Transform(data).Features();
        Assert.Equal([4, 6], features.Index().Where(row => row.Item.All(float.IsNaN)).Select(row => row.Index));
        Assert.All(features.Where((_, index) => index is not (4 or 6)), row => Assert.All(row, number => Assert.True(float.IsFinite(number))));
    }

    [Fact]
    public void With_no_readable_picture_at_all_there_is_nothing_to_learn_from()
    {
        Row[] rows = Rows(4);
        foreach (Row row in rows)
            row.Image = null;
        Fails<ArgumentException>(() => Estimator("Image", null, MissingImages.Skip).Fit(View(rows)), "'Image'", "no readable picture");
    }

    [Fact]
    public void Pictures_smaller_than_the_encoder_can_take_are_refused()
    {
        Row[] rows = Rows(8);
        foreach (Row row in rows)
            row.Image = Picture(1, side: 7);
        Fails<ArgumentException>(() => Estimator("Image", null).Fit(View(rows)), "7 x 7", "8", "ImageSize");
    }

    public static TheoryData<string, Func<ContrastivePretrainEstimator.Options, ContrastivePretrainEstimator.Options>> BadSettings()
    {
        var data = new TheoryData<string, Func<ContrastivePretrainEstimator.Options, ContrastivePretrainEstimator.Options>>();
        Add("OutputColumnName", options => options with { OutputColumnName = "" });
        Add("InputColumnName", options => options with { InputColumnName = "" });
        Add("Method", options => options with { Method = null! });
        Add("Training", options => options with { Training = null! });
        Add("MissingImages", options => options with { MissingImages = (MissingImages)7 });
        foreach (int size in new[] { -1, 0, 7, 4097, int.MaxValue })
            Add("ImageSize", options => options with { ImageSize = size });
        Add("Stem.Small", options => options with { ImageSize = 31, Encoder = ImageEncoder.ResNet18() });
        Add("Stem.Small", options => options with { ImageShape = new(31, 64, 1), Encoder = ImageEncoder.ResNet18() });
        Add("Height", options => options with { ImageShape = new(0, 8, 1) });
        Add("Width", options => options with { ImageShape = new(8, -8, 1) });
        Add("Channels", options => options with { ImageShape = new(8, 8, 2) });
        Add("Height", options => options with { ImageShape = new(1 << 20, 1 << 20, 3) });
        Add("Layout", options => options with { ImageShape = Gray with { Layout = (PixelLayout)9 } });
        Add("Scale", options => options with { ImageShape = Gray with { Scale = (PixelScale)9 } });
        foreach (int size in new[] { -1, 0, 65_537 })
            Add("TransformBatchSize", options => options with { TransformBatchSize = size });

        Run("BatchSize", run => run with { BatchSize = 1 });
        Run("BatchSize", run => run with { BatchSize = 0 });
        Run("Epochs", run => run with { Steps = null, Epochs = 0 });
        Run("Steps", run => run with { Steps = 0 });
        Run("ViewThreads", run => run with { ViewThreads = 0 });
        Run("ReportEvery", run => run with { ReportEvery = 0 });
        Run("MemoryBudget", run => run with { MemoryBudget = -1 });
        Run("ScratchFolder", run => run with { ScratchFolder = " " });

        foreach (int width in new[] { -1, 0, 257 })
            Add("Width", options => options with { Encoder = ImageEncoder.SmallConvNet(width) });
        foreach (int patch in new[] { 0, 1, 17 })
            Add("Patch", options => options with { Encoder = ImageEncoder.ViTTiny(patch) });
        Add("Width", options => options with { Encoder = ImageEncoder.ViTTiny() with { Width = 100 } });
        Add("Width", options => options with { Encoder = new VisionTransformer { Width = 18, Heads = 1 } });
        Add("Width", options => options with { Encoder = ImageEncoder.ViTBase() with { Width = 1536 } });
        Add("Depth", options => options with { Encoder = ImageEncoder.ViTTiny() with { Depth = 0 } });
        Add("Heads", options => options with { Encoder = ImageEncoder.ViTTiny() with { Heads = 0 } });
        Add("Positions", options => options with { Encoder = ImageEncoder.ViTTiny(positions: (PositionEmbedding)3) });
        Add("patches of 5", options => options with { ImageSize = 32, Encoder = ImageEncoder.ViTTiny(5) });
        Add("multiple, such as 28", options => options with { ImageShape = new(28, 30, 1), Encoder = ImageEncoder.ViTTiny(4) });
        Add("more than 4096 patches", options => options with { ImageSize = 1024, Encoder = ImageEncoder.ViTTiny(2) });
        foreach (int width in new[] { 7, 193 })
            Add("Width", options => options with { Encoder = new ResNet { Width = width } });
        LuminanceAndColor pair = ImageEncoder.LuminanceAndColor(ImageEncoder.SmallConvNet(), ImageEncoder.SmallConvNet());
        Add("Luminance", options => options with { Encoder = pair with { Luminance = null! } });
        Add("Color", options => options with { Encoder = pair with { Color = pair } });
        Add("Width", options => options with { Encoder = pair with { Color = ImageEncoder.SmallConvNet(0) } });
        Add("one channel", options => options with { Encoder = pair, ImageShape = Gray });
        Add("one channel", options => options with { Method = new Cmc(), ImageShape = Gray });
        Add("Depth", options => options with { Encoder = new ResNet { Depth = 19 } });
        Add("Stem", options => options with { Encoder = new ResNet { Stem = (Stem)5 } });

        Method("Augmentations", new SimClrV1 { Augmentations = [ImageAugmentations.MoCoV2] });
        Method("Augmentations", new MoCoV2 { Augmentations = [.. Enumerable.Repeat(ImageAugmentations.MoCoV2, 3)] });
        Method("Augmentations", new SimSiam { Augmentations = [] });
        Method("Augmentations", new SimClrV1 { Augmentations = [new(), new() { Size = 8 }] });
        View("Size", new() { Size = 0 });
        Method("Augmentations", new OwnMethod { Augmentations = [] });
        Method("Augmentations", new SimSiam { Augmentations = [null!, null!] });
        View("Crop.MinArea", new() { Crop = new(0, 1) });
        View("Crop.MaxArea", new() { Crop = new(0.5, 0.4) });
        View("FlipProbability", new() { FlipProbability = double.NaN });
        View("Jitter.Hue", new() { Jitter = new(0, 0, 0, 0.6) });
        View("Blur.MinSigma", new() { Blur = new(1, MinSigma: 0) });
        View("Solarize.Threshold", new() { Solarize = new(1, 2) });

        foreach (double temperature in new[] { 0, -1, double.NaN, double.PositiveInfinity })
        {
            Method("Temperature", new SimClrV1 { Temperature = temperature });
            Method("Temperature", new InvaSpread { Temperature = temperature });
            Method("Temperature", new MoCoV3 { Temperature = temperature });
            Method("Temperature", new MoCoV1 { Temperature = temperature });
            Method("Temperature", new MoCoV2 { Temperature = temperature });
        }
        Method("ProjectorLayers", new SimClrV1 { ProjectorLayers = -1 });
        Method("ProjectionSize", new SimClrV1 { ProjectionSize = 1 });
        Method("HiddenSize", new SimClrV1 { HiddenSize = 0 });
        foreach (double momentum in new[] { 2, -0.1, double.NaN })
            Method("Momentum", new MoCoV2 { Momentum = momentum });
        Method("QueueLength", new MoCoV2 { QueueLength = 0 });
        Method("ProjectionSize", new MoCoV1 { ProjectionSize = 1 });
        foreach (int groups in new[] { 0, 3, 4 })
            Method("NormGroups", new MoCoV2 { NormGroups = groups });
        Method("Form", new InvaSpread { Form = (InvaSpreadForm)2 });
        Method("ProjectionSize", new InvaSpread { ProjectionSize = 1 });
        Method("Momentum", new MoCoV3 { Momentum = -1 });
        Method("ProjectorLayers", new MoCoV3 { ProjectorLayers = 0 });
        Method("HiddenSize", new MoCoV3 { HiddenSize = 0 });
        Method("ProjectionSize", new MoCoV3 { ProjectionSize = 1 });
        Method("Augmentations", new MoCoV3 { Augmentations = [] });
        Method("Momentum", new Byol { Momentum = 1.1 });
        Method("HiddenSize", new Byol { HiddenSize = 0 });
        Method("ProjectionSize", new Byol { ProjectionSize = 1 });
        Method("HeadNorm", new Byol { HeadNorm = (HeadNorm)9 });
        Method("Augmentations", new Byol { Augmentations = [ImageAugmentations.ByolFirst] });
        Add("BatchSize", options => options with { Method = new Byol(), Training = options.Training with { BatchSize = 1 } });
        Bank(new InstDisc());
        Bank(new Cmc());
        Method("ProximalWeight", new InstDisc { ProximalWeight = -1 });
        Method("ProximalWeight", new InstDisc { ProximalWeight = double.NaN });
        Method("Augmentations", new Dino { Augmentations = [new()] });
        Method("Augmentations", new Dino { Augmentations = [new(), new() { Size = 8 }] });
        Method("OutputSize", new Dino { OutputSize = 1 });
        Method("StudentTemperature", new Dino { StudentTemperature = 0 });
        Method("FirstTeacherTemperature", new Dino { FirstTeacherTemperature = -1 });
        Method("TeacherTemperature", new Dino { TeacherTemperature = double.NaN });
        Method("TeacherWarmupSteps", new Dino { TeacherWarmupSteps = -1 });
        Method("FrozenLastLayerSteps", new Dino { FrozenLastLayerSteps = -1 });
        Method("CentreMomentum", new Dino { CentreMomentum = double.NaN });
        Method("Momentum", new Dino { Momentum = 2 });
        Method("ProjectorLayers", new Dino { ProjectorLayers = 0 });
        Method("ProjectionSize", new Dino { ProjectionSize = 1 });
        Method("FinalWeightDecay", new Dino { Optimizer = new AdamW { FinalWeightDecay = -1 } });
        Method("Augmentations", new SwAV { Augmentations = [new()] });
        Method("Augmentations", new SwAV { Augmentations = [new(), new() { Size = 8 }] });
        foreach (int count in new[] { 0, 1 })
            Method("Prototypes", new SwAV { Prototypes = count });
        Method("Temperature", new SwAV { Temperature = 0 });
        Method("Epsilon", new SwAV { Epsilon = double.NaN });
        Method("SinkhornIterations", new SwAV { SinkhornIterations = 0 });
        Method("QueueLength", new SwAV { QueueLength = -1 });
        Method("QueueStartStep", new SwAV { QueueStartStep = -1 });
        Method("FrozenPrototypeSteps", new SwAV { FrozenPrototypeSteps = -1 });
        Method("ProjectionSize", new SwAV { ProjectionSize = 1 });
        Method("BottleneckSize", new SimSiam { BottleneckSize = 0 });
        Method("ProjectionSize", new SimSiam { ProjectionSize = 1 });

        foreach (double bad in new[] { 0, -1, double.NaN, double.PositiveInfinity })
        {
            Method("LearningRate.Base", new SimSiam { LearningRate = new(bad) });
            Method("MaxGradientNorm", new OwnMethod { MaxGradientNorm = bad });
            Method("MaxParameterGradientNorm", new Dino { MaxParameterGradientNorm = bad });
        }
        Method("WarmupEpochs", new SimSiam { LearningRate = new(0.1, -1) });
        Method("WarmupEpochs", new SimSiam { LearningRate = new(0.1, double.NaN) });
        Method("Scaling", new SimSiam { LearningRate = new(0.1, Scaling: (RateScaling)7) });
        foreach (double bad in new[] { -1e-6, double.NaN, double.PositiveInfinity })
            Method("WeightDecay", new SimSiam { Optimizer = new Sgd { WeightDecay = bad } });
        foreach (double bad in new[] { 1, -0.1, double.NaN })
        {
            Method("Momentum", new SimSiam { Optimizer = new Sgd { Momentum = bad } });
            Method("Momentum", new SimSiam { Optimizer = new Lars { Momentum = bad } });
            Method("Beta1", new SimSiam { Optimizer = new AdamW { Beta1 = bad } });
            Method("Beta2", new SimSiam { Optimizer = new AdamW { Beta2 = bad } });
        }
        Method("TrustCoefficient", new SimSiam { Optimizer = new Lars { TrustCoefficient = 0 } });
        Method("Epsilon", new SimSiam { Optimizer = new AdamW { Epsilon = 0 } });
        return data;

        void Add(string name, Func<ContrastivePretrainEstimator.Options, ContrastivePretrainEstimator.Options> change) => data.Add(name, change);
        void Run(string name, Func<TrainingOptions, TrainingOptions> change) => Add(name, options => options with { Training = change(options.Training) });
        void Method(string name, ContrastiveMethod method) => Add(name, options => options with { Method = method });
        void Bank(MemoryBankMethod method)
        {
            Method("Augmentations", method with { Augmentations = [ImageAugmentations.MoCoV1, ImageAugmentations.MoCoV1] });
            Method("Contrast", method with { Contrast = (BankContrast)3 });
            Method("Start", method with { Start = (BankStart)2 });
            Method("BankMomentum", method with { Start = BankStart.Empty, BankMomentum = 1 });
            Method("NoiseRows", method with { NoiseRows = 0 });
            Method("ProjectionSize", method with { ProjectionSize = 1 });
            Method("Partition", method with { Partition = null! });
            foreach (double bad in new[] { 0, -1, double.NaN, double.PositiveInfinity })
            {
                Method("Temperature", method with { Temperature = bad });
                Method("Partition.Start", method with { Partition = NcePartition.Fixed(bad) });
            }
            foreach (double bad in new[] { -0.1, 1.1, double.NaN })
            {
                Method("BankMomentum", method with { BankMomentum = bad });
                Method("Partition.Momentum", method with { Partition = NcePartition.MovingAverage(bad) });
            }
            Method("Epsilon", method with { Epsilon = -1e-7 });
        }
        void View(string name, ImageAugmentation view) => Method(name, new SimSiam { Augmentations = [ImageAugmentations.MoCoV2, view] });
    }

    [Theory]
    [MemberData(nameof(BadSettings))]
    public void A_setting_out_of_its_range_is_refused_when_the_estimator_is_made(
        string name, Func<ContrastivePretrainEstimator.Options, ContrastivePretrainEstimator.Options> change)
    {
        var good = new ContrastivePretrainEstimator.Options { OutputColumnName = "Features", Training = NoTraining };
        _ = _ml.Transforms.ContrastivePretrain(good);
        var error = Assert.ThrowsAny<ArgumentException>(() => _ml.Transforms.ContrastivePretrain(change(good)));
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Gray_pictures_in_three_channels_are_refused_before_training_where_colour_is_a_view()
    {
        Row[] rows = Rows(8);
        foreach ((int index, Row row) in rows.Index())
            row.Image = GrayPicture(index);
        foreach (Func<ContrastivePretrainTransformer> act in new Func<ContrastivePretrainTransformer>[]
        {
            () => Estimator("Image", null, method: new Cmc()).Fit(View(rows)),
            () => Estimator("Image", null, method: new Cmc()).Untrained(View(rows)),
        })
            Fails<ArgumentException>(() => act(), "Cmc", "gray", "SimClrV1");
    }

    [Fact]
    public void A_users_method_that_leaves_something_out_is_refused_before_training()
        => Fails<ArgumentException>(
            () => Estimator("Bytes", Gray, method: new Forgetful()).Fit(View(Rows(8))), "Forgetful.Resolve", "Optimizer");

    [Theory]
    [InlineData(7, "Augmentations[0].Size", "8, the encoder's minimum")]
    [InlineData(17, "Augmentations[0].Size", "16, the run's size")]
    public void A_view_that_the_encoder_cannot_take_is_refused_before_training(int size, params string[] parts)
    {
        var view = new ImageAugmentation { Size = size };
        Fails<ArgumentException>(() => Estimator("Bytes", Gray, method: new SimSiam { Augmentations = [view, view] }).Fit(View(Rows(8))), parts);
    }

    [Fact]
    public void A_users_setting_that_json_cannot_hold_is_refused_before_training()
        => Fails<ArgumentException>(
            () => Estimator("Bytes", Gray, method: new Calling()).Fit(View(Rows(8))), "Calling", "manifest.json", "[JsonIgnore]");

    private static void Fails<T>(Action act, params string[] parts)
        where T : Exception
    {
        var error = Assert.Throws<T>(act);
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    private static void AssertOnlyMissing(int missing, float[][] features)
        => Assert.All(features.Index(), row => Assert.All(row.Item, number => Assert.Equal(row.Index == missing, float.IsNaN(number))));

    private ContrastivePretrainEstimator Estimator(
        string column, ImageShape? shape, MissingImages missing = MissingImages.Fail, ContrastiveMethod? method = null)
        => _ml.Transforms.ContrastivePretrain(new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = "Features",
            InputColumnName = column,
            Method = method ?? new SimClrV1(),
            Encoder = ImageEncoder.SmallConvNet(2),
            Training = NoTraining,
            ImageShape = shape,
            MissingImages = missing,
        });

    private IDataView View(Row[] rows)
    {
        SchemaDefinition schema = SchemaDefinition.Create(typeof(Row));
        schema[nameof(Row.Bytes)].ColumnType = new VectorDataViewType(NumberDataViewType.Byte, Side * Side);
        schema[nameof(Row.Singles)].ColumnType = schema[nameof(Row.Unit)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, Side * Side);
        schema[nameof(Row.Doubles)].ColumnType = new VectorDataViewType(NumberDataViewType.Double, Side * Side);
        schema[nameof(Row.Keys)].ColumnType = new VectorDataViewType(new KeyDataViewType(typeof(uint), 5), Side * Side);
        schema[nameof(Row.ByteKeys)].ColumnType = new VectorDataViewType(new KeyDataViewType(typeof(byte), 5), Side * Side);
        return _ml.Data.LoadFromEnumerable(rows, schema);
    }

    private static Row[] Rows(int count) => [.. Enumerable.Range(0, count).Select(seed => new Row { Image = Picture(seed) })];

    private static MLImage GrayPicture(int seed)
    {
        var pixels = new byte[4 * Side * Side];
        new Random(seed).NextBytes(pixels);
        for (int i = 0; i < pixels.Length; i += 4)
            (pixels[i + 1], pixels[i + 2], pixels[i + 3]) = (pixels[i], pixels[i], 255);
        return MLImage.CreateFromPixels(Side, Side, MLPixelFormat.Rgba32, pixels);
    }

    private static MLImage Picture(int seed, int side = Side)
    {
        var pixels = new byte[4 * side * side];
        new Random(seed).NextBytes(pixels);
        for (int i = 3; i < pixels.Length; i += 4)
            pixels[i] = 255;
        return MLImage.CreateFromPixels(side, side, MLPixelFormat.Rgba32, pixels);
    }

    private sealed class Row
    {
        public byte[]? Bytes { get; set; } = new byte[Side * Side];

        public float[]? Singles { get; set; } = new float[Side * Side];

        public float[]? Unit { get; set; } = new float[Side * Side];

        public double[] Doubles { get; set; } = new double[Side * Side];

        public uint[] Keys { get; set; } = new uint[Side * Side];

        public byte[] ByteKeys { get; set; } = new byte[Side * Side];

        public byte[] Unknown { get; set; } = new byte[Side * Side];

        public string Text { get; set; } = "";

        public float Scalar { get; set; }

        [AnySizeImage]
        public MLImage? Image { get; set; }
    }

    private sealed class Refuse : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => Assert.Fail("A training step was made.");
    }

    private record Forgetful : ContrastiveMethod
    {
        public override ContrastiveMethod Resolve(RunFacts facts)
            => this with { Augmentations = [new ImageAugmentation()], LearningRate = new(1) };

        public override Learner CreateLearner(LearnerSetup setup) => throw new NotSupportedException();
    }

    private sealed record Calling : Forgetful
    {
        public Func<int> Callback { get; init; } = () => 3;

        public override ContrastiveMethod Resolve(RunFacts facts)
            => this with { Augmentations = [new ImageAugmentation()], LearningRate = new(1), Optimizer = new Sgd() };
    }
}
