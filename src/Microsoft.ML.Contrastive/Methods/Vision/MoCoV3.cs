using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// MoCo v3 (Chen, Xie, He 2021, "An empirical study of training self-supervised vision transformers"): a predicted query of each
/// view finds the momentum network's key of the other view among the keys of the batch. No queue; a predictor as in BYOL,
/// and for vision transformers a patch projection that stays random.
/// </summary>
public sealed record MoCoV3 : ContrastiveMethod
{
    /// <summary>The published settings of 300 epochs of ResNet-50 on ImageNet: temperature 1, heads 4,096-256, momentum from 0.99 to 1, LARS with base rate 0.3 and decay 1e-6, 10 epochs of warm-up.</summary>
    public static MoCoV3 Paper { get; } = new()
    {
        Augmentations =
        [
            ImageAugmentations.ByolFirst with { Crop = new RandomResizedCrop(0.2, 1) },
            ImageAugmentations.ByolSecond with { Crop = new RandomResizedCrop(0.2, 1) },
        ],
        Temperature = 1,
        ProjectorLayers = 2,
        HiddenSize = 4096,
        PredictorOutputNorm = false,
        Momentum = 0.99,
        Optimizer = new Lars { WeightDecay = 1e-6 },
        LearningRate = new(0.3, WarmupEpochs: 10),
    };

    /// <summary>The published settings of 300 epochs of vision transformers on ImageNet: temperature 0.2, 3-layer projector, momentum from 0.99 to 1, AdamW with base rate 1.5e-4 and decay 0.1, 40 epochs of warm-up.</summary>
    public static MoCoV3 PaperViT { get; } = Paper with
    {
        Augmentations = [ImageAugmentations.ByolFirst, ImageAugmentations.ByolSecond],
        Temperature = 0.2,
        ProjectorLayers = 3,
        PredictorOutputNorm = true,
        Optimizer = new AdamW { WeightDecay = 0.1 },
        LearningRate = new(1.5e-4, WarmupEpochs: 40),
    };

    /// <summary>t of <see cref="BatchInfoNce"/>, above 0. The default value is 0.2 (the paper: 0.2 for ViT, 1 for ResNet-50 with batches of 4,096).</summary>
    public double Temperature { get; init; } = 0.2;

    /// <summary>m of the momentum network at the first step, 0 to 1. Null: 0.99 under 200,000 steps, otherwise 0.996 (the authors' for 300 and for 1,000 epochs on ImageNet).</summary>
    public double? Momentum { get; init; }

    /// <summary>True, the default: m rises to 1 along half a cosine. False: it stays.</summary>
    public bool MomentumRises { get; init; } = true;

    /// <summary>Linear layers of the projector, at least 1. Null: 3 for a <see cref="VisionTransformer"/>, otherwise 2.</summary>
    public int? ProjectorLayers { get; init; }

    /// <summary>Width of the hidden layers of projector and predictor. Null: twice the encoder's feature size, at most 4,096.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>Length of query and key. The default value is 256.</summary>
    public int ProjectionSize { get; init; } = 256;

    /// <summary>Batch norm without scale and shift behind the predictor, as it always is behind the projector. Null: for a <see cref="VisionTransformer"/> alone.</summary>
    public bool? PredictorOutputNorm { get; init; }

