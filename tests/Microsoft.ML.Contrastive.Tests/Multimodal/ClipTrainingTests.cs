using System.Text.Json.Nodes;
using Microsoft.ML.Contrastive.Tests.Persistence;
using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Multimodal;

public sealed class ClipTrainingTests : IDisposable
{
    private static readonly string[] s_words = ["flat bar", "leaning bar", "steep bar", "upright bar"];
    private readonly string _folder = Directory.CreateTempSubdirectory("clip-training").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Each kind of network on each side.</summary>
    public static TheoryData<ImageTextEncoder> Encoders =>
    [
        new ImageTextEncoder(ImageEncoder.SmallConvNet(8), SmallText),
        new ImageTextEncoder(new ClipVisionTransformer { Patch = 8, Width = 32, Depth = 1, Heads = 2, EmbeddingSize = 24 }, SmallText),
        new ImageTextEncoder(ImageEncoder.SmallConvNet(8), new TextTransformer { VocabularySize = 320, Width = 32, Depth = 1, Heads = 2, TokenLimit = 12 }) { EmbeddingSize = 16 },
        new ImageTextEncoder(ImageEncoder.ResNet18(Stem.Small) with { Width = 8 }, TextEncoder.Small(320) with { Width = 32, Depth = 1, Heads = 2 }),
    ];

    private static ClipTextTransformer SmallText => new() { VocabularySize = 560, Width = 32, Depth = 1, Heads = 2, ContextLength = 10, EmbeddingSize = 24 };

    [Theory]
    [MemberData(nameof(Encoders))]
    public void It_trains_any_networks_and_its_zip_gives_the_same_vectors_anywhere(ImageTextEncoder encoder)
    {
        var ml = new MLContext(3);
        IDataView data = Captioned(ml, 48);
        using ImageTextTransformer model = Estimator(ml, encoder, new() { Steps = 3, BatchSize = 16 }).Fit(data);
        float[][] images = model.Transform(data).Features("ImageVector"), texts = model.Transform(data).Features("TextVector");
        Assert.All(images.Concat(texts), vector => Assert.Equal(1, vector.Sum(number => number * number), 1e-4));
        Assert.Equal(model.EmbeddingSize, images[0].Length);
        using var stream = new MemoryStream();
        ml.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        IDataView again = new MLContext().Model.Load(stream, out _).Transform(data);
        Assert.Equal(images, again.Features("ImageVector"));
        Assert.Equal(texts, again.Features("TextVector"));
        JsonNode record = JsonNode.Parse(model.TrainingRecord)!;
        Assert.Equal(("Clip", 48), ((string)record["method"]!, (int)record["rows"]!));
    }

    [Theory]
    [InlineData(PairObjective.CrossEntropy)]
    [InlineData(PairObjective.PairwiseSigmoid)]
    public void What_it_learned_sorts_new_pictures_by_words_alone(PairObjective objective)
    {
        var ml = new MLContext(5);
        IDataView test = Captioned(ml, 80, seed: 2);
        using ImageTextTransformer model = Estimator(
            ml, new(ImageEncoder.SmallConvNet(16), SmallText), new() { Steps = 150, BatchSize = 32 }, new Clip { Objective = objective }).Fit(Captioned(ml, 320));
        using ZeroShotClipTransformer classifier = ml.Transforms.ZeroShotClip("Image", s_words, model, PromptTemplates.None, labelColumnName: "Caption").Fit(test);
        Assert.InRange(ml.MulticlassClassification.Evaluate(classifier.Transform(test), labelColumnName: "Caption").MicroAccuracy, 0.8, 1); // chance: 0.25
        Assert.Equal(objective == PairObjective.PairwiseSigmoid, model.LogitBias is not null);
        Assert.NotEqual(objective == PairObjective.PairwiseSigmoid ? 10 : 1 / 0.07, model.LogitScale, 1e-3); // the scale has learned
    }

