using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>The unit vectors of scored pairs' sentences.</summary>
/// <param name="All">[M, D], each distinct sentence's once.</param>
/// <param name="First">[N, D], of each pair's first sentence.</param>
/// <param name="Second">[N, D], of its second.</param>
/// <param name="Pairs">The pairs.</param>
internal sealed record PairVectors(Tensor All, Tensor First, Tensor Second, IReadOnlyList<ScoredPair> Pairs)
{
    private const double AlikeAbove = 4; // Gao, Yao, Chen 2021, section 5: pairs of STS-B with gold above 4

    /// <summary>Each sentence is embedded once; within the caller's dispose scope.</summary>
    public static PairVectors Of(Embed embed, IReadOnlyList<ScoredPair> pairs)
    {
        string[] distinct = [.. pairs.SelectMany(pair => new[] { pair.First, pair.Second }).Distinct(StringComparer.Ordinal)];
        Dictionary<string, long> places = distinct.Index().ToDictionary(text => text.Item, text => (long)text.Index, StringComparer.Ordinal);
        Tensor vectors = nn.functional.normalize(embed(distinct));
        return new PairVectors(vectors, Rows(pair => pair.First), Rows(pair => pair.Second), pairs);

        Tensor Rows(Func<ScoredPair, string> of) => vectors.index_select(0, tensor(pairs.Select(pair => places[of(pair)]).ToArray()));
    }

    /// <summary>Of each pair.</summary>
    public double[] Cosines() => [.. First.mul(Second).sum(1).to(ScalarType.Float64).data<double>()];

    /// <summary>Spearman's correlation of cosine with the gold scores, times 100.</summary>
    public double Similarity() => 100 * new SimilarityMetrics(Cosines(), [.. Pairs.Select(pair => pair.Score)]).Spearman;

    /// <summary>Of pairs with gold above 4; null where there are none.</summary>
    public double? Alignment()
    {
        long[] alike = [.. Pairs.Index().Where(pair => pair.Item.Score > AlikeAbove).Select(pair => (long)pair.Index)];
        return alike.Length == 0 ? null : UnitSphere.Alignment(First[tensor(alike)], Second[tensor(alike)]).item<float>();
    }

    /// <summary>Of all sentences; null where there is one.</summary>
    public double? Uniformity() => All.shape[0] < 2 ? null : UnitSphere.Uniformity(All).item<double>();
}
