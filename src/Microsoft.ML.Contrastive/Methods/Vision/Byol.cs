using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// BYOL (Grill et al. 2020, "Bootstrap your own latent"): an online network predicts, from one view, what a slowly moving copy of
/// itself makes of the other view. No negatives; the predictor and the target's slowness keep it from collapsing.
/// </summary>
public sealed record Byol : ContrastiveMethod
{
    /// <summary>The published settings of 1,000 epochs on ImageNet: heads 4,096-256, momentum from 0.996 to 1, LARS with base rate 0.2 and decay 1.5e-6, 10 epochs of warm-up.</summary>
    public static Byol Paper { get; } = new()
    {
        Augmentations = [ImageAugmentations.ByolFirst, ImageAugmentations.ByolSecond],
        HiddenSize = 4096,
        Momentum = 0.996,
        Optimizer = new Lars { WeightDecay = 1.5e-6 },
        LearningRate = new(0.2, WarmupEpochs: 10),
    };

    /// <summary>
    /// m of the target network at the first step, 0 to 1, from where it rises to 1 along half a cosine. Null: 0.97 under 20,000
    /// steps, 0.99 under 200,000, otherwise 0.996 (the authors' for 40, for 100 and 300, and for 1,000 epochs on ImageNet).
    /// </summary>
    public double? Momentum { get; init; }

    /// <summary>Width of the hidden layer of projector and predictor. Null: twice the encoder's feature size, at most 4,096.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>Length of projection and prediction. The default value is 256.</summary>
    public int ProjectionSize { get; init; } = 256;

    /// <summary>
    /// What stands behind the hidden layer of projector and predictor. The default value is <see cref="HeadNorm.Batch"/>. Without any, a
    /// network may collapse (Richemond et al. 2020, "BYOL works even without batch statistics"), by its start, they say: <see cref="HeadNorm.FirstBatch"/>; their network without batch statistics has
    /// <see cref="HeadNorm.Group"/> here, and <see cref="EncoderNorm.GroupWithStandardizedWeights"/> in the encoder.
    /// </summary>
    public HeadNorm HeadNorm { get; init; } = HeadNorm.Batch;

    /// <summary>A bias in the last layer of projector and predictor. The default value is false, as in the released code.</summary>
    public bool OutputBias { get; init; }

    /// <summary>
    /// True, the default: the target network starts as a copy of the online network. False: with random weights of its own,
    /// as the released code draws them, also where Fit goes on from an earlier encoder.
    /// </summary>
    public bool TargetStartsAsCopy { get; init; } = true;

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        RequireViews(2);
        SettingChecks.Projector(layers: null, HiddenSize, ProjectionSize);
        SettingChecks.Momentum(Momentum);
        if (!Enum.IsDefined(HeadNorm))
            throw new ArgumentOutOfRangeException(nameof(HeadNorm), HeadNorm, "Choose HeadNorm.Batch, Group, FirstBatch or None.");
        if (HeadNorm is HeadNorm.Batch or HeadNorm.FirstBatch && batchSize < 2)
            throw new ArgumentOutOfRangeException(nameof(batchSize), batchSize, "Batch norm in the heads needs batches of at least two.");
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Optimizer: LARS (decay 1.5e-6) from batches of 1,024 up, otherwise SGD (decay 5e-4). Rate, scaled linearly: 0.2 for LARS with 10
    /// epochs of warm-up, 0.12 for SGD with one.
    /// </remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        bool large = facts.BatchSize >= 1024;
        return this with
        {
            Augmentations = Augmentations ?? [facts.AtThisSize(ImageAugmentations.ByolFirst), facts.AtThisSize(ImageAugmentations.ByolSecond)],
            Optimizer = Optimizer ?? (large ? new Lars { WeightDecay = 1.5e-6 } : new Sgd { WeightDecay = 5e-4 }),
            LearningRate = LearningRate ?? (large ? new(0.2, WarmupEpochs: 10) : new(0.12, WarmupEpochs: 1)),
            Momentum = Momentum ?? (facts.TotalSteps < 20_000 ? 0.97 : facts.TotalSteps < 200_000 ? 0.99 : 0.996),
            HiddenSize = HiddenSize ?? Math.Min(4096, 2 * facts.FeatureSize),
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new ByolLearner(this, setup);
}

/// <summary>Online and target network of <see cref="Byol"/>.</summary>
internal sealed class ByolLearner : Learner
{
    private readonly nn.Module<Tensor, Tensor> encoder, projector, predictor, target_encoder, target_projector;

    public ByolLearner(Byol method, LearnerSetup setup)
        : base(nameof(Byol))
    {
        (encoder, projector) = (setup.CreateEncoder(), CreateHead(setup.FeatureSize));
        predictor = CreateHead(method.ProjectionSize);
        (target_encoder, target_projector) = (setup.CreateEncoder(), CreateHead(setup.FeatureSize));
        RegisterComponents();
        Func<long, long, double> momentum = MomentumSchedule.CosineToOne(method.Momentum!.Value);
        MomentumPairs =
        [
            new(encoder, target_encoder, momentum, MomentumTiming.AfterStep) { StartsAsCopy = method.TargetStartsAsCopy },
            new(projector, target_projector, momentum, MomentumTiming.AfterStep) { StartsAsCopy = method.TargetStartsAsCopy },
        ];

        nn.Module<Tensor, Tensor> CreateHead(int inputs) => Mlp.Create(
            inputs, method.HiddenSize!.Value, method.ProjectionSize, layers: 2,
            new MlpForm(HiddenNorm: method.HeadNorm != HeadNorm.None, HiddenBias: true, method.OutputBias) { Norm = method.HeadNorm },
            setup.Generator);
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override IReadOnlyList<MomentumPair> MomentumPairs { get; }

    public override Tensor Loss(Views views, Step step)
    {
        Tensor projection1 = projector.forward(encoder.forward(views[0])), projection2 = projector.forward(encoder.forward(views[1]));
        step.Embedding = projection1;
        return NormalizedDistance.Symmetric(
            predictor.forward(projection1), predictor.forward(projection2), Target(views[0]), Target(views[1]));
    }

    /// <summary>0: all representations the same.</summary>
    public override double? FlatLoss(long rows) => 0;

    private Tensor Target(Tensor view)
    {
        using var noGradient = no_grad();
        return target_projector.forward(target_encoder.forward(view));
    }
}
