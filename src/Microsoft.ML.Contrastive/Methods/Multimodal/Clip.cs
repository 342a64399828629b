using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What <see cref="Clip"/> minimises.</summary>
public enum PairObjective
{
    /// <summary>Each picture finds its text among the batch's, each text its picture: <see cref="ClipContrast"/>, CLIP's.</summary>
    CrossEntropy,

    /// <summary>Each picture and each text are a question of their own: <see cref="PairwiseSigmoid"/>, SigLIP's (Zhai et al. 2023). Smaller batches suffice.</summary>
    PairwiseSigmoid,
}

/// <summary>
/// CLIP (Radford et al. 2021, "Learning transferable visual models from natural language supervision"): pictures and their captions find each other in the batch, through a
/// network for each and a scale that is learned. Its views are a picture [N, C, H, W] and token ids [N, T], filled with -1 behind each text's end.
/// </summary>
/// <remarks>It is trained on two columns, by <see cref="ImageTextEstimator"/>; all other pairs of a batch are negatives, so that larger batches teach more.</remarks>
public sealed record Clip : ContrastiveMethod
{
    /// <summary>
    /// The published settings (table 18 and the released models): AdamW with betas 0.9 and 0.98, epsilon 1e-6, decay 0.2, rate 5e-4 and half a cosine, pictures cut at random and
    /// resized bicubic, equal captions kept as negatives. With batches of 32,768 and 32 epochs of 400 million pairs.
    /// </summary>
    public static Clip Paper { get; } = new()
    {
        Augmentations = [new ImageAugmentation { Crop = new RandomResizedCrop(0.9, 1), FlipProbability = 0, Interpolation = Interpolation.Bicubic }],
        Optimizer = new AdamW { Beta2 = 0.98, Epsilon = 1e-6, WeightDecay = 0.2 },
        LearningRate = new(5e-4, WarmupEpochs: 1, Scaling: RateScaling.None),
        MasksEqualCaptions = false,
    };

    /// <summary>What is minimised. The default value is <see cref="PairObjective.CrossEntropy"/>.</summary>
    public PairObjective Objective { get; init; }

    /// <summary>
    /// Whether pictures of equal captions are left out of each other's negatives. The default value is true: where captions are few, they would be told apart from
    /// themselves. Published: false.
    /// </summary>
    public bool MasksEqualCaptions { get; init; } = true;

    /// <summary>Whether the pictures' network keeps its weights, and only what stands behind it learns: for one that was trained before (Zhai et al. 2022). The default value is false.</summary>
    public bool FreezesImages { get; init; }

    /// <summary>The same of the texts' network. The default value is false.</summary>
    public bool FreezesTexts { get; init; }

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        RequireViews(1);
        if (!Enum.IsDefined(Objective))
            throw new ArgumentOutOfRangeException(nameof(Objective), Objective, "Choose PairObjective.CrossEntropy or PairObjective.PairwiseSigmoid.");
    }

    /// <inheritdoc/>
    /// <remarks>
    /// View: a crop of 0.5 to 1 of the area under 64 pixels, otherwise 0.9 to 1, without a flip: captions may tell left from right. Optimizer: AdamW, betas 0.9 and 0.98, decay 0.2,
    /// gradients of norm 1 at most. Rate: 1e-3 for networks that start at random and 1e-4 for pretrained ones, whatever the batch, one epoch of warm-up.
    /// </remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        return this with
        {
            Augmentations = Augmentations ?? [new ImageAugmentation { Crop = new RandomResizedCrop(facts.SmallImages ? 0.5 : 0.9, 1), FlipProbability = 0 }],
            Optimizer = Optimizer ?? new AdamW { Beta2 = 0.98, Epsilon = 1e-6, WeightDecay = 0.2 },
            LearningRate = LearningRate ?? new(facts.StartsPretrained ? 1e-4 : 1e-3, WarmupEpochs: 1, Scaling: RateScaling.None),
            MaxGradientNorm = MaxGradientNorm ?? 1,
        };
    }

    internal override ImageEncoder EncoderFor(ImageEncoder chosen) => throw TwoColumns();

    internal override SequenceEncoder EncoderFor(SequenceEncoder? chosen) => throw TwoColumns();

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new ClipLearner(this, (ImageTextModule)setup.CreateEncoder());

    private static ArgumentException TwoColumns() => new("Clip learns from a column of pictures and one of texts: call ContrastivePretrain with two column pairs, (\"ImageVector\", \"Image\") and (\"TextVector\", \"Caption\") for instance.");
}

/// <summary>Both networks of <see cref="Clip"/>, and the scale.</summary>
internal sealed class ClipLearner : Learner, IChunkedLearner
{
    private readonly ImageTextModule encoder;
    private readonly Clip _method;
    private readonly nn.Module[] _frozen;

    public ClipLearner(Clip method, ImageTextModule encoder)
        : base(nameof(Clip))
    {
        (_method, this.encoder) = (method, encoder);
        RegisterComponents();
        _frozen = [.. new[] { (method.FreezesImages, encoder.ImageTower), (method.FreezesTexts, encoder.TextTower) }.Where(tower => tower.Item1).Select(tower => tower.Item2)];
        foreach (TorchSharp.Modules.Parameter parameter in _frozen.SelectMany(tower => tower.parameters()))
            parameter.requires_grad_(false);
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    /// <summary>What is frozen stays in evaluation mode: without dropout, with the statistics of its own training.</summary>
    public override void train(bool on = true)
    {
        base.train(on);
        foreach (nn.Module tower in _frozen)
            tower.eval();
    }

    public override Tensor Loss(Views views, Step step) => Contrast(Represent(views, step, chunk: 0), views, step);

    public IReadOnlyList<Tensor> Represent(Views views, Step step, int chunk)
    {
        TextMethod.SeedDropout(this, step, chunk);
        return [encoder.Images(views[0]), encoder.Texts(views[1])];
    }

    public Tensor Contrast(IReadOnlyList<Tensor> representations, Views views, Step step)
    {
        (Tensor images, Tensor texts) = (representations[0], representations[1]);
        step.Embedding = images;
        Tensor? captions = _method.MasksEqualCaptions && views.Count > 2 ? views[2] : null;
        return _method.Objective == PairObjective.CrossEntropy
            ? ClipContrast.Loss(images, texts, encoder.LogScale, captions)
            : PairwiseSigmoid.Loss(images, texts, encoder.LogScale.exp(), encoder.Bias!, captions);
    }

    /// <summary>CLIP's scale stays from 1 to 100; SigLIP's goes where it will.</summary>
    public override void AfterStep(Step step)
    {
        if (_method.Objective == PairObjective.CrossEntropy)
            encoder.LogScale.Raise(0).Lower(ClipContrast.MaxLogScale);
    }

    public override double? FlatLoss(long rows) => _method.Objective == PairObjective.CrossEntropy ? ClipContrast.FlatLoss(rows) : null;
}
