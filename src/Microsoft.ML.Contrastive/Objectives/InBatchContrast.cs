using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Each row is to find its partner among the partners of the whole batch, and among further rows where there are any:
/// -log( exp(s_ii / t) / sum over all columns j of exp(s_ij / t) ) with the cosine s, the mean over the batch.
/// </summary>
/// <remarks>
/// One kernel under several names. SimCSE (Gao, Yao, Chen 2021, equations 1 and 5, with hard negatives); ESimCSE (Wu et al. 2022, with a
/// queue); multiple negatives ranking (Henderson et al. 2017), whose scale is 1 / t; and each half of <see cref="ClipContrast"/>. Gradient
/// flows into both sides; <see cref="BatchInfoNce"/> holds the partners constant.
/// </remarks>
public static class InBatchContrast
{
    /// <summary>The loss, a scalar: 0 for a batch of one row without further columns, which teaches nothing.</summary>
    /// <inheritdoc cref="Logits"/>
    public static Tensor Loss(Tensor anchors, Tensor partners, double temperature, Tensor? hardNegatives = null, double hardNegativeWeight = 0, Tensor? queue = null, Tensor? excluded = null)
        => PerRow(anchors, partners, temperature, hardNegatives, hardNegativeWeight, queue, excluded).mean();

    /// <summary>The loss of each row: [N].</summary>
    /// <inheritdoc cref="Logits"/>
    public static Tensor PerRow(Tensor anchors, Tensor partners, double temperature, Tensor? hardNegatives = null, double hardNegativeWeight = 0, Tensor? queue = null, Tensor? excluded = null)
        => OwnColumn(Logits(anchors, partners, temperature, hardNegatives, hardNegativeWeight, queue, excluded));

    /// <summary>[N, N + further columns]: every row's cosine with every partner, hard negative and queued row, divided by the temperature.</summary>
    /// <param name="anchors">[N, D], of any length: rows are made unit here.</param>
    /// <param name="partners">[N, D], row i belongs to anchor i; rows are made unit.</param>
    /// <param name="temperature">t, above 0; 0.05 in SimCSE.</param>
    /// <param name="hardNegatives">[N, D] or null: row i is known not to belong to anchor i; a negative for all anchors. Rows are made unit.</param>
    /// <param name="hardNegativeWeight">
    /// w, the logarithm of how many times an anchor's own hard negative counts: added to its logit after the division. The default value is 0.
    /// </param>
    /// <param name="queue">[K, D] or null: rows of earlier batches. They are made unit. No gradient.</param>
    /// <param name="excluded">
    /// [N, N] of bool or null: true where partner j, though not in anchor i's row, is no negative of it, such as an equal text. Its logit is minus infinity. The diagonal must be false.
    /// </param>
    public static Tensor Logits(
        Tensor anchors, Tensor partners, double temperature, Tensor? hardNegatives = null, double hardNegativeWeight = 0, Tensor? queue = null, Tensor? excluded = null)
    {
        ShapeCheck.SameMatrices(anchors, partners);
        ShapeCheck.Positive(temperature);
        if (!double.IsFinite(hardNegativeWeight))
            throw new ArgumentOutOfRangeException(nameof(hardNegativeWeight), hardNegativeWeight, "The weight of hard negatives must be finite.");
        Tensor rows = normalize(anchors);
        Tensor own = Against(partners);
        if (excluded is not null)
        {
            if (excluded.dtype != ScalarType.Bool || !excluded.shape.AsSpan().SequenceEqual(own.shape))
                throw new ArgumentException($"What is excluded must be [{own.shape[0]}, {own.shape[1]}] of bool, not [{string.Join(", ", excluded.shape)}] of {excluded.dtype}.", nameof(excluded));
            own = own.Filled(excluded, double.NegativeInfinity);
        }
        var columns = new List<Tensor> { own };
        if (hardNegatives is not null)
        {
            ShapeCheck.SameMatrices(anchors, hardNegatives);
            Tensor negatives = Against(hardNegatives);
            columns.Add(hardNegativeWeight == 0 ? negatives : negatives.Plus(eye(anchors.shape[0], dtype: anchors.dtype, device: anchors.device), alpha: hardNegativeWeight));
        }
        if (queue is not null)
        {
            ShapeCheck.SameWidth(anchors, queue);
            columns.Add(Against(queue.detach()));
        }
        return columns is [var only] ? only : cat(columns, 1);

        Tensor Against(Tensor others) => rows.mm(normalize(others).t()).Divide(temperature);
    }

    /// <summary>The mean of both directions: partners look for their anchors too, among those whose column does not exclude them.</summary>
    /// <inheritdoc cref="Logits"/>
    public static Tensor Symmetric(Tensor anchors, Tensor partners, double temperature, Tensor? excluded = null) => BothWays(Logits(anchors, partners, temperature, excluded: excluded));

    /// <summary>The loss when all similarities are equal: ln of the number of columns.</summary>
    public static double FlatLoss(long rows, long furtherColumns = 0) => Math.Log(rows + furtherColumns);

    /// <summary>The cross-entropy of each row of [N, N and more] when its own column is right: [N].</summary>
    internal static Tensor OwnColumn(Tensor logits) => cross_entropy(logits, Number.Range(logits.shape[0], device: logits.device), reduction: nn.Reduction.None);

    /// <summary>The mean over the rows and over the columns of square logits.</summary>
    internal static Tensor BothWays(Tensor logits) => OwnColumn(logits).mean().Plus(OwnColumn(logits.t()).mean()).Over(2);
}
