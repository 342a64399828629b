using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// What a method trains: a TorchSharp module that holds the encoder, the heads, the targets and the memory. All that
/// must outlive a step is registered in it, so that its state is the run's state.
/// </summary>
/// <remarks>
/// A step is: <see cref="MomentumPair"/>s that go first, <see cref="Loss"/>, the optimizer, the pairs that go last,
/// <see cref="AfterStep"/>.
/// </remarks>
public abstract class Learner : nn.Module
{
    /// <summary>Names the module in TorchSharp's printouts.</summary>
    protected Learner(string name)
        : base(name)
    {
    }

    /// <summary>The module that stays when training is over: a batch in, representations [N, D] out.</summary>
    public abstract nn.Module<Tensor, Tensor> Encoder { get; }

    /// <summary>Target modules and the online modules that they follow; none for most methods. Each pair is declared once.</summary>
    public virtual IReadOnlyList<MomentumPair> MomentumPairs => [];

    /// <summary>The loss of one batch, a scalar with its graph.</summary>
    public abstract Tensor Loss(Views views, Step step);

    /// <summary>What the method does after the optimizer's step: enqueue keys, move a centre. No gradient is recorded.</summary>
    public virtual void AfterStep(Step step)
    {
    }

    /// <summary>
    /// The loss when all similarities are equal, where a dead or collapsed run sits, for batches of
    /// <paramref name="rows"/>; null when the objective has no such value.
    /// </summary>
    public virtual double? FlatLoss(long rows) => null;

    /// <summary>True for parameters whose learning rate does not follow the schedule, such as SimSiam's predictor.</summary>
    public virtual bool HasConstantRate(string parameterName) => false;

    /// <summary>
    /// Steps at the start in which the optimizer leaves a parameter as it is, whatever its gradient and without decay; 0, the default,
    /// for none. What it remembers of the parameter begins afterwards.
    /// </summary>
    public virtual long FrozenSteps(string parameterName) => 0;
}
