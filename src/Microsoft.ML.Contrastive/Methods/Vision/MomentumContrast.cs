using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// What the versions 1 and 2 of MoCo share (He, Fan, Wu, Xie, Girshick 2020, "Momentum contrast for unsupervised visual
/// representation learning"): a query finds the key of its other view among a queue of earlier keys, which a slowly moving
/// copy of the encoder made. They differ in projector, views and temperature.
/// </summary>
public abstract record MomentumContrast : ContrastiveMethod
{
    private protected MomentumContrast(double temperature) => Temperature = temperature;

    /// <summary>t of <see cref="InfoNce"/>, above 0. The default value is 0.07 in v1 and 0.2 in v2.</summary>
    public double Temperature { get; init; }

    /// <summary>K, keys in the queue; need not be a multiple of the batch. Null: the largest power of two within an eighth of the rows, from the batch size to 65,536.</summary>
    public int? QueueLength { get; init; }

    /// <summary>m of the momentum encoder, 0 to 1. Null: 0.999 for runs of 50,000 steps and more, otherwise 0.99.</summary>
    public double? Momentum { get; init; }

    /// <summary>Length of query and key. The default value is 128.</summary>
    public int ProjectionSize { get; init; } = 128;

    /// <summary>
    /// Groups of rows with batch-norm statistics of their own, in both encoders; the batch must be a multiple. Null: the largest divisor of the batch up to 8
    /// that leaves groups of at least 16 rows, or of at least 4 where none does. A batch without one, such as 7 or a prime number, is one group: then a key
    /// shares its query's statistics, and nothing prevents that they betray it.
    /// </summary>
    public int? NormGroups { get; init; }

    /// <summary>
    /// True, the default: keys are shuffled before they are dealt out to the groups and put back after, so that a query's
    /// key never shares its group's statistics by construction (He et al. 2020, section 3.3).
    /// </summary>
    public bool ShuffleKeys { get; init; } = true;

    /// <summary>
    /// True: each view is once query and once key, both directions are compared with the queue as it was before the step, their losses averaged, and both views' keys enter it
    /// (the authors' demo on CIFAR-10). A step takes twice the time. The default value is false, the paper's.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] // checkpoints of before have it not
    public bool Symmetric { get; init; }

    /// <summary>The views of both sides as published.</summary>
    private protected abstract ImageAugmentation PublishedView { get; }

    /// <summary>A new projector with random weights, on a resolved record.</summary>
    internal abstract nn.Module<Tensor, Tensor> CreateProjector(LearnerSetup setup);

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        RequireViews(2);
        ShapeCheck.Positive(Temperature);
        SettingChecks.Projector(layers: null, hiddenSize: null, ProjectionSize);
        SettingChecks.Momentum(Momentum);
        if (QueueLength < 1)
            throw new ArgumentOutOfRangeException(nameof(QueueLength), QueueLength, "The queue needs at least one key.");
        if (NormGroups < 1 || batchSize % (NormGroups ?? 1) != 0 || batchSize == NormGroups)
            throw new ArgumentOutOfRangeException(nameof(NormGroups), NormGroups, $"The batch of {batchSize} must be a multiple of the groups, with at least two rows each.");
    }

    /// <inheritdoc/>
    /// <remarks>Optimizer: SGD (decay 5e-4 under 64 pixels, otherwise 1e-4). Rate, scaled linearly: 0.06 with one epoch of warm-up under 64 pixels (0.12 without one collapsed on Fashion-MNIST), otherwise 0.03 without.</remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        ImageAugmentation view = facts.AtThisSize(PublishedView);
        return this with
        {
            Augmentations = Augmentations ?? [view, view],
            Optimizer = Optimizer ?? new Sgd { WeightDecay = facts.SmallImages ? 5e-4 : 1e-4 },
            LearningRate = LearningRate ?? (facts.SmallImages ? new(0.06, WarmupEpochs: 1) : new(0.03)),
            QueueLength = QueueLength ?? (int)Math.Max(facts.BatchSize, Math.Min(PowerOfTwoWithin(facts.Rows / 8), 65_536)),
            Momentum = Momentum ?? (facts.TotalSteps >= 50_000 ? 0.999 : 0.99),
            NormGroups = NormGroups ?? Groups(facts.BatchSize, leastRows: 16) ?? Groups(facts.BatchSize, leastRows: 4) ?? 1,
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new MomentumContrastLearner(this, setup);

    private static int? Groups(int batch, int leastRows) => Enumerable.Range(2, 7).Reverse().Select(groups => (int?)groups).FirstOrDefault(groups => batch % groups == 0 && batch / groups >= leastRows);

    private static long PowerOfTwoWithin(long number) => number < 1 ? 1 : 1L << (int)Math.Log2(number);
}

