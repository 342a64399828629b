using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// How representations lie on the unit sphere (Wang and Isola 2020): good ones keep what belongs together close, which is alignment, and
/// otherwise spread evenly, which is uniformity. Rows are made unit here. Lower is better for both.
/// </summary>
public static class UnitSphere
{
    private const long PairsAtOnce = 1L << 24;

    /// <summary>The mean of ||x - y||^alpha over pairs: a scalar, 0 where partners coincide.</summary>
    /// <param name="first">x [N, D].</param>
    /// <param name="second">y [N, D], row i what belongs to row i of <paramref name="first"/>: another view, or another picture of its class.</param>
    /// <param name="alpha">Above 0. The default value is 2, where it is the mean of 2 - 2 cosine.</param>
    /// <exception cref="ArgumentException">A shape does not fit, or a number is out of its range.</exception>
    public static Tensor Alignment(Tensor first, Tensor second, double alpha = 2)
    {
        RowCheck.Matrix(first, atLeast: 1);
        RowCheck.Matrix(second, atLeast: first.shape[0]);
        RowCheck.SameWidth(first, second);
        if (second.shape[0] != first.shape[0])
            throw new ArgumentException($"second must have {first.shape[0]} rows like first, not {second.shape[0]}.", nameof(second));
        RowCheck.Positive(alpha);
        return normalize(first).sub(normalize(second)).norm(1, keepdim: false, p: 2).Power(alpha).mean();
    }

    /// <summary>
    /// The logarithm of the mean of exp(-t ||x_i - x_j||²) over distinct pairs: a scalar. 0 where all rows are equal; N rows can have no
    /// less than -2 t N / (N - 1), and rows spread evenly over a sphere of many dimensions tend to -2 t.
    /// </summary>
    /// <param name="rows">[N, D], at least two rows.</param>
    /// <param name="t">Above 0. The default value is 2.</param>
    /// <exception cref="ArgumentException">A shape does not fit, or a number is out of its range.</exception>
    public static Tensor Uniformity(Tensor rows, double t = 2)
    {
        RowCheck.Matrix(rows, atLeast: 2);
        RowCheck.Positive(t);
        using var scope = NewDisposeScope();
        Tensor unit = normalize(rows);
        long count = unit.shape[0], step = Math.Max(1, PairsAtOnce / count);
        Tensor sum = zeros(1, ScalarType.Float64, unit.device);
        for (long start = 0; start < count; start += step)
        {
            long taken = Math.Min(step, count - start);
            // exp(-t (2 - 2 cosine)); each row's pair with itself is put out by an infinite distance.
            Tensor exponents = unit.narrow(0, start, taken).mm(unit.t()).Minus(1).Times(2 * t)
                .Filled(eye(taken, count, ScalarType.Bool, unit.device).roll(start, 1), double.NegativeInfinity);
            sum = sum.Plus(exponents.exp().sum(ScalarType.Float64));
        }
        return sum.Over((double)count * (count - 1)).log().squeeze(0).MoveToOuterDisposeScope();
    }
}
