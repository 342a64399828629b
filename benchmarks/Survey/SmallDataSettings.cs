namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>
/// How the survey's methods are set: all that differs from the library's defaults, for pictures under 64 pixels and runs of minutes. A method
/// that isn't named here runs as the library fills it, with the views of <see cref="Views"/>.
/// </summary>
internal static class SmallDataSettings
{
    public const int BatchSize = 256;

    /// <summary>Clothes stand in the middle of their pictures: the demo's view, chosen on validation pictures (docs/few-labels.md).</summary>
    private static readonly ImageAugmentation s_grayView = new() { Crop = new(0.3, 1), Jitter = new(0.8, 0.8, 0, 0) };

    private static readonly ContrastiveMethod[] s_methods =
    [
        new SimClrV1 { HiddenSize = 256 }, // the demo's
        new SimClrV2 { HiddenSize = 256 },
        // Heads of the library's sizes would take more time than the network does, and time is what is shared out.
        new MoCoV3 { HiddenSize = 512 },
        new Byol { HiddenSize = 512 },
        new SimSiam { HiddenSize = 512, ProjectionSize = 512 },
        new SwAV { HiddenSize = 256 },
        new Dino { HiddenSize = 512 },
        // A row is an epoch old: less noise to ask makes more epochs.
        new InstDisc { Contrast = BankContrast.SampledSoftmax, NoiseRows = 512 },
    ];

    public static ImageEncoder Encoder => ImageEncoder.SmallConvNet(width: 32, grid: 2);

    /// <summary>
    /// How many times the epochs of --epochs a method trains: those that learn from their own predictions start slower, and InstDisc, which makes one view
    /// of a picture, sees no more views in two epochs than others in one. A step of CPC, whose networks run over every patch, costs several of the others'.
    /// With --minutes-per-method all have the same minutes.
    /// </summary>
    public static double EpochFactor(string method) => method switch
    {
        nameof(SimSiam) => 3,
        nameof(Byol) or nameof(InstDisc) => 2,
        nameof(Cpc) => 0.25,
        _ => 1,
    };

    /// <summary>What <see cref="EpochFactor"/> says, for readers of the table.</summary>
    public const string EpochFactors = "By epochs BYOL and InstDisc have twice as many as the others, SimSiam three times, CPC a quarter: the steps say how many.";

    /// <summary>The method's record.</summary>
    public static ContrastiveMethod Method(string name, RunFacts facts)
        => Views(s_methods.FirstOrDefault(method => method.GetType().Name == name) ?? AllMethods.ByName[name], facts);

    /// <summary>What the row "frozen" runs: a method whose rate is too small to change any weight in single precision.</summary>
    public static ContrastiveMethod Frozen(RunFacts facts)
        => Method(nameof(SimClrV1), facts) with { LearningRate = new(1e-30, Scaling: RateScaling.None), Optimizer = new Sgd() };

    /// <summary>
    /// On gray pictures one view or two are the demo's, each with the solarization that is its own: papers' crops of 8 % leave
    /// nothing of a shirt. CPC has crop and flip alone; methods of more views, and colour pictures, keep the method's own.
    /// </summary>
    public static ContrastiveMethod Views(ContrastiveMethod method, RunFacts facts)
        => facts.Channels == 1 && method is not Cpc && method.Resolve(facts).Augmentations is { Count: 1 or 2 } own
            ? method with { Augmentations = [.. own.Select(view => s_grayView with { Solarize = view.Solarize })] }
            : method;
}
