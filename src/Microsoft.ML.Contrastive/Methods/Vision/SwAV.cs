using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// SwAV (Caron, Misra, Mairal, Goyal, Bojanowski, Joulin 2020, "Unsupervised learning of visual features by contrasting cluster
/// assignments"): each large view is assigned to prototypes so that all get their share of the batch, and every other view is to predict
/// that assignment. No pairs are compared, so small batches do; many small views make it see more of each picture.
/// </summary>
public sealed record SwAV : ContrastiveMethod
{
    /// <summary>
    /// The published settings of batches of 4,096 on ImageNet: 2 views of 224 and 6 of 96 pixels, 3,000 prototypes, heads 2,048-128, LARS with base rate
    /// 0.3, which falls to a thousandth, and decay 1e-6, 10 epochs of warm-up (here from 0; the released code's starts above it).
    /// </summary>
    public static SwAV Paper { get; } = new()
    {
        Augmentations = [ImageAugmentations.SwavGlobal, ImageAugmentations.SwavGlobal, .. Enumerable.Repeat(ImageAugmentations.SwavLocal with { Size = 96 }, 6)],
        Prototypes = 3000,
        HiddenSize = 2048,
        QueueLength = 0,
        Optimizer = new Lars { WeightDecay = 1e-6 },
        LearningRate = new(0.3, WarmupEpochs: 10) { Schedule = new CosineRate(0.001) },
    };

    /// <summary>The published settings of batches of 256: <see cref="Paper"/> with base rate 0.6, no warm-up, and a queue of 3,840.</summary>
    public static SwAV PaperSmallBatch { get; } = Paper with { QueueLength = 3840, LearningRate = new(0.6) { Schedule = new CosineRate(0.001) } };

    /// <summary>
    /// K, at least 2 and at most the rows. Null: a two-hundredth of the rows, from 10 to 3,000 (the paper's on ImageNet), which is some
    /// hundred for tens of thousands of pictures.
    /// </summary>
    public int? Prototypes { get; init; }

    /// <summary>t of the predictions' softmax, above 0. The default value is 0.1.</summary>
    public double Temperature { get; init; } = 0.1;

    /// <summary>e of <see cref="Sinkhorn"/>, above 0. The default value is 0.05.</summary>
    public double Epsilon { get; init; } = 0.05;

    /// <summary>Iterations of <see cref="Sinkhorn"/>, at least 1. The default value is 3.</summary>
    public int SinkhornIterations { get; init; } = 3;

    /// <summary>
    /// Earlier projections of each large view that are assigned together with the batch's, at least 0, so that a small batch is not
    /// made to fill all prototypes by itself; 0 for none. Null: 0 where a batch has as many rows as there are prototypes, otherwise whole
    /// batches, so that both together have 1.25 K rows or more (the paper: 4,096 for 3,000).
    /// </summary>
    public int? QueueLength { get; init; }

    /// <summary>The first step that uses the queue, at least 0; never before it is full. Null: after 15 epochs, as published, or after a tenth of a run with fewer than 150.</summary>
    public long? QueueStartStep { get; init; }

    /// <summary>Steps at the start in which the prototypes stay, at least 0. Null: one epoch, as published, at most a tenth of the run.</summary>
    public long? FrozenPrototypeSteps { get; init; }

    /// <summary>Linear layers of the projector, at least 1, with batch norm behind the hidden ones. The default value is 2.</summary>
    public int ProjectorLayers { get; init; } = 2;

    /// <summary>Width of the projector's hidden layers. Null: the encoder's feature size.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>Length of projection and prototypes. The default value is 128.</summary>
    public int ProjectionSize { get; init; } = 128;

