using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>When in a step the target follows.</summary>
public enum MomentumTiming
{
    /// <summary>Before the loss, with the online weights that the last step left (MoCo).</summary>
    BeforeLoss,

    /// <summary>After the optimizer's step, with the weights that it left (BYOL, DINO).</summary>
    AfterStep,
}

/// <summary>
/// A target module whose parameters are a moving average of an online module's: target = m * target + (1 - m) * online.
/// Parameters only: the target's batch-norm statistics come from its own forward passes, as published.
/// </summary>
/// <param name="Online">The module that the optimizer trains.</param>
/// <param name="Target">A module of the same shape; it needs no gradient.</param>
/// <param name="Momentum">m as a function of the step's index and the number of steps; see <see cref="MomentumSchedule"/>.</param>
/// <param name="Timing">When in a step the target follows.</param>
public sealed record MomentumPair(nn.Module Online, nn.Module Target, Func<long, long, double> Momentum, MomentumTiming Timing)
{
    /// <summary>True, the default: the target starts as a copy of the online module. False: with the weights that it was made with.</summary>
    public bool StartsAsCopy { get; init; } = true;

    /// <summary>Each parameter of the online module with the target's.</summary>
    internal IEnumerable<(Tensor Online, Tensor Target)> Parameters => Matched(Online.parameters(), Target.parameters());

    /// <summary>
    /// What a run starts with: the target becomes a copy of the online module, statistics included, unless
    /// <see cref="StartsAsCopy"/> is false, and needs no gradient from now on.
    /// </summary>
    /// <exception cref="ArgumentException">The modules have different shapes.</exception>
    public void CopyToTarget()
    {
        using var noGradient = no_grad();
        foreach ((Tensor online, Tensor target) in Parameters)
        {
            if (StartsAsCopy)
                target.copy_(online);
            target.requires_grad_(false);
        }
        foreach ((Tensor online, Tensor target) in Matched(Online.buffers(), Target.buffers()))
            if (StartsAsCopy)
                target.copy_(online);
    }

    private static IEnumerable<(Tensor Online, Tensor Target)> Matched(IEnumerable<Tensor> online, IEnumerable<Tensor> target)
    {
        Tensor[] from = [.. online], to = [.. target];
        return from.Length == to.Length && from.Zip(to).All(pair => pair.First.shape.AsSpan().SequenceEqual(pair.Second.shape))
            ? from.Zip(to)
            : throw new ArgumentException("A momentum target needs the same tensors as its online module.", nameof(target));
    }
}

/// <summary>Momentum m as a function of the step.</summary>
public static class MomentumSchedule
{
    /// <summary>The same m at each step (MoCo).</summary>
    public static Func<long, long, double> Constant(double momentum) => (_, _) => momentum;

    /// <summary>1 - (1 - m) (cos(pi k / K) + 1) / 2: from m to 1 (Grill et al. 2020, section 3.2).</summary>
    public static Func<long, long, double> CosineToOne(double momentum)
        => (index, total) => 1 - (1 - momentum) * (Math.Cos(Math.PI * index / total) + 1) / 2;
}
