using System.Runtime.InteropServices;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>A row that is near to a query.</summary>
/// <param name="Row">Its place in the view, from 0.</param>
/// <param name="Cosine">-1 to 1.</param>
public readonly record struct SearchHit(int Row, float Cosine);

/// <summary>Two rows that are near to each other.</summary>
/// <param name="First">The earlier one's place in the view, from 0.</param>
/// <param name="Second">The later one's.</param>
/// <param name="Cosine">-1 to 1.</param>
public readonly record struct NearPair(int First, int Second, float Cosine);

/// <summary>Which rows are near each other, by cosine: exact, each compared with each. A row of zeros is near to none.</summary>
internal static class Neighbours
{
    private const long PairsAtOnce = 1L << 23;

    /// <summary>The k nearest of each query, nearest first; of equals the earlier row.</summary>
    /// <param name="queries">[N, D].</param>
    /// <param name="candidates">[M, D].</param>
    /// <param name="k">At least 1; where there are fewer candidates, all.</param>
    public static SearchHit[][] Nearest(Tensor queries, Tensor candidates, int k)
    {
        int count = (int)Math.Min(k, candidates.shape[0]);
        var hits = new List<SearchHit[]>();
        foreach ((_, Tensor cosines) in Cosines(queries, candidates))
        {
            (Tensor values, Tensor rows) = LargestOfRows.Of(cosines, count);
            float[] found = Numbers<float>(values);
            long[] places = Numbers<long>(rows);
            hits.AddRange(places.Zip(found, (place, cosine) => new SearchHit((int)place, cosine)).Chunk(count));
        }
        return [.. hits];
    }

    /// <summary>All pairs of rows at least as near as a cosine, in the rows' order.</summary>
    /// <param name="rows">[N, D].</param>
    /// <param name="cosine">The least.</param>
    /// <param name="most">More pairs than these are an error.</param>
    /// <exception cref="InvalidOperationException">There are more.</exception>
    public static List<NearPair> Pairs(Tensor rows, double cosine, int most)
    {
        var pairs = new List<NearPair>();
        foreach ((long start, Tensor cosines) in Cosines(rows, rows))
        {
            Tensor near = cosines.triu(start + 1).IsAtLeast(cosine).logical_and(ones_like(cosines, ScalarType.Bool).triu(start + 1)).nonzero();
            if (pairs.Count + near.shape[0] > most)
                throw new InvalidOperationException($"More than {most} pairs of rows have a cosine of {cosine} and more: choose a higher one.");
            long[] places = Numbers<long>(near);
            float[] values = Numbers<float>(cosines.index(TensorIndex.Tensor(near.select(1, 0)), TensorIndex.Tensor(near.select(1, 1))));
            pairs.AddRange(values.Select((value, index) => new NearPair((int)(places[2 * index] + start), (int)places[2 * index + 1], value)));
        }
        return pairs;
    }

    /// <summary>Rows that pairs join, directly or through others; the largest group first, each in the rows' order.</summary>
    public static int[][] Groups(IReadOnlyList<NearPair> pairs, int rows)
    {
        int[] parents = [.. Enumerable.Range(0, rows)];
        foreach (NearPair pair in pairs)
            parents[Root(pair.Second)] = Root(pair.First);
        return [.. Enumerable.Range(0, rows).GroupBy(Root).Where(group => group.Count() > 1).Select(group => group.ToArray()).OrderByDescending(group => group.Length).ThenBy(group => group[0])];

        int Root(int row)
        {
            while (parents[row] != row)
                row = parents[row] = parents[parents[row]];
            return row;
        }
    }

    /// <summary>Some queries' cosines with all candidates at a time, with the first query's place; in a scope of their own.</summary>
    private static IEnumerable<(long Start, Tensor Cosines)> Cosines(Tensor queries, Tensor candidates)
    {
        using Tensor unit = normalize(queries), others = normalize(candidates).t();
        long step = Math.Max(1, PairsAtOnce / candidates.shape[0]);
        for (long start = 0; start < queries.shape[0]; start += step)
        {
            using var scope = NewDisposeScope();
            yield return (start, unit.narrow(0, start, Math.Min(step, queries.shape[0] - start)).mm(others));
        }
    }

    private static T[] Numbers<T>(Tensor tensor)
        where T : struct
        => MemoryMarshal.Cast<byte, T>(tensor.cpu().contiguous().bytes).ToArray();
}
