using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests.Multimodal;

/// <summary>The pictures' network of a CLIP model as the start of classifiers.</summary>
public sealed class FineTuneClipTests : IDisposable
{
    private static readonly string[] s_labels = ["dark", "light"];
    private readonly string _folder = Directory.CreateTempSubdirectory("fine-tune-clip").FullName;
    private readonly MLContext _ml = new(1);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_pictures_network_alone_gives_CLIPs_vectors_before_they_are_made_unit_and_outlives_the_model()
    {
        IDataView data = _ml.Data.LoadFromEnumerable(ToyClip.Rows(5));
        ImageTextTransformer model = _ml.Model.LoadClip(ToyClip.Folder(_folder));
        float[][] unit = model.Transform(data).Features("ImageVector");
        using ContrastivePretrainTransformer encoder = model.AsImageEncoder("Numbers");
        model.Dispose();
        float[][] features = encoder.Transform(data).Features("Numbers");
        foreach ((float[] vector, float[] expected) in features.Zip(unit))
        {
            double length = Math.Sqrt(vector.Sum(number => (double)number * number));
            Assert.NotEqual(1, length, 1e-2);
            Assert.All(vector.Zip(expected), pair => Assert.Equal(pair.Second, pair.First / length, 1e-5));
        }
        Assert.Equal(features, Reload(encoder, data).Transform(data).Features("Numbers"));
    }

    [Theory]
    [InlineData(TrainedLayers.Head)]
    [InlineData(TrainedLayers.All)]
    public void A_classifier_starts_from_it_with_its_preprocessing_and_its_zip_says_the_same(TrainedLayers trains)
    {
        IDataView data = Labelled(48);
        using ImageTextTransformer model = _ml.Model.LoadClip(ToyClip.Folder(_folder));
        using ContrastivePretrainTransformer encoder = model.AsImageEncoder();
        float[][] before = encoder.Transform(data).Features();
        using ImageClassifierTransformer classifier = _ml.MulticlassClassification.Trainers.FineTune(
            encoder, trains: trains, training: new TrainingOptions { Steps = 60, BatchSize = 16 }).Fit(data);
        Assert.Equal(before, encoder.Transform(data).Features()); // what it started from stays as it is

        PictureInput own = classifier.Weights.Manifest.Pictures();
        Assert.Equal((PlainResizing.BicubicBytes, ToyClip.Side, ToyClip.Side), (own.Resizing, own.Height, own.Width));
        Assert.Equal([0.5f, 0.25f, 0.125f], own.Normalization.Mean); // the checkpoint's
        IDataView test = Labelled(80, seed: 3);
        Assert.InRange(_ml.MulticlassClassification.Evaluate(classifier.Transform(test)).MicroAccuracy, 0.85, 1); // chance: 0.5
        Assert.Equal(classifier.Transform(test).Features("Score"), Reload(classifier, data).Transform(test).Features("Score"));
    }

    [Fact]
    public void A_student_starts_from_it()
    {
        IDataView data = Labelled(16);
        using ImageTextTransformer model = _ml.Model.LoadClip(ToyClip.Folder(_folder));
        using ContrastivePretrainTransformer encoder = model.AsImageEncoder();
        var training = new TrainingOptions { Steps = 3, BatchSize = 8 };
        using ImageClassifierTransformer teacher = _ml.MulticlassClassification.Trainers.FineTune(encoder, training: training).Fit(data);
        using ImageClassifierTransformer student = _ml.MulticlassClassification.Trainers.Distil(new DistilEstimator.Options { Teacher = teacher, StartsFrom = encoder, Training = training }).Fit(data);
        Assert.IsType<ClipVisionTransformer>(student.Weights.Manifest.Pictures().Encoder);
        Assert.All(student.Transform(data).Features("Score"), scores => Assert.Equal(1, scores.Sum(), 1e-4));
    }

    private ITransformer Reload(ITransformer transformer, IDataView data)
    {
        string zip = Path.Combine(_folder, $"{Guid.NewGuid():n}.zip");
        _ml.Model.Save(transformer, data.Schema, zip);
        return new MLContext().Model.Load(zip, out _);
    }

    /// <summary>Pictures of one colour with a little noise, dark or light, and which as a key.</summary>
    private IDataView Labelled(int count, int seed = 2)
    {
        var random = new Random(seed);
        IDataView rows = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, count).Select(row => new CaptionedPicture { Image = Image(row % 2), Label = s_labels[row % 2] }).ToArray());
        IDataView keys = _ml.Data.LoadFromEnumerable(s_labels.Select(label => new LabelValue { Value = label }));
        return _ml.Transforms.Conversion.MapValueToKey("Label", keyData: keys).Fit(rows).Transform(rows);

        MLImage Image(int kind)
        {
            var pixels = new byte[4 * 36 * 34];
            for (int i = 0; i < pixels.Length; i++)
                pixels[i] = i % 4 == 3 ? (byte)255 : (byte)(random.Next(90) + 120 * kind);
            return MLImage.CreateFromPixels(34, 36, MLPixelFormat.Rgba32, pixels);
        }
    }

    private sealed class LabelValue
    {
        public string Value { get; set; } = "";
    }
}
