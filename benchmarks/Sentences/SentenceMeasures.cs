using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Everything that a row says about an embedding.</summary>
internal static class SentenceMeasures
{
    private const double AlikeAbove = 4; // Gao, Yao, Chen 2021, section 5: pairs of STS-B with gold above 4

    /// <summary>Similarity, alignment, uniformity and, where there are labels, accuracy.</summary>
    /// <param name="row">Gets them.</param>
    /// <param name="embed">What is measured.</param>
    /// <param name="data">What is measured on.</param>
    public static SentenceRow Measure(SentenceRow row, Embed embed, SentenceData data)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var sentences = new Sentences(data.Pairs);
        Tensor vectors = nn.functional.normalize(embed(sentences.Distinct));
        Tensor first = vectors.index_select(0, tensor(sentences.First)), second = vectors.index_select(0, tensor(sentences.Second));
        long[] alike = [.. data.Pairs.Index().Where(pair => pair.Item.Score > AlikeAbove).Select(pair => (long)pair.Index)];
        return row with
        {
            Sts = Similarity(first, second, data),
            Alignment = alike.Length == 0 ? null : UnitSphere.Alignment(first[tensor(alike)], second[tensor(alike)]).item<float>(),
            Uniformity = sentences.Distinct.Count < 2 ? null : UnitSphere.Uniformity(vectors).item<double>(),
            Accuracy = Accuracy(embed, data),
        };
    }

    /// <summary>Spearman's correlation alone, times 100.</summary>
    public static double Similarity(Embed embed, SentenceData data)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var sentences = new Sentences(data.Pairs);
        Tensor vectors = nn.functional.normalize(embed(sentences.Distinct));
        return Similarity(vectors.index_select(0, tensor(sentences.First)), vectors.index_select(0, tensor(sentences.Second)), data);
    }

    private static double Similarity(Tensor first, Tensor second, SentenceData data)
        => 100 * new SimilarityMetrics([.. first.mul(second).sum(1).to(ScalarType.Float64).data<double>()], [.. data.Pairs.Select(pair => pair.Score)]).Spearman;

    private static double? Accuracy(Embed embed, SentenceData data)
    {
        if (data.Labelled is not var (training, test))
            return null;
        string[] classes = [.. training.Concat(test).Select(row => row.Label).Distinct().Order(StringComparer.Ordinal)];
        Tensor vectors = embed([.. training.Concat(test).Select(row => row.Text)]);
        Tensor labels = tensor([.. training.Concat(test).Select(row => (long)Array.IndexOf(classes, row.Label))]);
        (long known, long asked) = (training.Count, test.Count);
        using LinearProbe probe = LinearProbe.Fit(vectors.narrow(0, 0, known), labels.narrow(0, 0, known), classes.Length, options: new() { Epochs = 30 });
        return probe.Predict(vectors.narrow(0, known, asked)).eq(labels.narrow(0, known, asked)).to(ScalarType.Float64).mean().item<double>();
    }

    /// <summary>The pairs' sentences, each once, and where each pair's two stand.</summary>
    private sealed class Sentences
    {
        public Sentences(IReadOnlyList<ScoredPair> pairs)
        {
            Distinct = [.. pairs.SelectMany(pair => new[] { pair.First, pair.Second }).Distinct(StringComparer.Ordinal)];
            Dictionary<string, long> places = Distinct.Index().ToDictionary(text => text.Item, text => (long)text.Index, StringComparer.Ordinal);
            (First, Second) = ([.. pairs.Select(pair => places[pair.First])], [.. pairs.Select(pair => places[pair.Second])]);
        }

        public IReadOnlyList<string> Distinct { get; }

        public long[] First { get; }

        public long[] Second { get; }
    }
}
