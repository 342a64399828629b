using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Contrastive predictive coding (van den Oord, Li, Vinyals 2018, "Representation learning with contrastive predictive coding"): one view of each example, in parts;
/// from a context of the parts so far it predicts the representations of the parts to come, and each prediction is to find its own
/// among others by <see cref="CpcInfoNce"/>. Pictures are a grid of patches, predicted down their columns; sequences (with a <see cref="SequenceShape"/>) are windows of time.
/// </summary>
/// <remarks>
/// On pictures it trains a <see cref="PatchEncoder"/>, on sequences a <see cref="SequenceEncoder"/>: the defaults for it. A <see cref="SmallConvNet"/> is taken as the patch encoder of its width and
/// grid; any other encoder is refused: it sees the picture whole.
/// </remarks>
public sealed record Cpc : ContrastiveMethod
{
    /// <summary>
    /// The published ImageNet settings: five rows predicted, among all patches of 16 pictures, Adam at 2e-4; the view's crop of 256 from 300 pixels, its
    /// flip and no colour, and 60 of each patch's 64 pixels.
    /// </summary>
    public static Cpc Paper { get; } = new()
    {
        Augmentations = [new ImageAugmentation { Crop = new(256.0 * 256 / (300 * 300), 256.0 * 256 / (300 * 300), 1, 1), GrayscaleProbability = 1 }],
        FirstStep = 1,
        ExamplesTogether = 16,
        PredictionScale = 1,
        PatchCrop = 60.0 / 64,
        Optimizer = new AdamW(),
        LearningRate = new(2e-4, Scaling: RateScaling.None),
    };

    /// <summary>K: how far it predicts, in parts, at least 1 and below the number of parts in a row. Null: 5 of a picture's 7 rows, as published; half of a sequence's windows, at most 12 (the paper's on audio).</summary>
    public int? PredictionSteps { get; init; }

    /// <summary>
    /// The first of the steps that are predicted, from 1 to <see cref="PredictionSteps"/>. The default value is 2, and 1 in the paper: parts
    /// overlap by half, and the next one can in part be seen instead of predicted (Hénaff et al. 2019 leave first steps out).
    /// </summary>
    public int FirstStep { get; init; } = 2;

    /// <summary>Where a prediction looks for its own. The default value is <see cref="CpcCandidates.AllPositions"/>, the paper's.</summary>
    public CpcCandidates Candidates { get; init; } = CpcCandidates.AllPositions;

    /// <summary>Examples whose parts are candidates together, at least 1: a batch is taken in groups of so many. The default value is 8; the paper's batch is 16.</summary>
    public int ExamplesTogether { get; init; } = 8;

    /// <summary>True: predicts from one context alone, the last one that has all its steps before it. The default value is false: from all.</summary>
    public bool LastContextOnly { get; init; }

    /// <summary>Predictions are multiplied by it, above 0. The default value is 0.1 (Hénaff et al. 2019); the paper has 1.</summary>
    public double PredictionScale { get; init; } = 0.1;

