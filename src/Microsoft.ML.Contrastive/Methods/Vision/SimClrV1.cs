using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// SimCLR (Chen, Kornblith, Norouzi, Hinton 2020, "A simple framework for contrastive learning of visual representations"):
/// two views of each picture find each other among all others of the batch. One encoder, an MLP projector that is thrown
/// away, <see cref="NtXent"/>; large batches are its negatives.
/// </summary>
public sealed record SimClrV1 : ContrastiveMethod
{
    /// <summary>The published ImageNet settings: temperature 0.1, LARS, base rate 0.3, decay 1e-6, batch norm in the projector, 10 epochs of warm-up.</summary>
    public static SimClrV1 Paper { get; } = new()
    {
        Augmentations = TwoViews(ImageAugmentations.SimClr()),
        Temperature = 0.1,
        Optimizer = new Lars { WeightDecay = 1e-6 },
        LearningRate = new(0.3, WarmupEpochs: 10),
    };

    /// <summary>t of <see cref="NtXent"/>, above 0. The default value is 0.2 (the paper: 0.1 on ImageNet, 0.5 on CIFAR-10 with batches of 512 and more).</summary>
    public double Temperature { get; init; } = 0.2;

    /// <summary>Linear layers of the projector, at least 1. The default value is 2 (section 4.2).</summary>
    public int ProjectorLayers { get; init; } = 2;

    /// <summary>Width of the projector's hidden layers. Null: the encoder's feature size.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>Length of the projection. The default value is 128.</summary>
    public int ProjectionSize { get; init; } = 128;

    /// <summary>Batch norm after the projector's hidden layers, as in the released code. The default value is true; the paper's formula has none.</summary>
    public bool ProjectorNorm { get; init; } = true;

    /// <summary>
    /// True, the default: both views pass the network as one batch of 2N, so that batch norm sees them together, as
    /// published. False: one after the other.
    /// </summary>
    public bool JointForward { get; init; } = true;

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        RequireViews(2);
        ShapeCheck.Positive(Temperature);
        SettingChecks.Projector(ProjectorLayers, HiddenSize, ProjectionSize);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Optimizer: LARS (decay 1e-6) from batches of 1,024 up, otherwise SGD (decay 5e-4). Rate: 0.3 for LARS, 0.12 for SGD,
    /// scaled linearly, one epoch of warm-up.
    /// </remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        bool large = facts.BatchSize >= 1024;
        return this with
        {
            Augmentations = Augmentations ?? TwoViews(ImageAugmentations.SimClr(strength: facts.SmallImages ? 0.5 : 1, blur: !facts.SmallImages)),
            Optimizer = Optimizer ?? (large ? new Lars { WeightDecay = 1e-6 } : new Sgd { WeightDecay = 5e-4 }),
            LearningRate = LearningRate ?? new(large ? 0.3 : 0.12, WarmupEpochs: 1),
            HiddenSize = HiddenSize ?? facts.FeatureSize,
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new SimClrV1Learner(this, setup);

    private static ImageAugmentation[] TwoViews(ImageAugmentation each) => [each, each];
}

/// <summary>Encoder and projector of <see cref="SimClrV1"/>.</summary>
internal sealed class SimClrV1Learner : Learner
{
    private readonly nn.Module<Tensor, Tensor> encoder, projector;
    private readonly SimClrV1 _method;

    public SimClrV1Learner(SimClrV1 method, LearnerSetup setup)
        : base(nameof(SimClrV1))
    {
        _method = method;
        encoder = setup.CreateEncoder();
        projector = Mlp.Create(
            setup.FeatureSize, method.HiddenSize!.Value, method.ProjectionSize, method.ProjectorLayers,
            new MlpForm(HiddenNorm: method.ProjectorNorm, HiddenBias: true, OutputBias: true), setup.Generator);
        RegisterComponents();
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step)
    {
        (Tensor first, Tensor second) = views.Projected(view => projector.forward(encoder.forward(view)), _method.JointForward);
        step.Embedding = first;
        return NtXent.Loss(first, second, _method.Temperature);
    }

    public override double? FlatLoss(long rows) => NtXent.FlatLoss(rows);
}
