using System.Text.Json;
using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What one training does to a space, for the eye: neighbours as pictures, and a map of the test pictures before and after.</summary>
/// <param name="Setup">All that decides it.</param>
/// <param name="Classes">By number.</param>
/// <param name="Before">Of the random encoder.</param>
/// <param name="After">Of the trained one.</param>
internal sealed record Showcase(string Setup, IReadOnlyList<string> Classes, Showcase.Space Before, Showcase.Space After)
{
    private const int Seed = 1, Mapped = 600, Queries = 7, Neighbours = 6;
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>A test picture on the map: first two principal components, in deviations of the first.</summary>
    internal sealed record Point(double X, double Y, int Class);

    /// <summary>A picture as a data URI.</summary>
    internal sealed record Picture(string Png, int Class);

    /// <param name="Map">Each picture's place.</param>
    /// <param name="Explained">Share of the variance that the two components have.</param>
    /// <param name="Rows">Each a picture that asks, and its nearest others, nearest first.</param>
    /// <param name="Share">Share of all shown neighbours that have the asking picture's class.</param>
    internal sealed record Space(IReadOnlyList<Point> Map, double Explained, IReadOnlyList<IReadOnlyList<Picture>> Rows, double Share);

    public static Showcase? Read(ClaimsOptions options)
    {
        string path = PathOf(options);
        return File.Exists(path) ? JsonSerializer.Deserialize<Showcase>(File.ReadAllBytes(path), s_json) : null;
    }

    /// <summary>Made once, and kept.</summary>
    public static void Make(ClaimsOptions options, ClaimsData data)
    {
        string setup = $"{options.PicturesName(colour: false)}; {options.Budget}";
        if (Read(options)?.Setup == setup)
            return;
        Console.WriteLine("showcase: SimCLR before and after ...");
        (SurveyPictures pictures, MLContext ml) = (data.Pictures(colour: false), new MLContext(Seed));
        var arm = new PictureArm("SimCLR", SmallHeads.SimClr);
        int batch = Math.Min(arm.BatchSize, pictures.Train.Length);
        var training = new Arm.Training(arm.Label, options.PictureSteps(length: 2, batch));
        var facts = new RunFacts(pictures.Train.Length, batch, training.Steps, pictures.Shape.Height, pictures.Shape.Width, pictures.Shape.Channels, arm.Encoder.FeatureSize);
        ContrastivePretrainEstimator estimator = ml.Transforms.ContrastivePretrain("Features", "Image", SmallDataSettings.Views(arm.Method, facts), arm.Encoder, training.Options(batch), pictures.Shape);
        IDataView train = pictures.View(ml, pictures.Train);
        string[] classes = [.. pictures.Test.Select(row => row.Label).Distinct().Order(StringComparer.Ordinal)];
        using ContrastivePretrainTransformer untrained = estimator.Untrained(train), trained = estimator.Fit(train);
        var showcase = new Showcase(setup, classes, Look(ml, untrained, pictures, classes), Look(ml, trained, pictures, classes));
        AtomicFile.Write(PathOf(options), stream => JsonSerializer.Serialize(stream, showcase, s_json));
    }

    private static Space Look(MLContext ml, ContrastivePretrainTransformer encoder, SurveyPictures pictures, string[] classes)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        SurveyPictures.Row[] shown = [.. pictures.Test.Take(Mapped)];
        IDataView features = ml.Data.Cache(encoder.Transform(pictures.View(ml, shown)), "Features");
        float[][] vectors = [.. features.GetColumn<float[]>("Features")];
        (Point[] map, double explained) = Map(tensor(vectors.SelectMany(vector => vector).ToArray()).view(shown.Length, -1), [.. shown.Select(row => Array.IndexOf(classes, row.Label))]);

        // One picture of each of the first classes asks all others.
        int[] asking = [.. shown.Index().DistinctBy(row => row.Item.Label).OrderBy(row => row.Item.Label, StringComparer.Ordinal).Take(Queries).Select(row => row.Index)];
        IReadOnlyList<IReadOnlyList<SearchHit>> hits = ml.Representation().Search(features, Only(asking), k: Neighbours + 1);
        Picture[][] rows = [.. asking.Zip(hits, (own, found) => (Picture[])[Of(own), .. found.Select(hit => hit.Row).Where(index => index != own).Take(Neighbours).Select(Of)])];
        return new Space(map, explained, rows, rows.SelectMany(row => row.Skip(1).Select(picture => picture.Class == row[0].Class ? 1.0 : 0)).DefaultIfEmpty().Average());

        Picture Of(int index) => new(PngImage.DataUri(shown[index].Image, pictures.Shape), Array.IndexOf(classes, shown[index].Label));

        IDataView Only(int[] places) => encoder.Transform(pictures.View(ml, [.. places.Select(place => shown[place])]));
    }

    private static (Point[] Points, double Explained) Map(Tensor vectors, int[] classes)
    {
        (Tensor left, Tensor scales, _) = linalg.svd(vectors.sub(vectors.mean([0])).to(ScalarType.Float64), fullMatrices: false);
        Tensor places = left.narrow(1, 0, 2).mul(scales.narrow(0, 0, 2).div(scales[0])).mul(Math.Sqrt(classes.Length));
        double[] numbers = [.. places.data<double>()];
        double explained = scales.narrow(0, 0, 2).pow(2).sum().div(scales.pow(2).sum()).item<double>();
        return ([.. classes.Index().Select(row => new Point(Math.Round(numbers[2 * row.Index], 3), Math.Round(numbers[2 * row.Index + 1], 3), row.Item))], explained);
    }

    private static string PathOf(ClaimsOptions options) => Path.Combine(options.Out, "showcase.json");
}
