using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// DINO (Caron, Touvron, Misra, Jégou, Mairal, Bojanowski, Joulin 2021, "Emerging properties in self-supervised vision transformers"): a
/// student tells, from any view, what a slowly moving copy of itself says of another, large view. No negatives and no predictor; the
/// teacher's scores are centred and sharpened, which keeps both from collapsing.
/// </summary>
public sealed record Dino : ContrastiveMethod
{
    /// <summary>
    /// The published settings of ViT-S/16 on ImageNet, for batches of 1,024: 2 views of 224 and 8 of 96 pixels, 65,536 outcomes, head 2,048-2,048-256, momentum
    /// from 0.996 to 1, teacher's temperature from 0.04 to 0.07, AdamW with base rate 5e-4 and decay from 0.04 to 0.4, 10 epochs of warm-up, a last rate of 1e-6.
    /// </summary>
    public static Dino Paper { get; } = new()
    {
        Augmentations = [ImageAugmentations.DinoFirst, ImageAugmentations.DinoSecond, .. Enumerable.Repeat(ImageAugmentations.DinoLocal with { Size = 96 }, 8)],
        OutputSize = 65_536,
        HiddenSize = 2048,
        TeacherTemperature = 0.07,
        LearnsLastLayerScale = true,
        Momentum = 0.996,
        Optimizer = new AdamW { WeightDecay = 0.04, FinalWeightDecay = 0.4 },
        LearningRate = new(5e-4, WarmupEpochs: 10) { Schedule = new CosineRate(1e-6 / (5e-4 * 1024 / 256)) },
    };

    /// <summary>DINO, each parameter's gradient no longer than 3, as published (<see cref="ContrastiveMethod.MaxParameterGradientNorm"/>).</summary>
    public Dino() => MaxParameterGradientNorm = 3;

    /// <summary>K, outcomes of the softmax, at least 2. Null: the largest power of two within a fiftieth of the rows, from 256 to 65,536 (the paper's).</summary>
    public int? OutputSize { get; init; }

    /// <summary>Temperature of the student's softmax, above 0. The default value is 0.1.</summary>
    public double StudentTemperature { get; init; } = 0.1;

    /// <summary>Temperature of the teacher's softmax at the first step, above 0. The default value is 0.04.</summary>
    public double FirstTeacherTemperature { get; init; } = 0.04;

    /// <summary>
    /// Temperature of the teacher's softmax after its warm-up, above 0. The default value is 0.04, the released code's: none, then. 0.07 belongs to the
    /// paper's long runs; in short ones it let the scores become all alike here.
    /// </summary>
    public double TeacherTemperature { get; init; } = 0.04;

    /// <summary>Steps over which the teacher's temperature moves along a line, at least 0. Null: 30 epochs, as published, at most three tenths of the run.</summary>
    public long? TeacherWarmupSteps { get; init; }

    /// <summary>m of the centre, 0 to 1. The default value is 0.9.</summary>
    public double CentreMomentum { get; init; } = 0.9;

    /// <summary>
    /// m of the teacher at the first step, 0 to 1. Null: 0.97 under 20,000 steps, 0.99 under 200,000, otherwise 0.996, the paper's: a
    /// teacher that hardly moves in a short run says what it said at random.
    /// </summary>
    public double? Momentum { get; init; }

    /// <summary>True, the default: m rises to 1 along half a cosine. False: it stays.</summary>
    public bool MomentumRises { get; init; } = true;

    /// <summary>Linear layers of the head in front of the last one, at least 1, with GELU between them. The default value is 3.</summary>
    public int ProjectorLayers { get; init; } = 3;

    /// <summary>Width of the head's hidden layers. Null: twice the encoder's feature size, at most 2,048.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>Length of the bottleneck, which is made unit in front of the last layer. The default value is 256.</summary>
    public int ProjectionSize { get; init; } = 256;

    /// <summary>Whether each outcome of the last layer learns a scale. The default value is false: all keep 1, which is steadier (the paper's ViT-B; ViT-S learns them).</summary>
    public bool LearnsLastLayerScale { get; init; }

