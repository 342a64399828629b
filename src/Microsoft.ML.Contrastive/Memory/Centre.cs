using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A moving mean of rows, c = m c + (1 - m) mean, which starts at 0: DINO's centre of the teacher's scores (Caron et al. 2021, equation 4). It
/// travels in the learner's state; a step uses the old one and moves it afterwards.
/// </summary>
public sealed class Centre : nn.Module
{
    private readonly Tensor mean;
    private readonly double _momentum;

    /// <param name="dimension">K, numbers of a row, at least 1.</param>
    /// <param name="momentum">m, 0 to 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number out of its range.</exception>
    public Centre(long dimension, double momentum)
        : base(nameof(Centre))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        if (!(momentum >= 0 && momentum <= 1))
            throw new ArgumentOutOfRangeException(nameof(momentum), momentum, "The momentum must be from 0 to 1.");
        _momentum = momentum;
        mean = zeros(dimension);
        RegisterComponents();
    }

    /// <summary>c: [K]. A live view of the memory: clone what must not change.</summary>
    public Tensor Mean => mean;

    /// <summary>Moves towards the mean of <paramref name="rows"/> [N, K].</summary>
    public void Update(Tensor rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.dim() != 2 || rows.shape[0] == 0 || rows.shape[1] != mean.shape[0])
            throw new ArgumentException($"Rows must be [N, {mean.shape[0]}], not [{string.Join(", ", rows.shape)}].", nameof(rows));
        using var noGradient = no_grad();
        using Tensor now = rows.mean([0]);
        mean.Scale(_momentum).AddScaled(now, 1 - _momentum);
    }
}
