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
    /// <summary>Makes the target a copy of the online module, statistics included, without gradient.</summary>
    public void CopyToTarget()
    {
        using var noGradient = no_grad();
        foreach ((Tensor online, Tensor target) in Online.parameters().Zip(Target.parameters()))
        {
            target.copy_(online);
            target.requires_grad_(false);
        }
        foreach ((Tensor online, Tensor target) in Online.buffers().Zip(Target.buffers()))
            target.copy_(online);
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
