using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>A method on sentences, measured on pairs that people have scored.</summary>
/// <param name="Label">What it is called within its claim.</param>
/// <param name="Method">How it learns.</param>
internal sealed record TextArm(string Label, TextMethod Method) : Arm(Label)
{
    public const int BatchSize = 64;

    /// <summary>The paper's bound between like and unlike lengths (Wu et al. 2022, table 1), in words.</summary>
    private const int LikeLength = 3;

    /// <summary>A transformer from random weights; its vocabulary is BERT's where that is at hand, otherwise learned.</summary>
    public TextTransformer Encoder { get; init; } = new() { Width = 128, Depth = 2, Heads = 4, TokenLimit = 32 };

    /// <summary>Whether it learns from what follows from a sentence and what contradicts it, not from sentences alone.</summary>
    public bool Supervised { get; init; }

    public override string MethodName => Method.GetType().Name;

    public override void Validate() => Method.Validate(BatchSize);

    protected override JsonObject Describe(ClaimsOptions options) => new()
    {
        ["texts"] = options.Corpus ?? "WordNet, WikiSplit, triplets", ["vocabulary"] = SentenceData.BertVocabulary(Path.Combine(options.Data, "text")) is null ? "learned" : "BERT's", ["pairs"] = options.Sts ?? "STS-B dev", ["method"] = Of(Method), ["encoder"] = Of(Encoder), ["supervised"] = Supervised,
    };

    public override ClaimRow Run(ClaimsData data, int seed)
    {
        (SentenceData texts, MLContext ml) = (data.Texts(), new MLContext(seed));
        IDataView rows = ml.Data.LoadFromEnumerable(Supervised ? texts.Triplets : texts.Texts.Select(text => new TextExample { Text = text }));
        if (texts.Without.Count > 0)
            throw new BenchmarkException($"{string.Join(' ', texts.Without)} Or name texts of yours with --corpus.");
        var training = new Training(Label, data.Options.TextSteps(Length));
        SentenceEmbeddingEstimator estimator = ml.Transforms.SentenceEmbedding(
            "Vector", nameof(TextExample.Text), Encoder with { TokenizerFrom = texts.VocabularyFolder() }, Method, training.Options(BatchSize),
            Supervised ? nameof(TextExample.Positive) : null, Supervised ? nameof(TextExample.Negative) : null);
        using SentenceEmbeddingTransformer encoder = Length == 0 ? estimator.Untrained(rows) : training.Time(() => estimator.Fit(rows));
        return Row(data.Options, seed, training, Measure(encoder, texts));
    }

    private static Dictionary<string, double> Measure(SentenceEmbeddingTransformer encoder, SentenceData texts)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        PairVectors vectors = PairVectors.Of(sentences => LearningRun.Vectors(encoder, sentences), texts.Pairs);
        double highest = texts.Pairs.Max(pair => pair.Score);
        double[] errors = [.. vectors.Cosines().Zip(texts.Pairs, (cosine, pair) => cosine - pair.Score / highest)];
        ILookup<bool, double> byLength = errors.Zip(texts.Pairs).ToLookup(each => Math.Abs(Words(each.Second.First) - Words(each.Second.Second)) <= LikeLength, each => each.First);
        var figures = new Dictionary<string, double>
        {
            [Figure.Sts.Key] = vectors.Similarity(),
        };
        if (byLength.Count == 2)
        {
            (figures[Figure.ErrorAlike.Key], figures[Figure.ErrorUnlike.Key]) = (byLength[true].Average(), byLength[false].Average());
            figures[Figure.LengthGap.Key] = figures[Figure.ErrorAlike.Key] - figures[Figure.ErrorUnlike.Key];
        }
        if (vectors.Alignment() is { } alignment)
            figures[Figure.Alignment.Key] = alignment;
        if (vectors.Uniformity() is { } uniformity)
            figures[Figure.Uniformity.Key] = uniformity;
        return figures;
    }

    private static int Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
}
