using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The objectives of Wu, Xiong, Yu, Lin 2018 ("Unsupervised feature learning via non-parametric instance discrimination"): each
/// feature is to find its own example among all n examples of the data, whose features a bank remembers. As a softmax over the
/// whole bank (equation 2), or as noise-contrastive estimation against m rows drawn at random (equations 5 to 8), which costs the
/// same however many examples there are.
/// </summary>
/// <remarks>
/// CMC (Tian, Krishnan, Isola 2020) asks the same of two views, each against the other's bank. The bank is an argument and stays as it
/// is: see <see cref="MemoryBank"/>.
/// </remarks>
public static class InstanceDiscrimination
{
    // Up to this many times as many rows, a product with the whole bank is quicker than copying rows [N, 1 + m, D] out of it: on two
    // CPU cores, 256 features of 128 numbers, twice as quick at 32 and even at about 50.
    private const long ProductAdvantage = 32;

    // Of what is as large as a batch times the bank, so many numbers are made at a time: 30 MB, which the C library keeps for the next step where a
    // run keeps freed memory. A block above 32 MB comes fresh from the system each time, a fault for every page.
    private const long NumbersTogether = 7_500_000;

    /// <summary>-log( exp(v.w_i / t) / sum over the bank of exp(v.w_j / t) ), the mean over the batch.</summary>
    /// <param name="features">[N, D], of any length: rows are made unit here.</param>
    /// <param name="bank">[n, D], taken as it is. No gradient.</param>
    /// <param name="indices">[N], int64: each row's own place in the bank.</param>
    /// <param name="temperature">t, above 0; 0.07 on ImageNet, 0.1 on CIFAR-10 in the released code.</param>
    public static Tensor SoftmaxLoss(Tensor features, Tensor bank, Tensor indices, double temperature)
        => SoftmaxPerRow(features, bank, indices, temperature).mean();

    /// <summary>The softmax loss of each row: [N].</summary>
    /// <inheritdoc cref="SoftmaxLoss"/>
    public static Tensor SoftmaxPerRow(Tensor features, Tensor bank, Tensor indices, double temperature)
    {
        ShapeCheck.SameWidth(features, bank);
        ShapeCheck.Positive(temperature);
        ShapeCheck.Indices(indices, features.shape[0]);
        Tensor columns = bank.detach().t();
        return InParts(features, indices, bank.shape[0], (unit, own) => cross_entropy(unit.mm(columns).Divide(temperature), own, reduction: nn.Reduction.None));
    }

    /// <summary>v.w / t of each feature and its own rows of the bank: [N, 1 + m].</summary>
    /// <param name="features">[N, D], of any length: rows are made unit here.</param>
    /// <param name="bank">[n, D], taken as it is. No gradient.</param>
    /// <param name="indices">[N, 1 + m], int64: each row's own place in the bank in column 0, noise behind it.</param>
    /// <param name="temperature">t, above 0.</param>
    public static Tensor SampledLogits(Tensor features, Tensor bank, Tensor indices, double temperature)
    {
        ShapeCheck.SameWidth(features, bank);
        ShapeCheck.Positive(temperature);
        ShapeCheck.Indices(indices, features.shape[0], columns: true);
        Tensor rows = bank.detach();
        return bank.shape[0] <= ProductAdvantage * indices.shape[1]
            ? InParts(features, indices, bank.shape[0], (unit, sampled) => unit.mm(rows.t()).gather(1, sampled)).Divide(temperature)
            : InParts(features, indices, indices.shape[1] * bank.shape[1], Sampled).Divide(temperature);

        Tensor Sampled(Tensor unit, Tensor sampled)
            => rows.index_select(0, sampled.flatten()).view(sampled.shape[0], sampled.shape[1], rows.shape[1]).bmm(unit.unsqueeze(2)).squeeze(2);
    }

    /// <summary>The softmax over each row's own and the sampled ones alone, the mean over the batch (CMC's released code).</summary>
    /// <param name="logits">[N, 1 + m] of <see cref="SampledLogits"/>.</param>
    public static Tensor SampledSoftmaxLoss(Tensor logits)
    {
        CheckSampled(logits);
        return cross_entropy(logits, zeros(logits.shape[0], ScalarType.Int64, logits.device));
    }

