using System.Text.Json.Nodes;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>CLIP on pictures with words, measured by telling classes by their words.</summary>
/// <param name="Label">What it is called within its claim.</param>
/// <param name="Images">What pictures pass.</param>
internal sealed record PairArm(string Label, ImageEncoder Images) : Arm(Label)
{
    public const int BatchSize = 256;

    /// <summary>Whether captions are sentences with the word.</summary>
    public bool Sentences { get; init; }

    /// <summary>Whether two classes are left out of the training.</summary>
    public bool HoldsOut { get; init; }

    public override string MethodName => nameof(Clip);

    private static Clip Method { get; } = new() { Augmentations = [ClipBenchmark.View] };

    public override void Validate() => Method.Validate(BatchSize);

    protected override JsonObject Describe(ClaimsOptions options) => new()
    {
        ["pairs"] = options.OwnPairs is { } own ? $"{own.Pairs}, {own.Images}, {own.Classes}" : "CIFAR-10", ["method"] = Of(Method), ["images"] = Of(Images), ["texts"] = Of(ClipBenchmark.Text), ["sentences"] = Sentences, ["holdsOut"] = HoldsOut,
    };

    public override ClaimRow Run(ClaimsData data, int seed)
    {
        (ClaimPairs pairs, MLContext ml) = (data.Pairs(Sentences, HoldsOut), new MLContext(seed));
        var training = new Training(Label, data.Options.PairSteps(Length));
        ImageTextEstimator estimator = ml.Transforms.ContrastivePretrain(
            new InputOutputColumnPair[] { new("ImageVector", "Image"), new("TextVector", "Caption") }, Method, new ImageTextEncoder(Images, ClipBenchmark.Text),
            training.Options(Math.Min(BatchSize, pairs.Train.Length)), pairs.Pictures.Shape);
        using ImageTextTransformer model = training.Time(() => estimator.Fit(pairs.Pictures.View(ml, pairs.Train)));
        string[] classes = [.. pairs.Test.Select(row => row.Label).Distinct().Order(StringComparer.Ordinal)];
        var figures = new Dictionary<string, double>
        {
            [Figure.Bare.Key] = Accuracy(PromptTemplates.None, pairs.Test),
            [Figure.Template.Key] = Accuracy(PromptTemplates.Simple, pairs.Test),
            [Figure.Ensemble.Key] = Accuracy(PromptTemplates.Photos, pairs.Test),
        };
        if (HoldsOut)
        {
            PromptTemplates asTrained = Sentences ? PromptTemplates.Photos : PromptTemplates.None;
            figures[Figure.Seen.Key] = Accuracy(asTrained, [.. pairs.Test.Where(row => !pairs.Unseen.Contains(row.Label))]);
            figures[Figure.Unseen.Key] = Accuracy(asTrained, [.. pairs.Test.Where(row => pairs.Unseen.Contains(row.Label))]);
        }
        return Row(data.Options, seed, training, figures);

        double Accuracy(PromptTemplates prompts, CaptionedRow[] rows) => ZeroShotRanks.Of(ml, pairs.Pictures, model, rows, classes, prompts).Average(rank => rank == 1 ? 1.0 : 0);
    }
}
