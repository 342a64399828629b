using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The weighted k-nearest-neighbour vote (Wu, Xiong, Yu, Lin 2018, section 3.4) by which the field measures representations without
/// training anything on them: the k training rows of largest cosine vote for their classes, each with exp(cosine / t).
/// </summary>
/// <remarks>Published with k = 200 and t = 0.07 on ImageNet; comparisons on CIFAR-10 have t = 0.1; DINO found k = 20 best.</remarks>
public static class WeightedKnn
{
    // Rows that are compared at a time: 256 rows against 60,000 are 61 MB of cosines.
    private const long CosinesAtOnce = 1L << 24;

    /// <summary>The votes for each class: [N, C].</summary>
    /// <param name="query">Representations to classify [N, D], of any length: rows are made unit here.</param>
    /// <param name="bank">Representations of known class [M, D].</param>
    /// <param name="bankLabels">Their classes [M], from 0, as Int64.</param>
    /// <param name="classes">C.</param>
    /// <param name="k">Neighbours that vote, 1 to M.</param>
    /// <param name="temperature">t, above 0; in single precision the votes overflow below about 0.012, where <see cref="Predict"/> still serves.</param>
    /// <exception cref="ArgumentException">A shape does not fit, or a number is out of its range.</exception>
    public static Tensor Votes(Tensor query, Tensor bank, Tensor bankLabels, int classes, int k, double temperature)
        => InChunks(query, bank, bankLabels, classes, k, temperature, (cosines, labels) => Sum(cosines.Over(temperature).exp_(), labels, classes));

    /// <summary>The class with most votes of each row: [N], Int64.</summary>
    /// <inheritdoc cref="Votes"/>
    public static Tensor Predict(Tensor query, Tensor bank, Tensor bankLabels, int classes, int k, double temperature)
        => InChunks(query, bank, bankLabels, classes, k, temperature, (cosines, labels) =>
        {
            // A factor that all votes of a row share changes nothing: the nearest has one vote, so that none overflows.
            Tensor nearest = cosines.narrow(1, 0, 1);
            return Sum(cosines.sub(nearest).Divide(temperature).exp_(), labels, classes).argmax(1);
        });

    private static Tensor Sum(Tensor votes, Tensor labels, int classes)
        => zeros(votes.shape[0], classes, votes.dtype, votes.device).scatter_add_(1, labels, votes);

    private static Tensor InChunks(
        Tensor query, Tensor bank, Tensor bankLabels, int classes, int k, double temperature, Func<Tensor, Tensor, Tensor> count)
    {
        RowCheck.Matrix(query, atLeast: 1);
        RowCheck.Matrix(bank, atLeast: 1);
        RowCheck.SameWidth(query, bank);
        RowCheck.Labels(bankLabels, bank, classes);
        RowCheck.Positive(temperature);
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        if (k > bank.shape[0])
            throw new ArgumentOutOfRangeException(nameof(k), k, $"k must be at most the number of training rows, {bank.shape[0]}.");
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Tensor unitBank = normalize(bank).t(), unitQuery = normalize(query);
        var results = new List<Tensor>();
        long rows = Math.Max(1, CosinesAtOnce / bank.shape[0]);
        for (long start = 0; start < query.shape[0]; start += rows)
        {
            using var chunk = NewDisposeScope();
            Tensor cosines = unitQuery.narrow(0, start, Math.Min(rows, query.shape[0] - start)).mm(unitBank);
            (Tensor nearest, Tensor places) = LargestOfRows.Of(cosines, k);
            results.Add(count(nearest, bankLabels.take(places)).MoveToOuterDisposeScope());
        }
        return cat(results, 0).MoveToOuterDisposeScope();
    }
}