    [Fact]
    public void Two_fits_of_one_seed_are_equal_and_an_interrupted_one_ends_the_same()
    {
        IDataView data = Captioned(new MLContext(), 48);
        ImageTextEncoder encoder = new(ImageEncoder.SmallConvNet(8), SmallText);
        float[][] once = Vectors(new TrainingOptions { Steps = 6, BatchSize = 16 });
        Assert.Equal(once, Vectors(new TrainingOptions { Steps = 6, BatchSize = 16 }));
        using var stop = new CancellationTokenSource();
        var training = new TrainingOptions { Steps = 6, BatchSize = 16, CheckpointFolder = Path.Combine(_folder, "run"), CancellationToken = stop.Token, ReportEvery = 1, Progress = new OnProgress(progress => { if (progress.Step == 3) stop.Cancel(); }) };
        Assert.Throws<OperationCanceledException>(() => Vectors(training));
        Assert.Equal(once, Vectors(training with { CancellationToken = default, Progress = null }));

        float[][] Vectors(TrainingOptions run)
        {
            using ImageTextTransformer model = Estimator(new MLContext(7), encoder, run).Fit(data);
            return model.Transform(data).Features("ImageVector");
        }
    }

    [Fact]
    public void In_chunks_it_learns_what_it_learns_at_once()
    {
        IDataView data = Captioned(new MLContext(), 32);
        ImageTextEncoder encoder = new(new ClipVisionTransformer { Patch = 8, Width = 32, Depth = 1, Heads = 2, EmbeddingSize = 24 }, SmallText);
        float[][] whole = Vectors(null), chunked = Vectors(5);
        Assert.All(whole.Zip(chunked), pair => Assert.All(pair.First.Zip(pair.Second), numbers => Assert.Equal(numbers.First, numbers.Second, 1e-3)));

        float[][] Vectors(int? chunk)
        {
            using ImageTextTransformer model = Estimator(new MLContext(7), encoder, new() { Steps = 4, BatchSize = 16, ChunkSize = chunk }).Fit(data);
            return model.Transform(data).Features("ImageVector");
        }
    }

    [Fact]
    public void Networks_start_from_pretrained_ones_and_frozen_ones_stay_as_they_were()
    {
        var ml = new MLContext(5);
        IDataView data = Captioned(ml, 48);
        using ContrastivePretrainTransformer pictures = ml.Transforms.ContrastivePretrain(
            "Features", "Image", new SimClrV1(), ImageEncoder.SmallConvNet(8), new() { Steps = 2, BatchSize = 16 }, Pictures.Shape()).Fit(data);
        using SentenceEmbeddingTransformer texts = ml.Transforms.SentenceEmbedding(
            "Vector", "Caption", TextEncoder.Small(320) with { Width = 32, Depth = 1, Heads = 2 }, new SimCse(), new() { Steps = 2, BatchSize = 16 }).Fit(data);
        using ImageTextTransformer model = ml.Transforms.ContrastivePretrain(Options(new() { Steps = 3, BatchSize = 16 }) with
        {
            ImageStart = pictures, TextStart = texts, Method = new Clip { FreezesImages = true, FreezesTexts = true },
        }).Fit(data);
        var module = (ImageTextModule)model.Weights.Module;
        Same(pictures.Weights.Module, module.ImageTower);
        Same(texts.Weights.Module, module.TextTower);
        Assert.Equal((pictures.Encoder, texts.Encoder), (model.Encoder.Image, model.Encoder.Text));

        using ImageTextTransformer trained = ml.Transforms.ContrastivePretrain(Options(new() { Steps = 3, BatchSize = 16 }) with { ImageStart = pictures, TextStart = texts }).Fit(data);
        using var scope = NewDisposeScope();
        Assert.False(pictures.Weights.Module.state_dict().All(entry => entry.Value.equal(((ImageTextModule)trained.Weights.Module).ImageTower.state_dict()[entry.Key]).all().item<bool>()));

        static void Same(nn.Module one, nn.Module other)
        {
            using var scope = NewDisposeScope();
            Dictionary<string, Tensor> theirs = other.state_dict();
            foreach ((string name, Tensor value) in one.state_dict())
                TensorAssert.Equal(value, theirs[name], 0);
        }
    }

    [Fact]
    public void A_picture_network_that_projects_itself_finds_texts_of_its_length()
    {
        var ml = new MLContext(5);
        using ImageTextTransformer loaded = ml.Model.LoadClip(ToyClip.Folder(_folder));
        IDataView images = ml.Data.LoadFromEnumerable(ToyClip.Rows(16));
        using ContrastivePretrainTransformer tower = loaded.AsImageEncoder();
        using ImageTextTransformer model = ml.Transforms.ContrastivePretrain(new ImageTextEstimator.Options
        {
            ImageColumnName = "Image", TextColumnName = "Text", ImageStart = tower, Method = new Clip { FreezesImages = true }, Training = new() { Steps = 1, BatchSize = 8 },
        }).Fit(images);
        Assert.Equal((12, loaded.Encoder.Image), (model.Encoder.Text.FeatureSize, model.Encoder.Image));
    }

