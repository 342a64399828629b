using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// SimCLR v2 (Chen, Kornblith, Swersky, Norouzi, Hinton 2020b, "Big self-supervised models are strong semi-supervised learners"): SimCLR with
/// wider and deeper encoders, a projector of three layers whose first layer is kept, and optionally a memory. What is pretrained is then fine-tuned on few
/// labels, from that kept layer, and distilled: see docs/fine-tune.md.
/// </summary>
/// <remarks>
/// The fitted encoder is an <see cref="EncoderWithHead"/>: its features are the backbone's, or the kept layer's by <see cref="FeaturesFrom"/>, and
/// the zip has the weights of both. Fine-tuning starts from the kept layer either way.
/// </remarks>
public sealed record SimClrV2 : SimClr
{
    /// <summary>The published ImageNet settings: temperature 0.1, LARS, rate 0.1 times the batch's root, decay 1e-4, 5 % of 800 epochs of warm-up, no memory.</summary>
    public static SimClrV2 Paper { get; } = new()
    {
        Augmentations = TwoViews(ImageAugmentations.SimClr()),
        Temperature = 0.1,
        Optimizer = new Lars { WeightDecay = 1e-4 },
        LearningRate = new(0.1, WarmupEpochs: 40, RateScaling.SquareRoot),
    };

    /// <summary>SimCLR v2 with its projector of three layers.</summary>
    public SimClrV2()
        : base(projectorLayers: 3)
    {
    }

    /// <summary>Where the fitted encoder's features come from. The default value is <see cref="FeatureLayer.Backbone"/>.</summary>
    public FeatureLayer FeaturesFrom { get; init; } = FeatureLayer.Backbone;

    /// <summary>
    /// K, earlier projections by a momentum network that are further negatives of every row (section 2, after MoCo), at least 0. The default value
    /// is 0: no memory, and no second network. The paper's is 65,536 and gains about a point where batches are large already.
    /// </summary>
    public int MemoryLength { get; init; }

    /// <summary>m of the memory's network, 0 to 1. Null: 0.999 for runs of 50,000 steps and more, otherwise 0.99.</summary>
    public double? Momentum { get; init; }

    private protected override (Lars Optimizer, LearningRate Rate) LargeBatches
        => (new Lars { WeightDecay = 1e-4 }, new(0.1, WarmupEpochs: 1, RateScaling.SquareRoot));

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        if (ProjectorLayers < 2)
            throw new ArgumentOutOfRangeException(nameof(ProjectorLayers), ProjectorLayers, "SimClrV2 keeps the projector's first layer and so needs at least two: take SimClrV1 for a linear projector.");
        if (!Enum.IsDefined(FeaturesFrom))
            throw new ArgumentOutOfRangeException(nameof(FeaturesFrom), FeaturesFrom, "Choose FeatureLayer.Backbone or FeatureLayer.Middle.");
        ArgumentOutOfRangeException.ThrowIfNegative(MemoryLength);
        SettingChecks.Momentum(Momentum);
        if (HiddenSize > EncoderWithHead.MaxHeadSize)
            throw new ArgumentOutOfRangeException(nameof(HiddenSize), HiddenSize, $"The projector's first layer stays with the encoder and may be {EncoderWithHead.MaxHeadSize} wide at most.");
    }

    /// <inheritdoc/>
    public override ContrastiveMethod Resolve(RunFacts facts) => (SimClrV2)base.Resolve(facts) with
    {
        HiddenSize = (facts.Encoder as EncoderWithHead)?.HeadSize ?? HiddenSize ?? facts.FeatureSize,
        Momentum = Momentum ?? (facts.TotalSteps >= 50_000 ? 0.999 : 0.99),
    };

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new SimClrV2Learner(this, setup, ProjectorForm);

    /// <summary>One that has a head already trains as it is.</summary>
    internal override ImageEncoder EncoderFor(ImageEncoder chosen)
    {
        if (chosen is not EncoderWithHead given)
            return new EncoderWithHead(chosen, HiddenSize ?? Math.Min(chosen.FeatureSize, EncoderWithHead.MaxHeadSize)) { FeaturesFrom = FeaturesFrom, Norm = ProjectorNorm ? HeadNorm.Batch : HeadNorm.None };
        if (HiddenSize is { } hidden && hidden != given.HeadSize)
            throw new ArgumentException($"The encoder's head is {given.HeadSize} wide, but HiddenSize of SimClrV2 is {hidden}: the head is the projector's first layer, so leave HiddenSize out, or give the encoder without its head.", nameof(chosen));
        return given;
    }
}

