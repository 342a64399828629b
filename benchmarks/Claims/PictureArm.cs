using System.Text.Json.Nodes;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>A method on pictures, measured by nearest neighbours and linear probes on pictures that it has not seen.</summary>
/// <param name="Label">What it is called within its claim.</param>
/// <param name="Method">How it learns; views that it leaves null are the survey's on gray pictures, otherwise the method's own.</param>
internal sealed record PictureArm(string Label, ContrastiveMethod Method) : Arm(Label)
{
    public const int StandardBatch = 256;
    private const double FewLabels = 0.05;

    public ImageEncoder Encoder { get; init; } = ImageEncoder.SmallConvNet(width: 16, grid: 2);

    public int BatchSize { get; init; } = StandardBatch;

    /// <summary>Whether the pictures are CIFAR-10's, where colour is needed; Fashion-MNIST's otherwise.</summary>
    public bool Colour { get; init; }

    public override string MethodName => (Method is GradientWatch watch ? watch.Method : Method).GetType().Name;

    public override void Validate() => Method.Validate(BatchSize);

    protected override JsonObject Describe(ClaimsOptions options) => new()
    {
        ["pictures"] = options.PicturesName(Colour), ["method"] = Of(Method), ["encoder"] = Of(Encoder), ["batch"] = BatchSize,
    };

    public override ClaimRow Run(ClaimsData data, int seed)
    {
        (SurveyPictures pictures, MLContext ml) = (data.Pictures(Colour), new MLContext(seed));
        if (pictures.Train.Length < BatchSize && BatchSize > StandardBatch)
            throw new BenchmarkException($"Batches of {BatchSize} want as many pictures; there are {pictures.Train.Length}.");
        int batch = Math.Min(BatchSize, pictures.Train.Length);
        var training = new Training(Label, data.Options.PictureSteps(Length, batch));
        ImageEncoder encoderShape = Fitted(pictures.Shape);
        var facts = new RunFacts(pictures.Train.Length, batch, Math.Max(1, training.Steps), pictures.Shape.Height, pictures.Shape.Width, pictures.Shape.Channels, encoderShape.FeatureSize) { Encoder = encoderShape };
        ContrastiveMethod method = Method.Augmentations is null && Method is not GradientWatch ? SmallDataSettings.Views(Method, facts) : Method;
        var norms = new List<(double First, double Last)>();
        if (method is GradientWatch watch)
            method = watch with { Method = SmallDataSettings.Views(watch.Method, facts), Seen = norms.Add };
        ContrastivePretrainEstimator estimator = ml.Transforms.ContrastivePretrain("Features", "Image", method, encoderShape, training.Options(batch), pictures.Shape);
        IDataView train = pictures.View(ml, pictures.Train);
        using ContrastivePretrainTransformer encoder = Length == 0 ? estimator.Untrained(train) : training.Time(() => estimator.Fit(train));
        Dictionary<string, double> figures = Measure(ml, encoder, data, pictures);
        if (Method is GradientWatch)
        {
            figures[Figure.GradientMean.Key] = norms.Average(each => each.First);
            (figures[Figure.GradientPeak.Key], figures[Figure.LastGradientPeak.Key]) = (norms.Max(each => each.First), norms.Max(each => each.Last));
        }
        return Row(data.Options, seed, training, figures);
    }

    /// <summary>The encoder, with patches that divide the pictures' sides.</summary>
    private ImageEncoder Fitted(ImageShape shape) => Encoder is not VisionTransformer { Patch: var patch } transformer || (shape.Height % patch == 0 && shape.Width % patch == 0) ? Encoder
        : transformer with { Patch = Enumerable.Range(1, patch + 1).Last(side => shape.Height % side == 0 && shape.Width % side == 0) };

    private static Dictionary<string, double> Measure(MLContext ml, ContrastivePretrainTransformer encoder, ClaimsData data, SurveyPictures pictures)
    {
        SurveyPictures.Row[] labelled = [.. pictures.Train.Take(data.Options.Labelled)];
        IDataView known = ml.Data.Cache(encoder.Transform(pictures.View(ml, labelled)), "Features", "Label");
        IDataView asked = ml.Data.Cache(encoder.Transform(pictures.View(ml, pictures.Test)), "Features", "Label");
        int few = Math.Max(2, (int)(FewLabels * labelled.Length));
        RepresentationCatalog measures = ml.Representation();
        var probe = new LinearProbeOptions { Epochs = 15 };
        GeometryMetrics geometry = measures.EvaluateGeometry(asked);
        return new()
        {
            [Figure.Knn.Key] = measures.EvaluateKnn(known, asked, k: Math.Min(200, labelled.Length / 10 + 1)).Accuracy,
            [Figure.Linear.Key] = measures.EvaluateLinearProbe(known, asked, options: probe).Accuracy,
            [Figure.FewLabels.Key] = measures.EvaluateLinearProbe(ml.Data.TakeRows(known, few), asked, options: probe).Accuracy,
            [Figure.Deviation.Key] = geometry.EmbeddingDeviation,
            [Figure.Rank.Key] = geometry.EffectiveRank,
        };
    }
}
