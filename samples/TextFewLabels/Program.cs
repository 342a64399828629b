using System.Globalization;
using FewLabels;
using Microsoft.ML;
using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using TextFewLabels;

// Many texts, few labels. What WordNet says of 117,659 meanings is read without labels by SimCSE, from nothing; then an ordinary ML.NET classifier learns from a few
// labelled ones which lexicographer wrote them (noun.animal, verb.motion ...), on the learned vectors and on ML.NET's own FeaturizeText.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string? Option(string name) => Array.IndexOf(args, name) is >= 0 and var place && place + 1 < args.Length ? args[place + 1] : null;
if (args.Contains("--help"))
{
    Console.WriteLine("""
        usage: TextFewLabels [--steps N] [--labels N] [--wordnet FOLDER]
          --steps N         training steps of 128 texts (default 200; the loss is next to nothing after 100)
          --labels N        labelled texts of each class (default 20)
          --wordnet FOLDER  where data.noun, data.verb, data.adj and data.adv are (default: Debian's package wordnet-base, fetched if need be)
        """);
    return 0;
}
try
{
    int labels = int.Parse(Option("--labels") ?? "20", CultureInfo.InvariantCulture), steps = int.Parse(Option("--steps") ?? "200", CultureInfo.InvariantCulture);
    WordNet words = WordNet.Open(Option("--wordnet"), Console.Error.WriteLine);
    var ml = new MLContext(seed: 1);

    // Classes with enough meanings; of each some are labelled, others tell how good the classifier is. No meaning is in both.
    var random = new Random(1);
    Row[][] classes = [.. words.Definitions.GroupBy(each => each.Label).Where(group => group.Count() >= labels + 50)
        .OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => group.OrderBy(_ => random.Next()).Select(each => new Row { Text = each.Text, Label = each.Label }).ToArray())];
    IDataView labelled = ml.Data.LoadFromEnumerable(classes.SelectMany(rows => rows[..labels]));
    IDataView test = ml.Data.LoadFromEnumerable(classes.SelectMany(rows => rows[labels..Math.Min(rows.Length, labels + 200)]));
    IDataView all = ml.Data.LoadFromEnumerable(words.Definitions.Select(each => new Row { Text = each.Text }));
    Console.WriteLine($"{words.Definitions.Count} definitions without labels; {classes.Length} classes with {labels} labelled each");

    var training = new TrainingOptions
    {
        Steps = steps, BatchSize = 128, KeepFreedMemory = true, ReportEvery = 50,
        Progress = new Told(report => Console.WriteLine($"  step {report.Step} of {report.TotalSteps}: loss {report.Loss:f3}, {report.TimeLeft:mm\\:ss} left")),
    };
    SentenceEmbeddingEstimator estimator = ml.Transforms.SentenceEmbedding("Features", "Text", TextEncoder.Small() with { TokenLimit = 32 }, new SimCse(), training);
    using SentenceEmbeddingTransformer learned = estimator.Fit(all), untrained = estimator.Untrained(all);

    Console.WriteLine($"accuracy on {test.GetColumn<string>("Text").Count()} other definitions, {1.0 / classes.Length:P1} by chance:");
    double ofLearned = Accuracy("learned without labels by SimCSE", learned.AsEstimator()), ofUntrained = Accuracy("the same encoder, untrained", untrained.AsEstimator());
    double ofStock = Accuracy("FeaturizeText", ml.Transforms.Text.FeaturizeText("Features", "Text"));
    double ofBoth = Accuracy("FeaturizeText and the learned vectors", ml.Transforms.Text.FeaturizeText("Words", "Text")
        .Append(learned.AsEstimator()).Append(ml.Transforms.NormalizeLpNorm("Unit", "Features")).Append(ml.Transforms.Concatenate("Features", "Unit", "Words")));
    Console.WriteLine(Math.Max(ofLearned, ofBoth) > ofStock ? "The learned vectors help here." : "FeaturizeText wins here.");
    return double.IsNaN(ofUntrained) ? 1 : 0;

    // The same classifier on each: of several strengths of regularisation the one that does best on half of the labelled texts held out.
    double Accuracy<T>(string name, IEstimator<T> features)
        where T : class, ITransformer
    {
        IEstimator<ITransformer> Chain(float l2) => ml.Transforms.Conversion.MapValueToKey("Label").Append(features).AppendCacheCheckpoint(ml)
            .Append(ml.MulticlassClassification.Trainers.SdcaMaximumEntropy(l2Regularization: l2));
        float best = new[] { 1e-5f, 1e-4f, 1e-3f, 1e-2f }.MaxBy(l2 => ml.MulticlassClassification.CrossValidate(labelled, Chain(l2), numberOfFolds: 2).Average(fold => fold.Metrics.MicroAccuracy));
        double accuracy = ml.MulticlassClassification.Evaluate(Chain(best).Fit(labelled).Transform(test)).MicroAccuracy;
        Console.WriteLine($"  {accuracy,6:P1}  {name}");
        return accuracy;
    }
}
catch (Exception e) when (e is DataException or IOException or FormatException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}

internal sealed class Row
{
    public string Text { get; set; } = "";

    public string Label { get; set; } = "";
}

/// <summary>Reports at once, on the thread that trains: in their order.</summary>
internal sealed class Told(Action<TrainingProgress> tell) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value) => tell(value);
}
