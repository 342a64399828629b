namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>How long, and in what batches: five methods, as SimSiam's paper compares them.</summary>
internal static class BudgetClaims
{
    private static readonly (string Name, ContrastiveMethod Method, string Negatives, string Momentum)[] s_methods =
    [
        ("SimCLR", SmallHeads.SimClr, "batch", "no"),
        ("MoCo v2", new MoCoV2(), "queue", "yes"),
        ("BYOL", SmallHeads.Byol, "none", "yes"),
        ("SwAV", SmallHeads.SwAV, "none (prototypes)", "no"),
        ("SimSiam", SmallHeads.SimSiam, "none", "no"),
    ];

    public static Claim Longer => new("longer", "Training longer is better, for all of them.")
    {
        Source = "Chen and He 2021, table 4",
        Arms = [.. from method in s_methods from times in new[] { 1, 2, 4, 8 } select Arm(method, $"{times}x", times / 4.0, 256) with { InQuick = times is 1 or 4 }],
        Comparisons = [.. s_methods.Select(method => new Comparison(Figure.Linear, $"{method.Name}, 4x", $"{method.Name}, 1x")), .. s_methods.Select(method => new Comparison(Figure.Linear, $"{method.Name}, 8x", $"{method.Name}, 2x"))],
        Figures = [Figure.Linear, Figure.Knn],
        Differs = "Fashion-MNIST, small conv net; 1x is 100 batches of 256, about one and a quarter epochs, where the paper's is 100 epochs. Each length has its own schedule.",
    };

    public static Claim Batches => new("batches", "Bigger batches help at an equal number of pictures seen.")
    {
        Source = "Chen, Kornblith, Norouzi, Hinton 2020, figure 9; Chen and He 2021, table 2",
        Arms = [.. from method in s_methods from batch in new[] { 64, 256, 1024 } select Arm(method, $"batches of {batch}", 1, batch) with { InQuick = batch != 256 && method.Name is "SimCLR" or "SimSiam" }],
        Comparisons = [.. s_methods.Select(method => new Comparison(Figure.Linear, $"{method.Name}, batches of 1024", $"{method.Name}, batches of 64"))],
        Figures = [Figure.Linear, Figure.Knn],
        Differs = "At an equal number of pictures a batch of 1,024 has a sixteenth of the steps of one of 64: in runs of minutes steps are what is short, in the papers' of hundreds of epochs they are not. From 1,024 up LARS is the default of SimCLR, BYOL and SwAV.",
    };

    private static PictureArm Arm((string Name, ContrastiveMethod Method, string Negatives, string Momentum) method, string what, double length, int batch) => new($"{method.Name}, {what}", method.Method)
    {
        Length = length,
        BatchSize = batch,
        Traits = new Dictionary<string, string> { ["negatives"] = method.Negatives, ["momentum encoder"] = method.Momentum, ["batch"] = $"{batch}" },
    };
}
