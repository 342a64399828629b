using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>
/// The smallest learner there is, to watch a training step at one weight: its loss is the sum of weight times view, so that
/// the view is the weight's gradient.
/// </summary>
internal sealed class WeightLearner : Learner
{
    private readonly WeightModule online;
    private readonly WeightModule? target;

    public WeightLearner(Tensor weight)
        : base(nameof(WeightLearner))
    {
        online = new WeightModule(weight);
        RegisterComponents();
    }

    public WeightLearner(Tensor weight, Tensor targetWeight, double momentum)
        : base(nameof(WeightLearner))
    {
        (online, target) = (new WeightModule(weight), new WeightModule(targetWeight));
        target.Weight.requires_grad_(false);
        MomentumPairs = [new(online, target, MomentumSchedule.Constant(momentum), MomentumTiming.AfterStep)];
        RegisterComponents();
    }

    public Tensor Weight => online.Weight;

    public Tensor TargetWeight => target!.Weight;

    public override nn.Module<Tensor, Tensor> Encoder => online;

    public override IReadOnlyList<MomentumPair> MomentumPairs { get; } = [];

    public override Tensor Loss(Views views, Step step) => online.forward(views[0]).sum();

    private sealed class WeightModule : nn.Module<Tensor, Tensor>
    {
        private readonly Parameter weight;

        public WeightModule(Tensor weight)
            : base(nameof(WeightModule))
        {
            this.weight = new Parameter(weight.clone());
            RegisterComponents();
        }

        public Parameter Weight => weight;

        public override Tensor forward(Tensor input) => input.mul(weight);
    }
}
