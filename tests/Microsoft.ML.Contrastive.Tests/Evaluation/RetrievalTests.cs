using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Evaluation;

public sealed class RetrievalTests
{
    [Fact]
    public void Ranks_recall_and_gain_are_those_counted_by_hand()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        // Angles of candidates from each query: query 0 finds its own second, query 1 first and third.
        Tensor queries = tensor(new double[,] { { 1, 0 }, { 0, 5 } });
        Tensor candidates = tensor(new double[,] { { 1, 0.1 }, { 1, 0.2 }, { 0.3, 1 }, { 0.5, 1 }, { 1, 1 } });
        RetrievalMetrics metrics = Retrieval.Measure(queries, candidates, tensor(new long[] { 7, 8 }), tensor(new long[] { 1, 7, 8, 2, 8 }));
        Assert.Equal([2, 1], metrics.Ranks);
        Assert.Equal(0.5, metrics.RecallAt(1));
        Assert.Equal(1, metrics.RecallAt(2));
        Assert.Equal(0.75, metrics.MeanReciprocalRank);
        double second = 1 / Math.Log2(3), third = 1 / Math.Log2(4);
        Assert.Equal((second + (1 + third) / (1 + second)) / 2, metrics.NdcgAt10, 12);
    }

    [Fact]
    public void A_collapsed_encoder_earns_nothing()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        Tensor same = ones(30, 4), ids = arange(30, ScalarType.Int64);
        RetrievalMetrics metrics = Retrieval.Measure(same, same, ids, ids);
        Assert.All(metrics.Ranks, rank => Assert.Equal(30, rank));
        Assert.Equal(0, metrics.NdcgAt10);
    }

    [Fact]
    public void A_query_without_a_right_candidate_is_named()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        Tensor rows = eye(3), ids = tensor(new long[] { 0, 1, 9 });
        Assert.Contains("Query 2", Assert.Throws<ArgumentException>(() => Retrieval.Measure(rows, rows, ids, arange(3, ScalarType.Int64))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sets_of_pairs_and_lists_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new SimilarityMetrics([1, 2], [1, 2, 3]));
        Assert.Throws<ArgumentException>(() => new SimilarityMetrics([1, 2, 3], [1, 2, 3], ["a", "a", "b"]));
        Assert.Equal(1, new SimilarityMetrics([double.NaN, 2, 3], [1, 2, 3]).Spearman, 12); // not a number counts as 0
    }
}
