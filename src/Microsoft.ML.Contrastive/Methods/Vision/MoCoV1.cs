using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// MoCo v1 (He, Fan, Wu, Xie, Girshick 2020, "Momentum contrast for unsupervised visual representation learning"): queue and
/// momentum encoder as in <see cref="MoCoV2"/>, with one linear layer behind the encoder, a low temperature and views
/// without blur. Its successor learns more; it is here to be compared with.
/// </summary>
public sealed record MoCoV1 : MomentumContrast
{
    /// <summary>
    /// The published ImageNet settings: 65,536 keys, momentum 0.999, temperature 0.07, SGD with base rate 0.03 and decay 1e-4,
    /// keys shuffled over 8 groups, and a rate that falls to a tenth at epochs 120 and 160 of 200.
    /// </summary>
    public static MoCoV1 Paper { get; } = new()
    {
        Augmentations = [ImageAugmentations.MoCoV1, ImageAugmentations.MoCoV1],
        QueueLength = 65_536,
        Momentum = 0.999,
        Optimizer = new Sgd { WeightDecay = 1e-4 },
        LearningRate = new(0.03) { Schedule = new StepRate(new(120.0 / 200, 0.1), new(160.0 / 200, 0.01)) },
        NormGroups = 8,
    };

    /// <summary>MoCo v1 with its default temperature of 0.07.</summary>
    public MoCoV1()
        : base(temperature: 0.07)
    {
    }

    private protected override ImageAugmentation PublishedView => ImageAugmentations.MoCoV1;

    internal override nn.Module<Tensor, Tensor> CreateProjector(LearnerSetup setup)
        => Mlp.Linear(setup.FeatureSize, ProjectionSize, setup.Generator);
}
