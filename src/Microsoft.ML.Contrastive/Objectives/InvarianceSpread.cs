using System.Runtime.CompilerServices;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The objective of Ye, Zhang, Yuen, Chang 2019 ("Unsupervised embedding learning via invariant and spreading instance
/// feature"): a view of an example is to be recognised as that example (invariance), and no other row may be (spread), each as
/// a yes-or-no question with the probability of a softmax over the batch.
/// </summary>
/// <remarks>
/// The released code and the paper's formula differ, and both are here. <see cref="NtXent"/> asks the first question alone.
/// </remarks>
public static class InvarianceSpread
{
    /// <summary>
    /// The released form. Over both views' 2N unit rows, without each row itself, P_ij = exp(f_i.f_j / t) / sum over k of
    /// exp(f_i.f_k / t), and the loss is the mean over i of -log P_i,partner - sum over the others j of log(1 - P_ij). In every
    /// product the second factor is held constant: gradient flows through row i alone, as if the rest were a memory.
    /// </summary>
    /// <param name="first">Projections of the first views [N, D], N at least 2, of any length: rows are made unit here.</param>
    /// <param name="second">Projections of the second views [N, D], row i from the same example.</param>
    /// <param name="temperature">t, above 0; 0.1 in the paper.</param>
    public static Tensor Loss(Tensor first, Tensor second, double temperature) => Loss(first, second, temperature, negativeWeight: 1);

    /// <param name="first">Projections of the first views [N, D], N at least 2, of any length: rows are made unit here.</param>
    /// <param name="second">Projections of the second views [N, D], row i from the same example.</param>
    /// <param name="temperature">t, above 0; 0.1 in the paper.</param>
    /// <param name="negativeWeight">
    /// The released code's negM, at least 1, the published one: the terms of the others count so often in each sum over k, and the second
    /// question so often in the loss.
    /// </param>
    /// <inheritdoc cref="Loss(Tensor, Tensor, double)"/>
    public static Tensor Loss(Tensor first, Tensor second, double temperature, double negativeWeight)
    {
        Check(first, second, temperature);
        CheckNegativeWeight(negativeWeight);
        Tensor rows = normalize(cat([first, second], 0));
        return LossOfUnitRows(rows, rows.detach(), temperature, negativeWeight);
    }

    /// <summary>
    /// The paper's form (equations 3 to 7), divided by N. P(i|x) = exp(f_i.f_x / t) / sum over the N originals k of
    /// exp(f_k.f_x / t), and the loss is the mean over i of -log P(i | view of i) - sum over originals j != i of
    /// log(1 - P(i | j)). Gradient flows through every factor.
    /// </summary>
    /// <inheritdoc cref="Loss(Tensor, Tensor, double)"/>
    public static Tensor PaperLoss(Tensor first, Tensor second, double temperature)
    {
        Check(first, second, temperature);
        Tensor originals = normalize(first), views = normalize(second);
        // Row x holds log P(k | x) in column k.
        Tensor ofViews = log_softmax(views.mm(originals.t()).Divide(temperature), 1);
        Tensor self = eye(first.shape[0], dtype: ScalarType.Bool, device: first.device);
        Tensor notOthers = LogComplement(originals.mm(originals.t()).Divide(temperature)).Filled(self, 0);
        return ofViews.diag().sum().Plus(notOthers.sum()).neg().Over(first.shape[0]);
    }

    /// <summary>The released form's loss when all similarities are equal: ln S - w (M - 2) ln(1 - 1 / S) with M = 2N, negative weight w, S = 1 + w (M - 2).</summary>
    public static double FlatLoss(long rows, double negativeWeight = 1)
    {
        double others = negativeWeight * (2 * rows - 2);
        return Math.Log(1 + others) - others * Math.Log(1 - 1 / (1 + others));
    }

    /// <summary>The paper's form's loss when all similarities are equal: ln N - (N - 1) ln(1 - 1 / N).</summary>
    public static double PaperFlatLoss(long rows) => Math.Log(rows) - (rows - 1) * Math.Log(1 - 1.0 / rows);

    /// <summary>The released form over unit rows [2N, D] as anchors and the same rows once more as what they are compared with.</summary>
    internal static Tensor LossOfUnitRows(Tensor anchors, Tensor constants, double temperature, double negativeWeight = 1)
    {
        Tensor logits = ViewPairs.WithoutSelf(anchors.mm(constants.t()).Divide(temperature));
        Tensor partner = ViewPairs.Partners(anchors.shape[0] / 2, anchors.device), isPartner = AtColumn(partner.unsqueeze(1), logits);
        if (negativeWeight != 1)
            logits = where(isPartner, logits, logits.Plus(Math.Log(negativeWeight)));
        // Each column's share of the row's sum is P of the partner, and of another w P: of it, 1 - P is 1 - w P + (1 - 1 / w) w P.
        Tensor notOthers = LogComplement(logits);
        if (negativeWeight != 1)
            notOthers = logaddexp(notOthers, log_softmax(logits, 1).Plus(Math.Log(1 - 1 / negativeWeight)));
        Tensor spread = notOthers.Filled(isPartner, 0).sum(1).Times(negativeWeight);
        return cross_entropy(logits, partner, reduction: nn.Reduction.None).sub(spread).mean();
    }

    /// <summary>Throws unless the weight is finite and at least 1: below, one of the others could have more than all of the sum.</summary>
    internal static void CheckNegativeWeight(double weight, [CallerArgumentExpression(nameof(weight))] string name = "")
    {
        if (!(weight >= 1 && double.IsFinite(weight)))
            throw new ArgumentOutOfRangeException(name, weight, $"{name} must be at least 1 and finite.");
    }

    /// <summary>
    /// log(1 - P) of the softmax P of each row. A row's largest P may round to one, whose complement would be 0: it is taken as
    /// the sum of the others. All others are at most a half.
    /// </summary>
    private static Tensor LogComplement(Tensor logits)
    {
        Tensor all = logits.logsumexp(1, keepdim: true);
        Tensor isLargest = AtColumn(logits.detach().argmax(1, keepdim: true), logits);
        Tensor withoutLargest = logits.Filled(isLargest, double.NegativeInfinity).logsumexp(1, keepdim: true);
        Tensor smaller = logits.sub(all).exp().Filled(isLargest, 0);
        return where(isLargest, withoutLargest.sub(all), smaller.neg().log1p());
    }

    /// <summary>True in each row's given column [rows, 1], false elsewhere.</summary>
    private static Tensor AtColumn(Tensor column, Tensor logits) => Number.Range(logits.shape[1], device: logits.device).eq(column);

    private static void Check(Tensor first, Tensor second, double temperature)
    {
        ShapeCheck.SameMatrices(first, second);
        ShapeCheck.Positive(temperature);
        if (first.shape[0] < 2)
            throw new ArgumentException("One example has no other to be told from: give at least two rows.", nameof(first));
    }
}
