using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Everything that a row says about an embedding.</summary>
internal static class SentenceMeasures
{
    /// <summary>Similarity, alignment, uniformity and, where there are labels, accuracy.</summary>
    /// <param name="row">Gets them.</param>
    /// <param name="embed">What is measured.</param>
    /// <param name="data">What is measured on.</param>
    public static SentenceRow Measure(SentenceRow row, Embed embed, SentenceData data)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        PairVectors vectors = PairVectors.Of(embed, data.Pairs);
        return row with
        {
            Sts = vectors.Similarity(), Alignment = vectors.Alignment(), Uniformity = vectors.Uniformity(), Accuracy = Accuracy(embed, data),
        };
    }

    /// <summary>Spearman's correlation alone, times 100.</summary>
    public static double Similarity(Embed embed, SentenceData data)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        return PairVectors.Of(embed, data.Pairs).Similarity();
    }

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
}
