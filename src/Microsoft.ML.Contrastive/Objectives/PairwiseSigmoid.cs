using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// SigLIP's objective (Zhai et al. 2023, equation 1): every picture and every text are a question of their own, whether they belong
/// together: -(1/N) sum over i, j of log sigmoid(y_ij (scale s_ij + bias)), y 1 for partners and -1 otherwise.
/// </summary>
/// <remarks>It is divided by N, not by N²; so columns can be added up block by block, which <see cref="BlockSum"/> does.</remarks>
public static class PairwiseSigmoid
{
    /// <summary>Where the published scale's logarithm and the bias start.</summary>
    public static double InitialLogScale { get; } = Math.Log(10);

    /// <inheritdoc cref="InitialLogScale"/>
    public static double InitialBias => -10;

    /// <summary>The loss, a scalar. Gradient flows into both sides, scale and bias.</summary>
    /// <inheritdoc cref="Logits"/>
    /// <param name="images">See <see cref="Logits"/>.</param>
    /// <param name="texts">See <see cref="Logits"/>, N of them.</param>
    /// <param name="scale">See <see cref="Logits"/>.</param>
    /// <param name="bias">See <see cref="Logits"/>.</param>
    /// <param name="captionIds">[N] of int64 or null: equal numbers are equal captions, and whether they belong to each other's pictures is not asked.</param>
    public static Tensor Loss(Tensor images, Tensor texts, Tensor scale, Tensor bias, Tensor? captionIds = null)
    {
        ShapeCheck.SameMatrices(images, texts);
        Tensor logits = Logits(images, texts, scale, bias);
        if (captionIds is not null)
        {
            ShapeCheck.Indices(captionIds, images.shape[0]);
            Tensor others = eye(images.shape[0], dtype: ScalarType.Bool, device: images.device).logical_not();
            logits = logits.Filled(captionIds.unsqueeze(1).eq(captionIds).logical_and(others), double.NegativeInfinity); // softplus makes 0 of them
        }
        return BlockSum(logits, 0).Over(images.shape[0]);
    }

    /// <summary>[N, M]: scale times the cosine of every picture with every text, plus bias.</summary>
    /// <param name="images">[N, D], of any length: rows are made unit here.</param>
    /// <param name="texts">[M, D]; rows are made unit.</param>
    /// <param name="scale">A scalar tensor.</param>
    /// <param name="bias">A scalar tensor.</param>
    public static Tensor Logits(Tensor images, Tensor texts, Tensor scale, Tensor bias)
    {
        ShapeCheck.SameWidth(images, texts);
        ShapeCheck.Scalar(scale);
        ShapeCheck.Scalar(bias);
        return normalize(images).mm(normalize(texts).t()).mul(scale).Plus(bias);
    }

    /// <summary>The sum over a block of columns: softplus of all its logits, less the partners' own.</summary>
    /// <param name="logits">[N, M], the columns from <paramref name="firstColumn"/> on.</param>
    /// <param name="firstColumn">The row whose partner stands in the first column.</param>
    public static Tensor BlockSum(Tensor logits, long firstColumn)
    {
        ShapeCheck.Matrix(logits);
        return logsigmoid(logits.neg()).sum().neg().sub(logits.diagonal(-firstColumn).sum());
    }
}