    /// <summary>Log of Z as one batch estimates it, n times the mean of exp(s): a scalar without gradient.</summary>
    /// <param name="logits">[N, 1 + m].</param>
    /// <param name="rows">n, rows of the bank.</param>
    public static Tensor LogPartition(Tensor logits, long rows)
    {
        using var noGradient = no_grad();
        return logits.detach().flatten().logsumexp(0).Plus(Math.Log((double)rows / logits.numel()));
    }

    /// <summary>
    /// With P = exp(s) / Z and noise that has m / n at each row: -log( P / (P + m / n) ) of the own row, and -log( (m / n) / (P + m / n) )
    /// summed over the noise; the mean over the batch. It is computed as the logistic loss of s - log Z - log(m / n), which neither
    /// overflows nor divides by zero.
    /// </summary>
    /// <param name="logits">s [N, 1 + m] of <see cref="SampledLogits"/>.</param>
    /// <param name="logPartition">Log Z, a scalar, held constant.</param>
    /// <param name="rows">n, rows of the bank.</param>
    /// <param name="epsilon">Added to both denominators, at least 0; the released code has 1e-7. The default value is 0.</param>
    public static Tensor NceLoss(Tensor logits, Tensor logPartition, long rows, double epsilon = 0)
    {
        CheckSampled(logits);
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(epsilon, 0);
        long noise = logits.shape[1] - 1;
        double share = (double)noise / rows;
        Tensor odds = logits.sub(logPartition.detach()).Minus(Math.Log(share + epsilon));
        Tensor own = logsigmoid(odds.narrow(1, 0, 1)).neg(), denied = logsigmoid(odds.narrow(1, 1, noise).neg()).neg();
        return own.sum().Plus(denied.sum()).Over(logits.shape[0]).Plus(noise * Math.Log(1 + epsilon / share));
    }

    /// <summary>
    /// ||v - w||^2 between each feature and its own row as it stood, the mean over the batch (equation 9): keeps a feature near what it
    /// was an epoch ago. <see cref="NceLoss"/> or <see cref="SoftmaxLoss"/> are added to a multiple of it.
    /// </summary>
    /// <param name="features">[N, D], of any length: rows are made unit here.</param>
    /// <param name="own">[N, D], each feature's own row of the bank, taken as it is. No gradient.</param>
    public static Tensor Proximal(Tensor features, Tensor own)
    {
        ShapeCheck.SameMatrices(features, own);
        return normalize(features).sub(own.detach()).Power(2).sum(1).mean();
    }

    /// <summary>The softmax loss over so many rows when all similarities are equal: its logarithm.</summary>
    public static double SoftmaxFlatLoss(long rows) => Math.Log(rows);

    /// <summary>
    /// The NCE loss when all similarities are equal and Z is these similarities' own estimate: ln(1 + m) + m ln(1 + 1 / m). With any
    /// other Z it is higher.
    /// </summary>
    public static double NceFlatLoss(long noise) => Math.Log(1 + noise) + noise * Math.Log(1 + 1.0 / noise);

    /// <summary>Asks for some features, made unit, and their indices at a time, as many as make <paramref name="numbers"/> each; joins the answers.</summary>
    private static Tensor InParts(Tensor features, Tensor indices, long numbers, Func<Tensor, Tensor, Tensor> ask)
    {
        long together = Math.Max(1, NumbersTogether / numbers);
        Tensor unit = normalize(features);
        return features.shape[0] <= together
            ? ask(unit, indices)
            : cat([.. unit.split(together).Zip(indices.split(together), ask)], 0);
    }

    private static void CheckSampled(Tensor logits)
    {
        if (logits.dim() != 2 || logits.shape[0] < 1 || logits.shape[1] < 2)
            throw new ArgumentException($"Logits must be [N, 1 + m], not [{string.Join(", ", logits.shape)}].", nameof(logits));
    }
}
