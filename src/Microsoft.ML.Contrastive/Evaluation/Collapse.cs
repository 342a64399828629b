using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>Signs that representations have collapsed onto a point or into few directions, which a loss may hide.</summary>
public static class Collapse
{
    /// <summary>
    /// Deviation of the unit rows per channel, its mean times sqrt(D): near 1 where rows fill the sphere, near 0 where they have collapsed
    /// onto a point (Chen and He 2021, section 4.1). The number that training reports.
    /// </summary>
    /// <param name="rows">[N, D].</param>
    /// <exception cref="ArgumentException">The shape does not fit.</exception>
    public static double EmbeddingDeviation(Tensor rows)
    {
        RowCheck.Matrix(rows, atLeast: 1);
        using var scope = NewDisposeScope();
        Tensor mean = normalize(rows.detach()).std(0, unbiased: false).mean();
        return mean.to(ScalarType.Float64).item<double>() * Math.Sqrt(rows.shape[1]);
    }

    /// <summary>
    /// exp of the entropy of the singular values, taken as shares of their sum (Roy and Vetterli 2007; RankMe, Garrido, Balestriero,
    /// Najman, LeCun 2023): how many directions the rows use, from 1, where all lie on one line, to min(N, D).
    /// </summary>
    /// <param name="rows">[N, D], as they are: neither centred nor made unit.</param>
    /// <exception cref="ArgumentException">The shape does not fit.</exception>
    public static double EffectiveRank(Tensor rows)
    {
        RowCheck.Matrix(rows, atLeast: 1);
        using var scope = NewDisposeScope();
        Tensor wide = rows.detach().to(ScalarType.Float64);
        // The smaller of the two products has the same singular values, squared.
        Tensor product = wide.shape[0] < wide.shape[1] ? wide.mm(wide.t()) : wide.t().mm(wide);
        Tensor values = linalg.eigvalsh(product).AtLeast(0).sqrt();
        double total = values.sum().item<double>();
        if (total == 0)
            return 1; // all rows are zero: one point
        Tensor shares = values.Over(total);
        return Math.Exp(-xlogy(shares, shares).sum().item<double>());
    }

    private static Tensor xlogy(Tensor x, Tensor y) => x.mul(y.AtLeast(1e-300).log()); // 0 log 0 = 0
}