    /// <summary>Steps at the start in which the student's last layer stays, at least 0. Null: one epoch, as published, at most a tenth of the run.</summary>
    public long? FrozenLastLayerSteps { get; init; }

    /// <summary>True, the default: views of one size pass a network as one batch, as published. False: each by itself.</summary>
    public bool JointForward { get; init; } = true;

    /// <summary>The teacher's temperature after <paramref name="done"/> of <paramref name="warmup"/>: linear, and at its end with the last of them.</summary>
    internal static double Warmed(double first, double last, long warmup, long done)
        => done >= warmup - 1 ? last : first + (last - first) * done / (warmup - 1);

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        MultiCrop.Check(this);
        ArgumentOutOfRangeException.ThrowIfLessThan(OutputSize ?? 2, 2, nameof(OutputSize));
        ShapeCheck.Positive(StudentTemperature);
        ShapeCheck.Positive(FirstTeacherTemperature);
        ShapeCheck.Positive(TeacherTemperature);
        ArgumentOutOfRangeException.ThrowIfNegative(TeacherWarmupSteps ?? 0, nameof(TeacherWarmupSteps));
        ArgumentOutOfRangeException.ThrowIfNegative(FrozenLastLayerSteps ?? 0, nameof(FrozenLastLayerSteps));
        if (!(CentreMomentum >= 0 && CentreMomentum <= 1))
            throw new ArgumentOutOfRangeException(nameof(CentreMomentum), CentreMomentum, "CentreMomentum must be from 0 to 1.");
        SettingChecks.Projector(ProjectorLayers, HiddenSize, ProjectionSize);
        SettingChecks.Momentum(Momentum);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Views: from 64 pixels up two large ones and eight small ones with 3/7 of the side; of 40 to 100 % and 5 to 40 % of the area for a
    /// <see cref="VisionTransformer"/>, of 14 to 100 % and 5 to 14 % for others (the paper's ResNet-50). Smaller pictures get two of 14 to
    /// 100 %. Optimizer: AdamW with decay from 0.04 to 0.4. Rate: 5e-4, scaled linearly, 10 epochs of warm-up, for a vision transformer
    /// and from batches of 1,024 up, otherwise 1e-3 and one epoch.
    /// </remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        return this with
        {
            Augmentations = Augmentations ?? Views(facts),
            Optimizer = Optimizer ?? Paper.Optimizer,
            LearningRate = LearningRate ?? (facts.Encoder is VisionTransformer || facts.BatchSize >= 1024 ? Paper.LearningRate : new(1e-3, WarmupEpochs: 1, RateScaling.None)),
            OutputSize = OutputSize ?? (int)Math.Clamp(1L << (int)Math.Log2(Math.Max(1, facts.Rows / 50)), 256, 65_536),
            HiddenSize = HiddenSize ?? Math.Min(2048, 2 * facts.FeatureSize),
            Momentum = Momentum ?? (facts.TotalSteps < 20_000 ? 0.97 : facts.TotalSteps < 200_000 ? 0.99 : 0.996),
            TeacherWarmupSteps = TeacherWarmupSteps ?? Math.Min(30 * facts.StepsPerEpoch, 3 * facts.TotalSteps / 10),
            FrozenLastLayerSteps = FrozenLastLayerSteps ?? Math.Min(facts.StepsPerEpoch, facts.TotalSteps / 10),
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new DinoLearner(this, setup);

    private static ImageAugmentation[] Views(RunFacts facts)
    {
        ImageAugmentation first = ImageAugmentations.DinoFirst, second = ImageAugmentations.DinoSecond, local = ImageAugmentations.DinoLocal;
        if (facts.SmallImages || facts.Encoder is not VisionTransformer)
        {
            RandomResizedCrop large = new(0.14, 1);
            (first, second, local) = (first with { Crop = large }, second with { Crop = large }, local with { Crop = new(0.05, 0.14) });
        }
        return MultiCrop.Recipes(facts, first, second, local, count: 8);
    }
}

/// <summary>Student, teacher and centre of <see cref="Dino"/>.</summary>
internal sealed class DinoLearner : Learner, IChunkedLearner
{
    private readonly nn.Module<Tensor, Tensor> encoder, head, last_layer, target_encoder, target_head, target_last_layer;
    private readonly Centre centre;
    private readonly Dino _method;
    private Tensor[] _teacher = [];

