using System.Runtime.InteropServices;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>How well queries find what belongs to them among all candidates, by cosine.</summary>
public sealed class RetrievalMetrics
{
    internal RetrievalMetrics(long[] ranks, int candidates) => (Ranks, Candidates) = (ranks, candidates);

    /// <summary>Each query's rank of its best right candidate, from 1: one more than the wrong candidates that are at least as near.</summary>
    public IReadOnlyList<long> Ranks { get; }

    /// <summary>Candidates that each query was compared with.</summary>
    public int Candidates { get; }

    /// <summary>The mean of 1 / rank.</summary>
    public double MeanReciprocalRank => Ranks.Average(rank => 1.0 / rank);

    /// <summary>The mean of each query's nDCG over its ten nearest (Järvelin and Kekäläinen 2002): gain 1 for a right one, divided by log2(1 + rank), as a share of the best order's.</summary>
    public required double NdcgAt10 { get; init; }

    /// <summary>The share of queries with a right candidate among the k nearest.</summary>
    public double RecallAt(int k)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        return Ranks.Average(rank => rank <= k ? 1.0 : 0);
    }
}

/// <summary>Measures retrieval from representations.</summary>
public static class Retrieval
{
    private const long PairsAtOnce = 1L << 24;
    private const int Cutoff = 10;

    /// <summary>Compares every query with every candidate. Of equally near candidates the wrong ones count as nearer: a collapsed encoder earns nothing.</summary>
    /// <param name="queries">[N, D], of any length: rows are made unit here.</param>
    /// <param name="candidates">[M, D].</param>
    /// <param name="queryIds">[N] of int64: a candidate with the same number is right; there is at least one for each query.</param>
    /// <param name="candidateIds">[M] of int64.</param>
    /// <exception cref="ArgumentException">A shape does not fit, or a query has no right candidate.</exception>
    public static RetrievalMetrics Measure(Tensor queries, Tensor candidates, Tensor queryIds, Tensor candidateIds)
    {
        RowCheck.Matrix(queries, atLeast: 1);
        RowCheck.Matrix(candidates, atLeast: 1);
        RowCheck.SameWidth(queries, candidates);
        Numbers(queryIds, queries, nameof(queryIds));
        Numbers(candidateIds, candidates, nameof(candidateIds));
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        Tensor unit = normalize(queries), others = normalize(candidates).t();
        long count = unit.shape[0], step = Math.Max(1, PairsAtOnce / candidates.shape[0]), nearest = Math.Min(Cutoff, candidates.shape[0]);
        Tensor discounts = Number.Range(2, nearest + 2, ScalarType.Float64, unit.device).log2().reciprocal(), ideal = discounts.cumsum(0);
        var ranks = new List<long>();
        double gains = 0;
        for (long start = 0; start < count; start += step)
        {
            using var part = NewDisposeScope();
            long taken = Math.Min(step, count - start);
            Tensor isRight = queryIds.narrow(0, start, taken).unsqueeze(1).eq(candidateIds), rights = isRight.sum(1);
            if (rights.min().item<long>() == 0)
                throw new ArgumentException($"Query {start + rights.argmin().item<long>()} has no candidate with its number.", nameof(queryIds));
            Tensor similarity = unit.narrow(0, start, taken).mm(others);
            Tensor best = similarity.Filled(isRight.logical_not(), double.NegativeInfinity).amax([1L], keepdim: true);
            ranks.AddRange(MemoryMarshal.Cast<byte, long>(similarity.ge(best).logical_and(isRight.logical_not()).sum(1).Plus(1).cpu().contiguous().bytes));
            // Sorted with wrong ones first among equals: two stable sorts, the second by similarity.
            Tensor wrongFirst = isRight.to(ScalarType.Int64).sort(1, stable: true).Indices;
            Tensor order = similarity.gather(1, wrongFirst).sort(1, descending: true, stable: true).Indices.narrow(1, 0, nearest);
            Tensor gain = isRight.gather(1, wrongFirst.gather(1, order)).to(ScalarType.Float64).mul(discounts).sum(1);
            gains += gain.div(ideal.index_select(0, rights.AtMost(nearest).Minus(1))).sum().item<double>();
        }
        return new([.. ranks], (int)candidates.shape[0]) { NdcgAt10 = gains / count };
    }

    private static void Numbers(Tensor ids, Tensor rows, string name)
    {
        if (ids.dtype != ScalarType.Int64 || ids.dim() != 1 || ids.shape[0] != rows.shape[0])
            throw new ArgumentException($"{name} must be [{rows.shape[0]}] of Int64, not [{string.Join(", ", ids.shape)}] of {ids.dtype}.", name);
    }
}
