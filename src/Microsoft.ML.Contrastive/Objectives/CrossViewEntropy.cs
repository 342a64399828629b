using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Some views of an example say a distribution over K outcomes, and every other view is to predict it: the cross-entropy
/// -sum over k of P_t(k) log softmax(scores_v / t)(k), the mean over the batch and over all pairs of a target t and a view v that
/// is not t itself.
/// </summary>
/// <remarks>
/// With <see cref="Sinkhorn"/> assignments as targets it is the swapped prediction of SwAV (Caron et al. 2020, equation 2), with a centred
/// and sharpened teacher's it is DINO's (Caron et al. 2021, equation 3). Both average over pairs; as every target has the same
/// number of other views, it does not matter in which order.
/// </remarks>
public static class CrossViewEntropy
{
    /// <summary>The loss, a scalar. Gradient flows into the scores alone.</summary>
    /// <param name="targets">Of the first views, at least one: [N, K] each, rows that sum to 1.</param>
    /// <param name="scores">Of all views in the same order, at least two: [N, K] each, before the softmax.</param>
    /// <param name="temperature">t, above 0; 0.1 in SwAV and DINO.</param>
    public static Tensor Loss(IReadOnlyList<Tensor> targets, IReadOnlyList<Tensor> scores, double temperature)
    {
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentNullException.ThrowIfNull(scores);
        ShapeCheck.Positive(temperature);
        long terms = Terms(targets.Count, scores.Count);
        if (targets.Count == 0 || targets.Count > scores.Count || terms == 0)
            throw new ArgumentException($"{targets.Count} targets and {scores.Count} views make no pair: at least one view beside a target's own is needed.", nameof(scores));
        foreach (Tensor each in targets.Concat(scores))
            ShapeCheck.SameMatrices(targets[0], each);

        Tensor? sum = null;
        foreach ((int view, Tensor own) in scores.Index())
        {
            // One log-softmax serves all targets of a view.
            Tensor[] others = [.. targets.Where((_, target) => target != view).Select(target => target.detach())];
            if (others.Length == 0)
                continue;
            Tensor part = others.Aggregate((total, next) => total.Plus(next)).mul(log_softmax(own.Over(temperature), 1)).sum();
            sum = sum is null ? part : sum.Plus(part);
        }
        return sum!.Over(-(double)terms * targets[0].shape[0]);
    }

    /// <summary>How many pairs of a target and another view are averaged.</summary>
    public static long Terms(long targets, long views) => targets * (views - 1);

    /// <summary>The loss when all scores are equal: ln K.</summary>
    public static double FlatLoss(long outcomes) => Math.Log(outcomes);
}