/// <summary>
/// Encoder with the projector's first layer, the projector's others, and the memory of <see cref="SimClrV2"/>. An encoder of another kind, such as a
/// module of the caller's own, keeps no layer: the projector then has them all.
/// </summary>
internal sealed class SimClrV2Learner : Learner, IChunkedLearner
{
    private readonly nn.Module<Tensor, Tensor> encoder, projector;
    private readonly nn.Module<Tensor, Tensor>? target_encoder, target_projector;
    private readonly KeyQueue? queue;
    private readonly SimClrV2 _method;
    private Tensor? _keys;

    public SimClrV2Learner(SimClrV2 method, LearnerSetup setup, MlpForm form)
        : base(nameof(SimClrV2))
    {
        _method = method;
        encoder = setup.CreateEncoder();
        projector = CreateProjector();
        if (method.MemoryLength > 0)
        {
            (target_encoder, target_projector) = (setup.CreateEncoder(), CreateProjector());
            queue = new KeyQueue(method.MemoryLength, method.ProjectionSize, setup.Generator);
            Func<long, long, double> momentum = MomentumSchedule.Constant(method.Momentum!.Value);
            MomentumPairs =
            [
                new(encoder, target_encoder, momentum, MomentumTiming.BeforeLoss),
                new(projector, target_projector, momentum, MomentumTiming.BeforeLoss),
            ];
        }
        RegisterComponents();

        nn.Module<Tensor, Tensor> CreateProjector()
        {
            int hidden = method.HiddenSize!.Value;
            return encoder is EncoderWithHeadModule
                ? Mlp.Create(hidden, hidden, method.ProjectionSize, method.ProjectorLayers - 1, form, setup.Generator)
                : Mlp.Create(setup.FeatureSize, hidden, method.ProjectionSize, method.ProjectorLayers, form, setup.Generator);
        }
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override IReadOnlyList<MomentumPair> MomentumPairs { get; } = [];

    public override Tensor Loss(Views views, Step step) => Contrast(Represent(views, step, chunk: 0), views, step);

    /// <summary>The projections of both views, and where there is a memory the keys of both.</summary>
    public IReadOnlyList<Tensor> Represent(Views views, Step step, int chunk)
    {
        (Tensor first, Tensor second) = views.Projected(view => Project(encoder, projector, view), _method.JointForward);
        if (queue is null)
            return [first, second];
        using var noGradient = no_grad();
        (Tensor one, Tensor other) = views.Projected(view => Project(target_encoder!, target_projector!, view), _method.JointForward);
        return [first, second, one, other];
    }

    public Tensor Contrast(IReadOnlyList<Tensor> representations, Views views, Step step)
    {
        step.Embedding = representations[0];
        if (queue is not null)
            using (no_grad())
                _keys = nn.functional.normalize(cat([representations[2], representations[3]], 0)).DetachFromDisposeScope(); // until the step ends
        return NtXent.Loss(representations[0], representations[1], _method.Temperature, queue?.Keys);
    }

    public override void AfterStep(Step step)
    {
        queue?.Enqueue(_keys!);
        _keys?.Dispose();
        _keys = null;
    }

    public override double? FlatLoss(long rows) => NtXent.FlatLoss(rows, _method.MemoryLength);

    private static Tensor Project(nn.Module<Tensor, Tensor> encoder, nn.Module<Tensor, Tensor> projector, Tensor view)
        => projector.forward(encoder is EncoderWithHeadModule withHead ? withHead.Middle(view) : encoder.forward(view));
}
