using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// SimSiam (Chen and He 2021, "Exploring simple Siamese representation learning"): each view predicts the projection of the
/// other, which is held constant. No negatives, no momentum encoder; the stopped gradient, the predictor's bottleneck and
/// its constant rate keep it from collapsing.
/// </summary>
public sealed record SimSiam : ContrastiveMethod
{
    /// <summary>The published ImageNet settings: 3-layer projector and 512-bottleneck predictor at 2,048, SGD with base rate 0.05, decay 1e-4, no warm-up.</summary>
    public static SimSiam Paper { get; } = new()
    {
        Augmentations = [ImageAugmentations.SimSiam, ImageAugmentations.SimSiam],
        ProjectorLayers = 3,
        ProjectionSize = 2048,
        BottleneckSize = 512,
        Optimizer = new Sgd { WeightDecay = 1e-4 },
        LearningRate = new(0.05),
    };

    /// <summary>Linear layers of the projector, at least 1. Null: 2 under 64 pixels (appendix D), otherwise 3.</summary>
    public int? ProjectorLayers { get; init; }

    /// <summary>Width of projector and projection. Null: four times the encoder's feature size, at most 2,048.</summary>
    public int? ProjectionSize { get; init; }

    /// <summary>Width of the projector's hidden layers. Null: <see cref="ProjectionSize"/>.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>Width of the predictor's hidden layer. Null: a quarter of <see cref="ProjectionSize"/>.</summary>
    public int? BottleneckSize { get; init; }

    /// <summary>The predictor's learning rate does not decay. The default value is true (section 4.2).</summary>
    public bool ConstantPredictorRate { get; init; } = true;

    /// <summary>
    /// No gradient flows into the projection that is predicted. The default value is true; false is the paper's trial without it (section 4.1), which collapses: for
    /// showing that.
    /// </summary>
    public bool StopsGradient { get; init; } = true;

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        RequireViews(2);
        SettingChecks.Projector(ProjectorLayers, HiddenSize, ProjectionSize);
        ArgumentOutOfRangeException.ThrowIfLessThan(BottleneckSize ?? 1, 1, nameof(BottleneckSize));
    }

    /// <inheritdoc/>
    /// <remarks>Optimizer: SGD (decay 5e-4 under 64 pixels, otherwise 1e-4). Rate: 0.06 under 64 pixels, otherwise 0.05, scaled linearly, no warm-up.</remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        int size = ProjectionSize ?? Math.Min(2048, 4 * facts.FeatureSize);
        ImageAugmentation view = facts.AtThisSize(ImageAugmentations.SimSiam);
        return this with
        {
            Augmentations = Augmentations ?? [view, view],
            Optimizer = Optimizer ?? new Sgd { WeightDecay = facts.SmallImages ? 5e-4 : 1e-4 },
            LearningRate = LearningRate ?? new(facts.SmallImages ? 0.06 : 0.05),
            ProjectorLayers = ProjectorLayers ?? (facts.SmallImages ? 2 : 3),
            ProjectionSize = size,
            HiddenSize = HiddenSize ?? size,
            BottleneckSize = BottleneckSize ?? Math.Max(1, size / 4),
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new SimSiamLearner(this, setup);
}

/// <summary>Encoder, projector and predictor of <see cref="SimSiam"/>.</summary>
internal sealed class SimSiamLearner : Learner
{
    private readonly nn.Module<Tensor, Tensor> encoder, projector, predictor;
    private readonly SimSiam _method;

    public SimSiamLearner(SimSiam method, LearnerSetup setup)
        : base(nameof(SimSiam))
    {
        _method = method;
        int size = method.ProjectionSize!.Value;
        encoder = setup.CreateEncoder();
        projector = Mlp.Create(
            setup.FeatureSize, method.HiddenSize!.Value, size, method.ProjectorLayers!.Value,
            new MlpForm(HiddenNorm: true, HiddenBias: false, OutputBias: false, OutputNorm: true), setup.Generator);
        predictor = Mlp.Create(
            size, method.BottleneckSize!.Value, size, 2,
            new MlpForm(HiddenNorm: true, HiddenBias: false, OutputBias: true), setup.Generator);
        RegisterComponents();
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step)
    {
        Tensor z1 = projector.forward(encoder.forward(views[0])), z2 = projector.forward(encoder.forward(views[1]));
        Tensor p1 = predictor.forward(z1), p2 = predictor.forward(z2);
        step.Embedding = z1;
        return NegativeCosine.Symmetric(p1, p2, z1, z2, _method.StopsGradient);
    }

    /// <summary>-1: all representations the same.</summary>
    public override double? FlatLoss(long rows) => -1;

    public override bool HasConstantRate(string parameterName)
        => _method.ConstantPredictorRate && parameterName.StartsWith("predictor.", StringComparison.Ordinal);
}
