using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The normalised temperature-scaled cross-entropy of SimCLR (Chen et al. 2020, equation 1). Each of the 2N projections is
/// to find its partner, the other view of the same example, among the 2N - 1 others by cosine similarity:
/// l(i, j) = -log( exp(s_ij / t) / sum over k != i of exp(s_ik / t) ), the mean over all 2N rows.
/// </summary>
/// <remarks>
/// The published TensorFlow code returns the sum of both directions, twice this value. <see cref="InfoNce"/> has the same
/// form with negatives from a queue instead of the batch.
/// </remarks>
public static class NtXent
{
    /// <summary>Of the matrix of all pairs, which at 4,096 examples is larger than a network: 64 MB in single precision.</summary>
    private const long NumbersAtOnce = 1 << 24;

    /// <summary>The loss, a scalar.</summary>
    /// <param name="first">Projections of the first views [N, D], of any length: rows are made unit here.</param>
    /// <param name="second">Projections of the second views [N, D], row i from the same example.</param>
    /// <param name="temperature">t, above 0; 0.1 on ImageNet, 0.5 on CIFAR-10 in the paper.</param>
    /// <param name="memory">
    /// Further negatives of every row [K, D], taken as they are: unit projections of earlier batches (SimCLR v2, section 2). No gradient. Null, the
    /// default, for none.
    /// </param>
    public static Tensor Loss(Tensor first, Tensor second, double temperature, Tensor? memory = null) => PerRow(first, second, temperature, memory).mean();

    /// <summary>The loss of each row, first views above second views: [2N].</summary>
    /// <inheritdoc cref="Loss"/>
    public static Tensor PerRow(Tensor first, Tensor second, double temperature, Tensor? memory = null)
    {
        ShapeCheck.SameMatrices(first, second);
        ShapeCheck.Positive(temperature);
        if (memory is not null)
            ShapeCheck.SameWidth(first, memory);
        Tensor all = normalize(cat([first, second], 0)), partners = ViewPairs.Partners(first.shape[0], first.device);
        long atOnce = Math.Max(1, NumbersAtOnce / (all.shape[0] + (memory?.shape[0] ?? 0)));
        return cat([.. all.split(atOnce).Zip(partners.split(atOnce)).Select((block, index) => Block(block.First, block.Second, index * atOnce))], 0);

        Tensor Block(Tensor asking, Tensor wanted, long firstRow)
        {
            using var scope = NewDisposeScope(); // a block's logits go before the next one's come
            Tensor logits = ViewPairs.WithoutSelf(asking.mm(all.t()).Divide(temperature), firstRow);
            if (memory is not null)
                logits = cat([logits, asking.mm(memory.detach().t()).Divide(temperature)], 1);
            return cross_entropy(logits, wanted, reduction: nn.Reduction.None).MoveToOuterDisposeScope();
        }
    }

    /// <summary>The loss when all similarities are equal: ln(2N - 1 + K).</summary>
    public static double FlatLoss(long rows, long memory = 0) => Math.Log(2 * rows - 1 + memory);
}