/// <summary>Query and key networks and the queue of <see cref="MomentumContrast"/>.</summary>
internal sealed class MomentumContrastLearner : Learner
{
    private readonly nn.Module<Tensor, Tensor> encoder, projector, target_encoder, target_projector;
    private readonly KeyQueue queue;
    private readonly MomentumContrast _method;
    private Tensor? _keys;

    public MomentumContrastLearner(MomentumContrast method, LearnerSetup setup)
        : base(nameof(MomentumContrast))
    {
        _method = method;
        (encoder, projector) = (setup.CreateEncoder(), method.CreateProjector(setup));
        (target_encoder, target_projector) = (setup.CreateEncoder(), method.CreateProjector(setup));
        queue = new KeyQueue(method.QueueLength!.Value, method.ProjectionSize, setup.Generator);
        RegisterComponents();
        BatchNorm.SplitAll(this, method.NormGroups!.Value);
        Func<long, long, double> momentum = MomentumSchedule.Constant(method.Momentum!.Value);
        MomentumPairs =
        [
            new(encoder, target_encoder, momentum, MomentumTiming.BeforeLoss),
            new(projector, target_projector, momentum, MomentumTiming.BeforeLoss),
        ];
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override IReadOnlyList<MomentumPair> MomentumPairs { get; }

    public override Tensor Loss(Views views, Step step)
    {
        (Tensor loss, Tensor query, Tensor keys) = Direction(views, 0, 1, step);
        (step.Embedding, _keys) = (query, keys);
        if (!_method.Symmetric)
            return loss;
        (Tensor other, _, Tensor otherKeys) = Direction(views, 1, 0, step);
        _keys = cat([otherKeys, keys]);
        return loss.Plus(other).Over(2);
    }

    public override void AfterStep(Step step) => queue.Enqueue(_keys!);

    public override double? FlatLoss(long rows) => InfoNce.FlatLoss(queue.Keys.shape[0]);

    private (Tensor Loss, Tensor Query, Tensor Keys) Direction(Views views, int asking, int asked, Step step)
    {
        Tensor query = projector.forward(encoder.forward(views[asking])), keys = Keys(views[asked], asked, step);
        return (InfoNce.Loss(query, keys, queue.Keys, _method.Temperature), query, keys);
    }

    /// <summary>Unit keys [N, D] from the momentum network, in the order of the view's rows.</summary>
    private Tensor Keys(Tensor view, int number, Step step)
    {
        using var noGradient = no_grad();
        if (!_method.ShuffleKeys || _method.NormGroups == 1)
            return Project(view);

        long[] order = [.. Enumerable.Range(0, (int)view.shape[0])];
        new SeededRandom(step.Seed, (ulong)step.Index, ulong.MaxValue, (ulong)number).Shuffle(order.AsSpan());
        Tensor shuffled = tensor(order, device: view.device);
        return Project(view.index_select(0, shuffled)).index_select(0, shuffled.argsort());

        Tensor Project(Tensor rows) => nn.functional.normalize(target_projector.forward(target_encoder.forward(rows)));
    }
}
