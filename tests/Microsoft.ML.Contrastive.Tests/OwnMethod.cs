using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>A method as a user would write one: two views are pulled together, and each feature is kept from going constant.</summary>
public sealed record OwnMethod : ContrastiveMethod
{
    public double Spread { get; init; } = 1;

    public override ContrastiveMethod Resolve(RunFacts facts) => this with
    {
        Augmentations = Augmentations ?? [ImageAugmentations.MoCoV2, ImageAugmentations.MoCoV2],
        Optimizer = Optimizer ?? new AdamW(),
        LearningRate = LearningRate ?? new(1e-3, Scaling: RateScaling.None),
    };

    public override Learner CreateLearner(LearnerSetup setup) => new OwnLearner(this, setup);

    private sealed class OwnLearner : Learner
    {
        private readonly nn.Module<Tensor, Tensor> encoder;
        private readonly double _spread;

        public OwnLearner(OwnMethod method, LearnerSetup setup)
            : base(nameof(OwnMethod))
        {
            encoder = setup.CreateEncoder();
            _spread = method.Spread;
            RegisterComponents();
        }

        public override nn.Module<Tensor, Tensor> Encoder => encoder;

        public override Tensor Loss(Views views, Step step)
        {
            Tensor first = encoder.forward(views[0]), second = encoder.forward(views[1]);
            step.Embedding = first;
            return (first - second).pow(2).mean() + _spread * nn.functional.relu(1 - first.std(0)).mean();
        }
    }
}