    public DinoLearner(Dino method, LearnerSetup setup)
        : base(nameof(Dino))
    {
        _method = method;
        (encoder, head, last_layer) = (setup.CreateEncoder(), CreateHead(), CreateLastLayer());
        (target_encoder, target_head, target_last_layer) = (setup.CreateEncoder(), CreateHead(), CreateLastLayer());
        centre = new Centre(method.OutputSize!.Value, method.CentreMomentum);
        RegisterComponents();
        double start = method.Momentum!.Value;
        Func<long, long, double> momentum = method.MomentumRises ? MomentumSchedule.CosineToOne(start) : MomentumSchedule.Constant(start);
        MomentumPairs =
        [
            new(encoder, target_encoder, momentum, MomentumTiming.AfterStep),
            new(head, target_head, momentum, MomentumTiming.AfterStep),
            new(last_layer, target_last_layer, momentum, MomentumTiming.AfterStep),
        ];

        nn.Module<Tensor, Tensor> CreateHead() => Mlp.CreateGelu(
            setup.FeatureSize, method.HiddenSize!.Value, method.ProjectionSize, method.ProjectorLayers, setup.Generator);

        nn.Module<Tensor, Tensor> CreateLastLayer() => new WeightNormLinear(
            method.ProjectionSize, method.OutputSize!.Value, setup.Generator, method.LearnsLastLayerScale);
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override IReadOnlyList<MomentumPair> MomentumPairs { get; }

    public override Tensor Loss(Views views, Step step) => Contrast(Represent(views, step, chunk: 0), views, step);

    /// <summary>The student's projections of each view, before its last layer; then the teacher's scores of each large one.</summary>
    public IReadOnlyList<Tensor> Represent(Views views, Step step, int chunk) =>
    [
        .. views.Projected(view => nn.functional.normalize(head.forward(encoder.forward(view))), MultiCrop.GlobalViews, _method.JointForward),
        .. Teacher(views),
    ];

    public Tensor Contrast(IReadOnlyList<Tensor> representations, Views views, Step step)
    {
        step.Embedding = representations[0];
        _teacher = [.. representations.Skip(views.Count).Select(scores => scores.detach().DetachFromDisposeScope())]; // until the step ends
        double temperature = Dino.Warmed(
            _method.FirstTeacherTemperature, _method.TeacherTemperature, _method.TeacherWarmupSteps!.Value, step.Index);
        return CrossViewEntropy.Loss(
            [.. _teacher.Select(scores => SelfDistillation.Targets(scores, centre.Mean, temperature))],
            [.. representations.Take(views.Count).Select(last_layer.forward)],
            _method.StudentTemperature);
    }

    /// <summary>The loss used the old centre. What moves it are the teacher's scores as they came.</summary>
    public override void AfterStep(Step step)
    {
        using Tensor scores = cat(_teacher, 0);
        centre.Update(scores);
        foreach (Tensor each in _teacher)
            each.Dispose();
        _teacher = [];
    }

    public override double? FlatLoss(long rows) => CrossViewEntropy.FlatLoss(_method.OutputSize!.Value);

    public override long FrozenSteps(string parameterName)
        => parameterName.StartsWith(nameof(last_layer), StringComparison.Ordinal) ? _method.FrozenLastLayerSteps!.Value : 0;

    /// <summary>The teacher's scores of each large view; it never sees a small one.</summary>
    private Tensor[] Teacher(Views views)
    {
        using var noGradient = no_grad();
        return views.ProjectedLarge(
            view => target_last_layer.forward(nn.functional.normalize(target_head.forward(target_encoder.forward(view)))), MultiCrop.GlobalViews, _method.JointForward);
    }
}
