namespace Microsoft.ML.Contrastive;

/// <summary>
/// What the versions 1 and 2 of SimCLR share: two views of each picture find each other among all others of the batch, through an encoder and an
/// MLP projector (<see cref="NtXent"/>). They differ in the projector's depth, in what of it is kept, and in a memory.
/// </summary>
public abstract record SimClr : ContrastiveMethod
{
    private protected SimClr(int projectorLayers) => ProjectorLayers = projectorLayers;

    /// <summary>t of <see cref="NtXent"/>, above 0. The default value is 0.2 (the papers: 0.1 on ImageNet, 0.5 on CIFAR-10 with batches of 512 and more).</summary>
    public double Temperature { get; init; } = 0.2;

    /// <summary>Linear layers of the projector, at least 2 in v2. The default value is 2 in v1 (section 4.2) and 3 in v2; in v1 0 is no projector: the loss sees the features themselves.</summary>
    public int ProjectorLayers { get; init; }

    /// <summary>Width of the projector's hidden layers. Null: the encoder's feature size.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>Length of the projection. The default value is 128.</summary>
    public int ProjectionSize { get; init; } = 128;

    /// <summary>Batch norm after the projector's hidden layers, as in the released code. The default value is true; the paper's formula has none.</summary>
    public bool ProjectorNorm { get; init; } = true;

    /// <summary>
    /// True, the default: both views pass the network as one batch of 2N, so that batch norm sees them together, as
    /// published. False: one after the other.
    /// </summary>
    public bool JointForward { get; init; } = true;

    /// <summary>LARS and its rate, for batches of 1,024 and more.</summary>
    private protected abstract (Lars Optimizer, LearningRate Rate) LargeBatches { get; }

    private protected MlpForm ProjectorForm => new(HiddenNorm: ProjectorNorm, HiddenBias: true, OutputBias: true);

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        RequireViews(2);
        ShapeCheck.Positive(Temperature);
        SettingChecks.Projector(layers: null, HiddenSize, ProjectionSize);
        ArgumentOutOfRangeException.ThrowIfNegative(ProjectorLayers);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Optimizer: LARS from batches of 1,024 up (decay 1e-6 in v1, 1e-4 in v2), otherwise SGD (decay 5e-4). Rate: for LARS 0.3 scaled linearly in v1,
    /// 0.1 times the batch's root in v2; for SGD 0.12 scaled linearly. One epoch of warm-up.
    /// </remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        bool large = facts.BatchSize >= 1024;
        return this with
        {
            Augmentations = Augmentations ?? TwoViews(ImageAugmentations.SimClr(strength: facts.SmallImages ? 0.5 : 1, blur: !facts.SmallImages)),
            Optimizer = Optimizer ?? (large ? LargeBatches.Optimizer : new Sgd { WeightDecay = 5e-4 }),
            LearningRate = LearningRate ?? (large ? LargeBatches.Rate : new(0.12, WarmupEpochs: 1)),
            HiddenSize = HiddenSize ?? facts.FeatureSize,
        };
    }

    private protected static ImageAugmentation[] TwoViews(ImageAugmentation each) => [each, each];
}
