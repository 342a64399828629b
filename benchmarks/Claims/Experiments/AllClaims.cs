namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What the survey says, in the order of history.</summary>
internal static class AllClaims
{
    public static IReadOnlyList<Claim> List { get; } =
    [
        NegativesClaims.FeaturesOrEncoder,
        NegativesClaims.QueueLength,
        NegativesClaims.MoCoV2Changes,
        SimClrClaims.Projector,
        SimClrClaims.Views,
        SimClrClaims.HeadDepth,
        SimClrClaims.Width,
        SimClrClaims.Memory,
        BudgetClaims.Longer,
        BudgetClaims.Batches,
        CollapseClaims.ByolNorms,
        CollapseClaims.StoppedGradient,
        CollapseClaims.DinoCollapse,
        ViewClaims.MultiCrop,
        ViewClaims.PatchProjection,
        SimCseClaims.DropoutAlone,
        SimCseClaims.Supervised,
        SimCseClaims.OverTraining,
        TextViewClaims.Lengths,
        TextViewClaims.Single,
        TextViewClaims.Pairs,
        ClipClaims.Prompts,
        ClipClaims.Unseen,
        ClipClaims.Towers,
    ];
}

/// <summary>Heads as wide as small networks need them (the library's own would take more time than the networks do), the same in all claims.</summary>
internal static class SmallHeads
{
    public static SimClrV1 SimClr { get; } = new() { HiddenSize = 256 };

    public static Byol Byol { get; } = new() { HiddenSize = 512 };

    public static SimSiam SimSiam { get; } = new() { HiddenSize = 512, ProjectionSize = 512 };

    public static SwAV SwAV { get; } = new() { HiddenSize = 256 };

    public static Dino Dino { get; } = new() { HiddenSize = 512 };
}