    /// <summary>
    /// True, the default: a <see cref="VisionTransformer"/>'s patch projection keeps its first weights, which the paper found to keep
    /// training stable (section 4.2). Other encoders have none, and nothing is kept.
    /// </summary>
    public bool FreezePatchProjection { get; init; } = true;

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        RequireViews(2);
        ShapeCheck.Positive(Temperature);
        SettingChecks.Projector(ProjectorLayers, HiddenSize, ProjectionSize);
        SettingChecks.Momentum(Momentum);
        if (batchSize < 2)
            throw new ArgumentOutOfRangeException(nameof(batchSize), batchSize, "Batch norm and negatives from the batch need at least two examples.");
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Optimizer: AdamW (decay 0.1) for a vision transformer; otherwise LARS (decay 1e-6) from batches of 1,024 up, SGD (decay 5e-4)
    /// below. Rate, scaled linearly: 1.5e-4 for AdamW with 40 epochs of warm-up, 0.3 for LARS with 10, 0.12 for SGD with one.
    /// </remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        bool transformer = facts.Encoder is VisionTransformer, large = facts.BatchSize >= 1024;
        return this with
        {
            Augmentations = Augmentations ?? [facts.AtThisSize(ImageAugmentations.ByolFirst), facts.AtThisSize(ImageAugmentations.ByolSecond)],
            Optimizer = Optimizer ?? (transformer ? PaperViT.Optimizer : large ? Paper.Optimizer : new Sgd { WeightDecay = 5e-4 }),
            LearningRate = LearningRate ?? (transformer ? PaperViT.LearningRate : large ? Paper.LearningRate : new(0.12, WarmupEpochs: 1)),
            Momentum = Momentum ?? (facts.TotalSteps < 200_000 ? 0.99 : 0.996),
            ProjectorLayers = ProjectorLayers ?? (transformer ? 3 : 2),
            HiddenSize = HiddenSize ?? Math.Min(4096, 2 * facts.FeatureSize),
            PredictorOutputNorm = PredictorOutputNorm ?? transformer,
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new MoCoV3Learner(this, setup);
}

/// <summary>Query and key networks of <see cref="MoCoV3"/>.</summary>
internal sealed class MoCoV3Learner : Learner, IChunkedLearner
{
    private readonly nn.Module<Tensor, Tensor> encoder, projector, predictor, target_encoder, target_projector;
    private readonly MoCoV3 _method;

    public MoCoV3Learner(MoCoV3 method, LearnerSetup setup)
        : base(nameof(MoCoV3))
    {
        _method = method;
        int projectorLayers = method.ProjectorLayers!.Value;
        (encoder, projector) = (setup.CreateEncoder(), CreateHead(setup.FeatureSize, projectorLayers, outputNorm: true));
        predictor = CreateHead(method.ProjectionSize, layers: 2, method.PredictorOutputNorm!.Value);
        (target_encoder, target_projector) = (setup.CreateEncoder(), CreateHead(setup.FeatureSize, projectorLayers, outputNorm: true));
        RegisterComponents();
        if (method.FreezePatchProjection && encoder is VisionTransformerModule transformer)
            transformer.FreezePatchProjection();
        double start = method.Momentum!.Value;
        Func<long, long, double> momentum = method.MomentumRises ? MomentumSchedule.CosineToOne(start) : MomentumSchedule.Constant(start);
        MomentumPairs =
        [
            new(encoder, target_encoder, momentum, MomentumTiming.BeforeLoss),
            new(projector, target_projector, momentum, MomentumTiming.BeforeLoss),
        ];

        nn.Module<Tensor, Tensor> CreateHead(int inputs, int layers, bool outputNorm) => Mlp.Create(
            inputs, method.HiddenSize!.Value, method.ProjectionSize, layers,
            new MlpForm(HiddenNorm: true, HiddenBias: false, OutputBias: false, outputNorm), setup.Generator);
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override IReadOnlyList<MomentumPair> MomentumPairs { get; }

    public override Tensor Loss(Views views, Step step) => Contrast(Represent(views, step, chunk: 0), views, step);

    /// <summary>The queries of both views, then their keys.</summary>
    public IReadOnlyList<Tensor> Represent(Views views, Step step, int chunk) => [Query(views[0]), Query(views[1]), Key(views[0]), Key(views[1])];

    public Tensor Contrast(IReadOnlyList<Tensor> representations, Views views, Step step)
    {
        step.Embedding = representations[0];
        return BatchInfoNce.Symmetric(representations[0], representations[1], representations[2].detach(), representations[3].detach(), _method.Temperature);
    }

    public override double? FlatLoss(long rows) => BatchInfoNce.FlatLoss(rows, _method.Temperature);

    private Tensor Query(Tensor view) => predictor.forward(projector.forward(encoder.forward(view)));

    private Tensor Key(Tensor view)
    {
        using var noGradient = no_grad();
        return target_projector.forward(target_encoder.forward(view));
    }
}