    /// <summary>
    /// Share of a patch's side that is kept of it in training, above 0 to 1, at a random place of each patch, with zeros around: neighbours then can't be told by the lines that they
    /// share. The default value is 1, all of it; the paper (section 3.3) has 60 of 64 pixels. Below 1 each patch passes the network by itself. Sequences stay as they are, and so does Transform.
    /// </summary>
    public double PatchCrop { get; init; } = 1;

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        RequireViews(1);
        ArgumentOutOfRangeException.ThrowIfLessThan(PredictionSteps ?? 1, 1, nameof(PredictionSteps));
        ArgumentOutOfRangeException.ThrowIfLessThan(FirstStep, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(ExamplesTogether, 1);
        if (FirstStep > PredictionSteps)
            throw new ArgumentOutOfRangeException(nameof(FirstStep), FirstStep, $"FirstStep must be at most PredictionSteps, {PredictionSteps}.");
        if (!Enum.IsDefined(Candidates))
            throw new ArgumentOutOfRangeException(nameof(Candidates), Candidates, "Choose CpcCandidates.AllPositions or CpcCandidates.SamePosition.");
        if (!(PredictionScale > 0 && double.IsFinite(PredictionScale)))
            throw new ArgumentOutOfRangeException(nameof(PredictionScale), PredictionScale, "PredictionScale must be above 0 and finite.");
        if (!(PatchCrop is > 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(PatchCrop), PatchCrop, "PatchCrop must be above 0 and at most 1, which keeps patches whole.");
    }

    /// <inheritdoc/>
    /// <remarks>
    /// View: crop (20 to 100 % of the area) and flip, gray with probability 0.2. None of it for sequences. Optimizer: AdamW
    /// (decay 1e-4). Rate: 1.25e-4 times the root of the batch (0.002 for 256), one epoch of warm-up.
    /// </remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        bool ofPictures = facts.SequenceLength == 0;
        long? rows = Parts(facts)?.Rows;
        int steps = PredictionSteps ?? Math.Max(FirstStep, ofPictures ? 5 : (int)Math.Min(12, rows!.Value / 2));
        if (steps >= rows)
            throw new ArgumentException($"Cpc can't predict {steps} parts ahead: these {(ofPictures ? "pictures" : "sequences")} have {rows} in a row. Lower PredictionSteps and FirstStep{(ofPictures ? "" : ", lower SequenceEncoder.Halvings, or bring longer sequences")}.", nameof(PredictionSteps));
        return this with
        {
            Augmentations = ofPictures ? Augmentations ?? [new ImageAugmentation { GrayscaleProbability = facts.HasColor ? 0.2 : 0 }] : null,
            PredictionSteps = steps,
            PatchCrop = ofPictures ? PatchCrop : 1,
            Optimizer = Optimizer ?? new AdamW { WeightDecay = 1e-4 },
            LearningRate = LearningRate ?? new(1.25e-4, WarmupEpochs: 1, RateScaling.SquareRoot),
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new CpcLearner(this, setup);

    internal override SequenceEncoder EncoderFor(SequenceEncoder? chosen)
    {
        SequenceEncoder encoder = chosen ?? new SequenceEncoder();
        encoder.Validate();
        return encoder;
    }

    /// <summary>Parts of an example, down and across; null where the encoder is none that it knows.</summary>
    internal static (long Rows, long Columns)? Parts(RunFacts facts) => facts.Encoder switch
    {
        PatchEncoder => (PatchEncoder.PatchesPerSide, PatchEncoder.PatchesPerSide),
        SequenceEncoder sequences => (sequences.Windows(facts.SequenceLength), 1),
        _ => null,
    };

    internal override ImageEncoder DefaultEncoder(int side) => new PatchEncoder { Patch = side <= 64 ? 16 : side <= 128 ? 32 : 64 };

    internal override ImageEncoder EncoderFor(ImageEncoder chosen) => chosen switch
    {
        PatchEncoder patches => patches,
        SmallConvNet net when net.Width <= PatchEncoder.MaxWidth => new PatchEncoder { Width = net.Width, Grid = net.Grid },
        SmallConvNet net => throw new ArgumentException($"Cpc's patches pass a net of the SmallConvNet's width, {PatchEncoder.MaxWidth} at most, but it is {net.Width}: choose a narrower one, or ImageEncoder.PatchEncoder.", nameof(chosen)),
        _ => throw new ArgumentException($"Cpc predicts parts of a picture from others, which a {chosen.GetType().Name} sees together: leave the encoder out, or choose ImageEncoder.PatchEncoder or ImageEncoder.SmallConvNet; or another method for this encoder, such as SimClrV1 or MoCoV2.", nameof(chosen)),
    };
}

/// <summary>Encoder and predictors of <see cref="Cpc"/>.</summary>
internal sealed class CpcLearner : Learner
{
    private readonly PartsModule encoder;
    private readonly List<(int Step, Linear Predictor)> _predictors = [];
    private readonly Cpc _method;
    private readonly (long Rows, long Columns)? _parts;

    public CpcLearner(Cpc method, LearnerSetup setup)
        : base(nameof(Cpc))
    {
        (_method, _parts) = (method, Cpc.Parts(setup.Facts));
        encoder = setup.CreateEncoder() as PartsModule
            ?? throw new ArgumentException("Cpc trains an encoder of parts: build a PatchEncoder or a SequenceEncoder.", nameof(setup));
        register_module(nameof(encoder), encoder);
        for (int k = method.FirstStep; k <= method.PredictionSteps; k++)
        {
            var predictor = new Linear(encoder.ContextSize, encoder.PartSize, setup.Generator, hasBias: false);
            register_module($"predictor_step{k}", predictor);
            _predictors.Add((k, predictor));
        }
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step)
    {
        var random = new SeededRandom(step.Seed, (ulong)step.Index, ulong.MaxValue, 3);
        Tensor parts = _method.PatchCrop < 1
            ? encoder.CroppedParts(views[0], _method.PatchCrop, count => random.NextInt(count))
            : encoder.Parts(views[0]);
        Tensor contexts = encoder.Contexts(parts);
        step.Embedding = parts.detach().mean([1, 2]);
        (long examples, long rows) = (parts.shape[0], parts.shape[1]);
        Tensor[] groups = InGroups(parts);
        Tensor sum = zeros(1, parts.dtype, parts.device).squeeze();
        foreach ((int k, Linear predictor) in _predictors)
        {
            (long from, long count) = _method.LastContextOnly ? (rows - 1 - _method.PredictionSteps!.Value, 1L) : (0L, rows - k);
            Tensor[] predictions = InGroups(predictor.forward(contexts.narrow(1, from, count)).Times(_method.PredictionScale));
            foreach ((Tensor group, Tensor prediction) in groups.Zip(predictions))
                sum = sum.Plus(CpcInfoNce.Loss(group, prediction, from + k, _method.Candidates).Times((double)group.shape[0] / examples));
        }
        return sum.Over(_predictors.Count);
    }

    public override double? FlatLoss(long rows)
    {
        if (_parts is not { } parts)
            return null;
        long group = Math.Min(_method.ExamplesTogether, rows), last = rows % group;
        return ((rows - last) * Flat(group) + (last > 0 ? last * Flat(last) : 0)) / rows;

        double Flat(long examples) => CpcInfoNce.FlatLoss(examples, parts.Rows * parts.Columns, _method.Candidates);
    }

    /// <summary>One split serves all that looks at the parts: its gradient is put together once.</summary>
    private Tensor[] InGroups(Tensor examples) => examples.split(Math.Min(_method.ExamplesTogether, examples.shape[0]));
}
