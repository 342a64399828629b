using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Where noise-contrastive estimation has its constant Z from. Each batch gives an estimate, n times the mean of exp(s / t); Z
/// starts as <paramref name="Start"/>, or as the first batch's estimate, and then Z = Momentum Z + (1 - Momentum) estimate.
/// </summary>
/// <param name="Momentum">0 to 1; 1 keeps Z as it started. The default value is 1.</param>
/// <param name="Start">Z before the first step, above 0. The default value is null: the first batch's estimate.</param>
public sealed record NcePartition(double Momentum = 1, double? Start = null)
{
    /// <summary>Estimated once, from the first batch, and then kept: Wu et al. 2018 (section 3.2) and both papers' released code.</summary>
    public static NcePartition FirstBatch { get; } = new();

    /// <summary>Follows the batches. Better than <see cref="FirstBatch"/> where a run goes on from a trained encoder.</summary>
    /// <param name="momentum">The default value is 0.99.</param>
    public static NcePartition MovingAverage(double momentum = 0.99) => new(momentum);

    /// <summary>A known Z that stays.</summary>
    public static NcePartition Fixed(double value) => new(Start: value);

    /// <summary>Throws when a number is out of its range.</summary>
    internal void Validate()
    {
        if (!(Momentum >= 0 && Momentum <= 1))
            throw new ArgumentOutOfRangeException(nameof(Momentum), Momentum, "Partition.Momentum must be from 0 to 1.");
        if (Start is { } start && !(start > 0 && double.IsFinite(start)))
            throw new ArgumentOutOfRangeException(nameof(Start), start, "Partition.Start must be above 0 and finite; null takes the first batch's estimate.");
    }
}

/// <summary>Z as it stands, in the learner's state. Its logarithm is kept: at low temperatures exp(1 / t) exceeds single precision.</summary>
internal sealed class PartitionConstant : nn.Module
{
    private readonly Tensor log_z; // NaN until the first batch has been seen
    private readonly double _momentum;
    private Tensor? _next;

    public PartitionConstant(NcePartition settings)
        : base(nameof(PartitionConstant))
    {
        _momentum = settings.Momentum;
        log_z = tensor((float)Math.Log(settings.Start ?? double.NaN)).DetachFromDisposeScope();
        RegisterComponents();
    }

    /// <summary>Log Z for this step's loss, given the log of its batch's estimate. <see cref="Keep"/> makes it last.</summary>
    public Tensor Next(Tensor logEstimate)
    {
        using var noGradient = no_grad();
        Tensor moved = _momentum == 1 ? log_z
            : logaddexp(log_z.Plus(Math.Log(_momentum)), logEstimate.Plus(Math.Log(1 - _momentum)));
        return _next = where(log_z.isnan(), logEstimate, moved);
    }

    /// <summary>After the optimizer's step, so that a step which failed leaves nothing behind; a step without a loss has nothing to keep.</summary>
    public void Keep()
    {
        if (_next is null)
            return;
        using var noGradient = no_grad();
        log_z.copy_(_next);
        _next = null;
    }
}
