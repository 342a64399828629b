using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Soft assignments of rows to prototypes under which all prototypes get about as many rows: the Sinkhorn-Knopp iteration of SwAV
/// (Caron et al. 2020, section 3.1; Cuturi 2013).
/// </summary>
/// <remarks>
/// Q starts as exp(scores / e). In each iteration every prototype's column is divided by its sum, and then every row by its own. So each
/// row sums to exactly 1 whenever it stops, and the columns tend to N / K. The published code divides by K and N as well and
/// multiplies by N at the end, which changes nothing. It works on logarithms here: exp(1 / 0.05) already is 5e8, and rows that are not
/// unit overflow.
/// </remarks>
public static class Sinkhorn
{
    /// <summary>Assignments [N, K] of the rows, without gradient; each row sums to 1.</summary>
    /// <param name="scores">[N, K], similarity of each row to each prototype; the cosine in SwAV.</param>
    /// <param name="epsilon">e, above 0: small ones give nearly one-hot rows. 0.05 in SwAV.</param>
    /// <param name="iterations">At least 1; 3 in SwAV.</param>
    /// <param name="further">[M, K] or null: scores of rows that take part in the balance and are given no assignment, such as a queue's.</param>
    public static Tensor Assign(Tensor scores, double epsilon, int iterations, Tensor? further = null)
    {
        ShapeCheck.Matrix(scores);
        ShapeCheck.Positive(epsilon);
        ArgumentOutOfRangeException.ThrowIfLessThan(iterations, 1);
        if (further is not null)
            ShapeCheck.SameWidth(scores, further);
        using var noGradient = no_grad();
        Tensor logs = (further is null ? scores : cat([scores, further], 0)).Over(epsilon);
        for (int iteration = 0; iteration < iterations; iteration++)
        {
            logs = logs.sub_(logs.logsumexp(0, keepdim: true));
            logs = logs.sub_(logs.logsumexp(1, keepdim: true));
        }
        return logs.narrow(0, 0, scores.shape[0]).exp();
    }
}
