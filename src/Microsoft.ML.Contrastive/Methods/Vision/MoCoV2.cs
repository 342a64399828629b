using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// MoCo v2 (Chen, Fan, Girshick, He 2020, "Improved baselines with momentum contrastive learning"): He et al. 2020 with
/// SimCLR's MLP head, blur, a gentler and rarer colour jitter, a higher temperature and the cosine schedule. The queue gives
/// many negatives to small batches.
/// </summary>
public sealed record MoCoV2 : MomentumContrast
{
    /// <summary>The published ImageNet settings: 65,536 keys, momentum 0.999, temperature 0.2, SGD with base rate 0.03 and decay 1e-4, head 2048-2048-128, keys shuffled over 8 groups.</summary>
    public static MoCoV2 Paper { get; } = new()
    {
        Augmentations = [ImageAugmentations.MoCoV2, ImageAugmentations.MoCoV2],
        QueueLength = 65_536,
        Momentum = 0.999,
        HiddenSize = 2048,
        Optimizer = new Sgd { WeightDecay = 1e-4 },
        LearningRate = new(0.03),
        NormGroups = 8,
    };

    /// <summary>MoCo v2 with its default temperature of 0.2.</summary>
    public MoCoV2()
        : base(temperature: 0.2)
    {
    }

    /// <summary>Linear layers of the projector, at least 1. The default value is 2, v2's MLP head.</summary>
    public int ProjectorLayers { get; init; } = 2;

    /// <summary>Width of the projector's hidden layers. Null: the encoder's feature size.</summary>
    public int? HiddenSize { get; init; }

    private protected override ImageAugmentation PublishedView => ImageAugmentations.MoCoV2;

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        SettingChecks.Projector(ProjectorLayers, HiddenSize, ProjectionSize);
    }

    /// <inheritdoc/>
    public override ContrastiveMethod Resolve(RunFacts facts)
        => (MoCoV2)base.Resolve(facts) with { HiddenSize = HiddenSize ?? facts.FeatureSize };

    internal override nn.Module<Tensor, Tensor> CreateProjector(LearnerSetup setup) => Mlp.Create(
        setup.FeatureSize, HiddenSize!.Value, ProjectionSize, ProjectorLayers,
        new MlpForm(HiddenNorm: false, HiddenBias: true, OutputBias: true), setup.Generator);
}