    /// <summary>
    /// True, the default: views of one size pass the network as one batch, so that batch norm sees them together, as published. False: each by itself.
    /// </summary>
    public bool JointForward { get; init; } = true;

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        MultiCrop.Check(this);
        ArgumentOutOfRangeException.ThrowIfLessThan(Prototypes ?? 2, 2, nameof(Prototypes));
        ShapeCheck.Positive(Temperature);
        ShapeCheck.Positive(Epsilon);
        ArgumentOutOfRangeException.ThrowIfLessThan(SinkhornIterations, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(QueueLength ?? 0, nameof(QueueLength));
        ArgumentOutOfRangeException.ThrowIfNegative(QueueStartStep ?? 0, nameof(QueueStartStep));
        ArgumentOutOfRangeException.ThrowIfNegative(FrozenPrototypeSteps ?? 0, nameof(FrozenPrototypeSteps));
        SettingChecks.Projector(ProjectorLayers, HiddenSize, ProjectionSize);
        if (batchSize < 2)
            throw new ArgumentOutOfRangeException(nameof(batchSize), batchSize, "Assignments are shared out among the rows of a batch: at least two are needed.");
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Views: two of 14 to 100 % of the area, and from 64 pixels up six of 5 to 14 % with 3/7 of the side. Optimizer: LARS (decay 1e-6)
    /// from batches of 1,024 up, base rate 0.3, scaled linearly, 10 epochs of warm-up; below, Adam with rate 1e-3 and one epoch.
    /// </remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        bool large = facts.BatchSize >= 1024;
        int prototypes = Prototypes ?? (int)Math.Clamp(facts.Rows / 200, Math.Min(10, facts.Rows), 3000);
        if (prototypes > facts.Rows)
            throw new ArgumentException($"{prototypes} prototypes can't each have their share of {facts.Rows} rows: lower Prototypes of {nameof(SwAV)}.", nameof(Prototypes));
        ImageAugmentation global = ImageAugmentations.SwavGlobal;
        return this with
        {
            Augmentations = Augmentations ?? MultiCrop.Recipes(facts, AtStrength(global), AtStrength(global), AtStrength(ImageAugmentations.SwavLocal), count: 6),
            Optimizer = Optimizer ?? (large ? Paper.Optimizer : new AdamW()),
            LearningRate = LearningRate ?? (large ? Paper.LearningRate : new(1e-3, WarmupEpochs: 1, RateScaling.None)),
            Prototypes = prototypes,
            QueueLength = QueueLength ?? QueueFor(prototypes, facts.BatchSize),
            QueueStartStep = QueueStartStep ?? Math.Min(15 * facts.StepsPerEpoch, facts.TotalSteps / 10),
            FrozenPrototypeSteps = FrozenPrototypeSteps ?? Math.Min(facts.StepsPerEpoch, facts.TotalSteps / 10),
            HiddenSize = HiddenSize ?? facts.FeatureSize,
        };

        // As SimCLR's, whose views these are but for the crop: half the jitter on small pictures.
        ImageAugmentation AtStrength(ImageAugmentation view) => facts.SmallImages ? view with { Jitter = ImageAugmentations.SimClr(strength: 0.5).Jitter } : view;
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new SwAVLearner(this, setup);

    private static int QueueFor(int prototypes, int batchSize)
        => batchSize >= prototypes ? 0 : (int)Math.Ceiling((1.25 * prototypes - batchSize) / batchSize) * batchSize;
}

/// <summary>Encoder, projector, prototypes and the queues of <see cref="SwAV"/>.</summary>
internal sealed class SwAVLearner : Learner
{
    private readonly nn.Module<Tensor, Tensor> encoder, projector;
    private readonly Prototypes prototypes;
    private readonly KeyQueue? queue1, queue2;
    private readonly SwAV _method;
    private Tensor[] _projections = [];

    public SwAVLearner(SwAV method, LearnerSetup setup)
        : base(nameof(SwAV))
    {
        _method = method;
        encoder = setup.CreateEncoder();
        projector = Mlp.Create(
            setup.FeatureSize, method.HiddenSize!.Value, method.ProjectionSize, method.ProjectorLayers,
            new MlpForm(HiddenNorm: true, HiddenBias: true, OutputBias: true), setup.Generator);
        prototypes = new Prototypes(method.Prototypes!.Value, method.ProjectionSize, setup.Generator);
        register_module(nameof(encoder), encoder);
        register_module(nameof(projector), projector);
        register_module(nameof(prototypes), prototypes);
        if (method.QueueLength is not > 0)
            return;
        queue1 = new KeyQueue(method.QueueLength.Value, method.ProjectionSize, setup.Generator);
        queue2 = new KeyQueue(method.QueueLength.Value, method.ProjectionSize, setup.Generator);
        register_module(nameof(queue1), queue1);
        register_module(nameof(queue2), queue2);
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step)
    {
        prototypes.MakeUnit();
        _projections = views.Projected(view => projector.forward(encoder.forward(view)), MultiCrop.GlobalViews, _method.JointForward);
        step.Embedding = _projections[0];
        Tensor[] scores = [.. _projections.Select(prototypes.Scores)];
        bool usesQueue = UsesQueue(step, views.Rows);
        return CrossViewEntropy.Loss([Assign(scores[0], queue1), Assign(scores[1], queue2)], scores, _method.Temperature);

        Tensor Assign(Tensor view, KeyQueue? queue) => Sinkhorn.Assign(
            view, _method.Epsilon, _method.SinkhornIterations, further: usesQueue ? prototypes.Scores(queue!.Keys).detach() : null);
    }

    /// <summary>The loss saw earlier batches in the queue; this one enters it now, as unit rows.</summary>
    public override void AfterStep(Step step)
    {
        queue1?.Enqueue(nn.functional.normalize(_projections[0]));
        queue2?.Enqueue(nn.functional.normalize(_projections[1]));
    }

    public override double? FlatLoss(long rows) => CrossViewEntropy.FlatLoss(_method.Prototypes!.Value);

    public override long FrozenSteps(string parameterName)
        => parameterName.StartsWith(nameof(prototypes), StringComparison.Ordinal) ? _method.FrozenPrototypeSteps!.Value : 0;

    /// <summary>From the step that was chosen, and once no random row of the queue's start is left.</summary>
    private bool UsesQueue(Step step, long rows)
        => queue1 is not null && step.Index >= _method.QueueStartStep && step.Index * rows >= _method.QueueLength;
}