    [Fact]
    public void A_bias_stays_with_a_model_that_is_trained_on_and_one_without_can_not_get_one()
    {
        var ml = new MLContext(5);
        IDataView data = Captioned(ml, 48);
        var encoder = new ImageTextEncoder(ImageEncoder.SmallConvNet(8), SmallText);
        TrainingOptions training = new() { Steps = 1, BatchSize = 16 };
        var sigmoid = new Clip { Objective = PairObjective.PairwiseSigmoid };
        using ImageTextTransformer biased = Estimator(ml, encoder, training, sigmoid).Fit(data);
        using ImageTextTransformer on = Estimator(ml, encoder, training).Fit(data, biased);
        Assert.True(on.Encoder.HasBias);
        Assert.Equal(biased.LogitBias, on.LogitBias);
        using ImageTextTransformer given = Estimator(ml, encoder with { HasBias = true }, training).Fit(data);
        Assert.NotNull(given.LogitBias);
        using ImageTextTransformer plain = Estimator(ml, encoder, training).Fit(data);
        Refused("has no bias", () => Estimator(ml, encoder, training, sigmoid).Fit(data, plain));
    }

    [Fact]
    public void Training_goes_on_from_an_earlier_model_and_from_a_checkpoint()
    {
        var ml = new MLContext(5);
        IDataView data = Captioned(ml, 48);
        using ImageTextTransformer first = Estimator(ml, new(ImageEncoder.SmallConvNet(8), SmallText), new() { Steps = 3, BatchSize = 16 }).Fit(data);
        using ImageTextTransformer second = Estimator(ml, new(ImageEncoder.SmallConvNet(8), SmallText), new() { Steps = 3, BatchSize = 16 }).Fit(data, first);
        Assert.Equal(first.Encoder, second.Encoder);
        Assert.NotEqual(first.Transform(data).Features("TextVector")[0], second.Transform(data).Features("TextVector")[0]);

        using ImageTextTransformer loaded = ml.Model.LoadClip(ToyClip.Folder(_folder));
        IDataView images = ml.Data.LoadFromEnumerable(ToyClip.Rows(16));
        using ImageTextTransformer tuned = ml.Transforms.ContrastivePretrain(
            new InputOutputColumnPair[] { new("ImageVector", "Image"), new("TextVector", "Text") }, training: new() { Steps = 2, BatchSize = 8 }).Fit(images, loaded);
        Assert.Equal(loaded.Encoder, tuned.Encoder);
        Assert.Equal(PlainResizing.BicubicBytes, tuned.Weights.Manifest.Pairs().Pictures.Resizing);
    }

