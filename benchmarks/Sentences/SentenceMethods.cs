using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Texts to vectors, [N] to [N, D]; of one call all have the same places.</summary>
internal delegate Tensor Embed(IReadOnlyList<string> texts);

/// <summary>One row of the table.</summary>
/// <param name="Name">As it is asked for.</param>
/// <param name="What">In words, for the table.</param>
internal abstract record SentenceMethod(string Name, string What)
{
    /// <summary>Whether a seed changes anything.</summary>
    public abstract bool Draws { get; }
}

/// <summary>One that counts or looks up, and learns nothing but counts.</summary>
/// <param name="Prepare">Makes it from the data.</param>
/// <inheritdoc cref="SentenceMethod" path="/param"/>
internal sealed record CountingMethod(string Name, string What, Func<SentenceData, Embed> Prepare) : SentenceMethod(Name, What)
{
    public override bool Draws => false;
}

/// <summary>What a method learns from.</summary>
internal enum LearnsFrom
{
    /// <summary>Nothing: the encoder stays as it starts.</summary>
    Nothing,

    /// <summary>Texts alone.</summary>
    Texts,

    /// <summary>Texts with what follows from them and what contradicts them.</summary>
    Triplets,
}

/// <summary>One that trains an encoder.</summary>
/// <param name="Encoder">What starts.</param>
/// <param name="Method">How it learns.</param>
/// <param name="From">What from.</param>
/// <param name="Steps">How long, at full length.</param>
/// <inheritdoc cref="SentenceMethod" path="/param"/>
internal sealed record LearningMethod(string Name, string What, Func<SentenceData, TextEncoder> Encoder, TextMethod Method, LearnsFrom From, int Steps) : SentenceMethod(Name, What)
{
    public override bool Draws => true;

    public int BatchSize { get; init; } = 128;

    /// <summary>What a text is before it is cut into tokens.</summary>
    public Func<string, string> Rewrite { get; init; } = text => text;
}

/// <summary>The rows, and how the learning ones are set: chosen on STS-B train (docs/sentences.md), where it is not the library's default.</summary>
internal static class SentenceMethods
{
    private const string TfIdfOfTrigrams = "tfidf-trigrams";

    public static readonly SentenceMethod[] All =
    [
        new CountingMethod("overlap", "words in common", _ => CountedTerms.WordOverlap().Embed),
        new CountingMethod("tfidf-words", "TF-IDF of words", data => CountedTerms.TfIdf(CountedTerms.Words, data.AllTexts).Embed),
        new CountingMethod(TfIdfOfTrigrams, "TF-IDF of character trigrams", data => CountedTerms.TfIdf(CountedTerms.Trigrams, data.AllTexts).Embed),
        new CountingMethod("glove-mean", "mean of GloVe vectors", data => WordVectorMeans.Mean(data, rarity: null)),
        new CountingMethod("glove-sif", "the same, weighed by rarity, without the first principal component (Arora et al. 2017)", data => WordVectorMeans.WithoutFirstComponent(WordVectorMeans.Mean(data, rarity: 1e-3))),
        new CountingMethod("featurize-text", "FeaturizeText as it comes", StockFeatures.Prepare),
        new LearningMethod("untrained", "a transformer of 4 layers of 256 as it starts", Transformer, new SimCse(), LearnsFrom.Nothing, 0),
        new LearningMethod("simcse", "the same after unsupervised SimCSE", Transformer, new SimCse { LearningRate = Rate(5e-4) }, LearnsFrom.Texts, 180),
        new LearningMethod("esimcse", "after ESimCSE", Transformer, new ESimCse { LearningRate = Rate(5e-4) }, LearnsFrom.Texts, 180),
        new LearningMethod("consert", "after ConSERT, feature cutoff and shuffle", Transformer, new ConSert { LearningRate = Rate(5e-4) }, LearnsFrom.Texts, 180),
        new LearningMethod("simcse-supervised", "a transformer of 1 layer of 256, its mean weighed by rarity, after SimCSE on triplets, without an MLP", data => Transformer(data) with { Depth = 1, RarityWeight = 1e-3 }, new SimCse { LearningRate = Rate(2e-3), HasMlp = false }, LearnsFrom.Triplets, 150),
        new LearningMethod("hashed-supervised", "mean of vectors of hashed words and character trigrams, from random ones, after SimCSE on triplets", HashedTerms.Encoder, HashedTerms.Method, LearnsFrom.Triplets, 75)
        {
            BatchSize = 64,
            Rewrite = HashedTerms.Of,
        },
        new LearningMethod("glove-supervised", "mean of GloVe vectors weighed by rarity, after SimCSE on triplets", WordVectorMeans.Encoder, new SimCse(), LearnsFrom.Triplets, 150),
    ];

    public static IEnumerable<string> Names => All.Select(method => method.Name);

    /// <summary>The rival that counting alone gives.</summary>
    public static string Rival => TfIdfOfTrigrams;

    /// <summary>
    /// Falling linearly, whatever the batch. Named for each method, as Fit goes on from an encoder that was made for all texts' vocabulary, where the methods' own rates
    /// would be those for learned weights.
    /// </summary>
    public static LearningRate Rate(double peak) => new(peak, Scaling: RateScaling.None) { Schedule = new LinearRate() };

    private static TextTransformer Transformer(SentenceData data) => new() { TokenLimit = 32, TokenizerFrom = data.VocabularyFolder() };
}
