using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// MoCo v2 (Chen, Fan, Girshick, He 2020, "Improved baselines with momentum contrastive learning"): a query finds the key of
/// its other view among a queue of earlier keys, which a slowly moving copy of the encoder made. The queue gives many
/// negatives to small batches; v2 adds SimCLR's MLP head, blur, and the cosine schedule to He et al. 2020.
/// </summary>
public sealed record MoCoV2 : ContrastiveMethod
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

    /// <summary>t of <see cref="InfoNce"/>, above 0. The default value is 0.2.</summary>
    public double Temperature { get; init; } = 0.2;

    /// <summary>K, keys in the queue; need not be a multiple of the batch. Null: the largest power of two within an eighth of the rows, from the batch size to 65,536.</summary>
    public int? QueueLength { get; init; }

    /// <summary>m of the momentum encoder, 0 to 1. Null: 0.999 for runs of 50,000 steps and more, otherwise 0.99.</summary>
    public double? Momentum { get; init; }

    /// <summary>Linear layers of the projector, at least 1. The default value is 2, v2's MLP head.</summary>
    public int ProjectorLayers { get; init; } = 2;

    /// <summary>Width of the projector's hidden layers. Null: the encoder's feature size.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>Length of query and key. The default value is 128.</summary>
    public int ProjectionSize { get; init; } = 128;

    /// <summary>
    /// Groups of rows with batch-norm statistics of their own, in both encoders; the batch must be a multiple. Null: the
    /// largest of 8, 4, 2 and 1 that divides the batch into groups of at least 16 rows.
    /// </summary>
    public int? NormGroups { get; init; }

    /// <summary>
    /// True, the default: keys are shuffled before they are dealt out to the groups and put back after, so that a query's
    /// key never shares its group's statistics by construction (He et al. 2020, section 3.3).
    /// </summary>
    public bool ShuffleKeys { get; init; } = true;

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        RequireViews(2);
        ShapeCheck.Positive(Temperature);
        SettingChecks.Projector(ProjectorLayers, HiddenSize, ProjectionSize);
        SettingChecks.Momentum(Momentum);
        if (QueueLength < 1)
            throw new ArgumentOutOfRangeException(nameof(QueueLength), QueueLength, "The queue needs at least one key.");
        if (NormGroups < 1 || batchSize % (NormGroups ?? 1) != 0 || batchSize == NormGroups)
            throw new ArgumentOutOfRangeException(nameof(NormGroups), NormGroups, $"The batch of {batchSize} must be a multiple of the groups, with at least two rows each.");
    }

    /// <inheritdoc/>
    /// <remarks>Optimizer: SGD (decay 5e-4 under 64 pixels, otherwise 1e-4). Rate: 0.12 under 64 pixels, otherwise 0.03, scaled linearly, no warm-up.</remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        ImageAugmentation view = facts.AtThisSize(ImageAugmentations.MoCoV2);
        return this with
        {
            Augmentations = Augmentations ?? [view, view],
            Optimizer = Optimizer ?? new Sgd { WeightDecay = facts.SmallImages ? 5e-4 : 1e-4 },
            LearningRate = LearningRate ?? new(facts.SmallImages ? 0.12 : 0.03),
            QueueLength = QueueLength ?? (int)Math.Max(facts.BatchSize, Math.Min(PowerOfTwoWithin(facts.Rows / 8), 65_536)),
            Momentum = Momentum ?? (facts.TotalSteps >= 50_000 ? 0.999 : 0.99),
            HiddenSize = HiddenSize ?? facts.FeatureSize,
            NormGroups = NormGroups ?? new[] { 8, 4, 2 }.FirstOrDefault(groups => facts.BatchSize % groups == 0 && facts.BatchSize / groups >= 16, 1),
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new MoCoV2Learner(this, setup);

    private static long PowerOfTwoWithin(long number) => number < 1 ? 1 : 1L << (int)Math.Log2(number);
}

/// <summary>Query and key networks and the queue of <see cref="MoCoV2"/>.</summary>
internal sealed class MoCoV2Learner : Learner
{
    private readonly nn.Module<Tensor, Tensor> encoder, projector, target_encoder, target_projector;
    private readonly KeyQueue queue;
    private readonly MoCoV2 _method;
    private Tensor? _keys;

    public MoCoV2Learner(MoCoV2 method, LearnerSetup setup)
        : base(nameof(MoCoV2))
    {
        _method = method;
        (encoder, projector) = (setup.CreateEncoder(), CreateProjector());
        (target_encoder, target_projector) = (setup.CreateEncoder(), CreateProjector());
        queue = new KeyQueue(method.QueueLength!.Value, method.ProjectionSize, setup.Generator);
        RegisterComponents();
        BatchNorm.SplitAll(this, method.NormGroups!.Value);
        Func<long, long, double> momentum = MomentumSchedule.Constant(method.Momentum!.Value);
        MomentumPairs =
        [
            new(encoder, target_encoder, momentum, MomentumTiming.BeforeLoss),
            new(projector, target_projector, momentum, MomentumTiming.BeforeLoss),
        ];

        nn.Module<Tensor, Tensor> CreateProjector() => Mlp.Create(
            setup.FeatureSize, method.HiddenSize!.Value, method.ProjectionSize, method.ProjectorLayers,
            new MlpForm(HiddenNorm: false, HiddenBias: true, OutputBias: true), setup.Generator);
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override IReadOnlyList<MomentumPair> MomentumPairs { get; }

    public override Tensor Loss(Views views, Step step)
    {
        Tensor query = projector.forward(encoder.forward(views[0]));
        _keys = Keys(views[1], step);
        step.Embedding = query;
        return InfoNce.Loss(query, _keys, queue.Keys, _method.Temperature);
    }

    public override void AfterStep(Step step) => queue.Enqueue(_keys!);

    public override double? FlatLoss(long rows) => InfoNce.FlatLoss(queue.Keys.shape[0]);

    /// <summary>Unit keys [N, D] from the momentum network, in the order of the view's rows.</summary>
    private Tensor Keys(Tensor view, Step step)
    {
        using var noGradient = no_grad();
        if (!_method.ShuffleKeys || _method.NormGroups == 1)
            return Project(view);

        long[] order = [.. Enumerable.Range(0, (int)view.shape[0])];
        new SeededRandom(step.Seed, (ulong)step.Index, ulong.MaxValue, 1).Shuffle(order.AsSpan());
        Tensor shuffled = tensor(order, device: view.device);
        return Project(view.index_select(0, shuffled)).index_select(0, shuffled.argsort());

        Tensor Project(Tensor rows) => nn.functional.normalize(target_projector.forward(target_encoder.forward(rows)));
    }
}