    [Fact]
    public void Equal_captions_are_no_negatives_of_each_other()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        Tensor images = empty(4, 6, ScalarType.Float64).normal_(0, 1, generator), texts = empty(4, 6, ScalarType.Float64).normal_(0, 1, generator), scale = tensor(3.0), bias = tensor(-1.0);
        texts[2].copy_(texts[0]);
        Tensor ids = tensor(new long[] { 5, 8, 5, 9 });
        Tensor logits = PairwiseSigmoid.Logits(images, texts, scale, bias);
        double sum = 0;
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++)
                if (i == j || (i, j) is not ((0, 2) or (2, 0)))
                    sum += Math.Log(1 + Math.Exp((i == j ? -1 : 1) * logits[i, j].item<double>()));
        Assert.Equal(sum / 4, PairwiseSigmoid.Loss(images, texts, scale, bias, ids).item<double>(), 1e-10);
        Assert.Equal(PairwiseSigmoid.Loss(images, texts, scale, bias).item<double>(), PairwiseSigmoid.Loss(images, texts, scale, bias, arange(4)).item<double>(), 1e-12);
    }

    [Fact]
    public void What_is_wrong_is_said_with_what_to_do()
    {
        var ml = new MLContext(1);
        IDataView data = Captioned(ml, 8);
        Refused("both networks must give 24: set its EmbeddingSize", () => Estimator(ml, new(new ClipVisionTransformer { Patch = 8, Width = 32, Depth = 1, Heads = 2, EmbeddingSize = 24 }, SmallText with { EmbeddingSize = 16 }), new()));
        Refused("two column pairs", () => ml.Transforms.ContrastivePretrain("Features", "Image", new Clip(), imageShape: Pictures.Shape()));
        Refused("give two", () => ml.Transforms.ContrastivePretrain(new InputOutputColumnPair[] { new("ImageVector", "Image") }));
        Refused("names of their own", () => ml.Transforms.ContrastivePretrain(new InputOutputColumnPair[] { new("V", "Image"), new("V", "Caption") }));
        Refused("no column 'Words'", () => ml.Transforms.ContrastivePretrain(new InputOutputColumnPair[] { new("ImageVector", "Image"), new("TextVector", "Words") }, imageShape: Pictures.Shape()).Fit(data));
        Refused("Column 'Id'", () => ml.Transforms.ContrastivePretrain(new InputOutputColumnPair[] { new("ImageVector", "Image"), new("TextVector", "Id") }, imageShape: Pictures.Shape()).Fit(data));
        Refused("fewer than one batch of 16", () => Estimator(ml, new(ImageEncoder.SmallConvNet(8), SmallText), new() { Steps = 1, BatchSize = 16 }).Fit(data));
        Refused("batch norm", () => Estimator(ml, new(ImageEncoder.SmallConvNet(8), SmallText), new() { Steps = 1, BatchSize = 4, ChunkSize = 3 }).Fit(data));
    }

    [Fact]
    public void Texts_beyond_the_context_are_cut_counted_and_told_once_and_blank_ones_left_out()
    {
        var ml = new MLContext(1);
        var messages = new List<string>();
        ml.Log += (_, entry) => messages.Add(entry.Message);
        IDataView data = Captioned(ml, 40, caption: row => row < 3 ? "" : row < 8 ? string.Join(' ', Enumerable.Repeat("bar", 30)) : s_words[row % 4]);
        using ImageTextTransformer model = Estimator(ml, new(ImageEncoder.SmallConvNet(8), SmallText), new() { Steps = 1, BatchSize = 16 }).Fit(data);
        Told("5 of 37 texts were longer than the encoder's 10 tokens");
        Assert.Contains(messages, message => message.Contains("a larger ContextLength", StringComparison.Ordinal));
        Assert.Single(messages, message => message.Contains("Left out 3 of 40 rows", StringComparison.Ordinal));
        Assert.Equal(37, (int)JsonNode.Parse(model.TrainingRecord)!["rows"]!);

        messages.Clear();
        model.Transform(data).Features("TextVector");
        model.Transform(data).Features("TextVector");
        Told("5 of 40 texts");
        messages.Clear();
        using ImageTextTransformer texts = model.Only("TextVector");
        texts.EmbedTexts([string.Join(' ', Enumerable.Repeat("bar", 30))], TestContext.Current.CancellationToken);
        Told("1 of 1 texts");

        void Told(string part) => Assert.Contains(part, Assert.Single(messages, message => message.Contains("were longer", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    private static void Refused(string message, Action act) => Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(act).Message, StringComparison.Ordinal);

    private static ImageTextEstimator.Options Options(TrainingOptions training) => new()
    {
        TextColumnName = "Caption", ImageShape = Pictures.Shape(), Training = training,
    };

    private static ImageTextEstimator Estimator(MLContext ml, ImageTextEncoder encoder, TrainingOptions training, Clip? method = null)
        => ml.Transforms.ContrastivePretrain(Options(training) with { Encoder = encoder, Method = method ?? new Clip() });

    /// <summary>Bars, each with words for its angle.</summary>
    private static IDataView Captioned(MLContext ml, int count, int seed = 1, Func<int, string>? caption = null)
    {
        SchemaDefinition schema = SchemaDefinition.Create(typeof(CaptionRow));
        schema[nameof(CaptionRow.Image)].ColumnType = new VectorDataViewType(NumberDataViewType.Byte, Pictures.Side * Pictures.Side);
        return ml.Data.LoadFromEnumerable(
            Pictures.Make(count, seed).Select(row => new CaptionRow { Image = row.Image, Caption = caption?.Invoke(row.Id) ?? s_words[row.Id % 4], Id = row.Id }), schema);
    }

    private sealed class CaptionRow
    {
        public byte[] Image { get; set; } = [];

        public string Caption { get; set; } = "";

        public int Id { get; set; }
    }
}
