namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>How long, and in what batches: five methods, as SimSiam's paper compares them.</summary>
internal static class BudgetClaims
{
    public const string Title = "Longer, and in bigger batches";
    public const string Caption = "Linear probe, %, mean ± standard error. 4x is as long as a standard arm; in any batch a length is as many pictures.";

    private const string LongerName = "longer", BatchesName = "batches";
    private const int StandardTimes = 4;
    private static readonly int[] s_times = [1, 2, StandardTimes, 8], s_batches = [64, PictureArm.StandardBatch, 1024];

    private static readonly (string Name, ContrastiveMethod Method, string Negatives, string Momentum)[] s_methods =
    [
        ("SimCLR", SmallHeads.SimClr, "batch", "no"),
        ("MoCo v2", new MoCoV2(), "queue", "yes"),
        ("BYOL", SmallHeads.Byol, "none", "yes"),
        ("SwAV", SmallHeads.SwAV, "none (prototypes)", "no"),
        ("SimSiam", SmallHeads.SimSiam, "none", "no"),
    ];

    public static Claim Longer => new(LongerName, "Training longer is better, for all of them.")
    {
        Source = "Chen and He 2021, table 4",
        Arms = [.. from method in s_methods from times in s_times select Arm(method, $"{times}x", LengthOf(times), PictureArm.StandardBatch) with { InQuick = times is 1 or StandardTimes }],
        Comparisons = [.. s_methods.Select(method => new Comparison(Figure.Linear, $"{method.Name}, 4x", $"{method.Name}, 1x")), .. s_methods.Select(method => new Comparison(Figure.Linear, $"{method.Name}, 8x", $"{method.Name}, 2x"))],
        Figures = [Figure.Linear, Figure.Knn],
        Differs = "Fashion-MNIST, small conv net; 1x is 100 batches of 256, about one and a quarter epochs, where the paper's is 100 epochs. Each length has its own schedule.",
    };

    public static Claim Batches => new(BatchesName, "Bigger batches help at an equal number of pictures seen.")
    {
        Source = "Chen, Kornblith, Norouzi, Hinton 2020, figure 9; Chen and He 2021, table 2, finds little of it from 64 to 2,048",
        Arms = [.. from method in s_methods from batch in s_batches select Arm(method, $"batches of {batch}", 1, batch) with { InQuick = batch != PictureArm.StandardBatch && method.Name is "SimCLR" or "SimSiam" }],
        Comparisons = [.. s_methods.Select(method => new Comparison(Figure.Linear, $"{method.Name}, batches of 1024", $"{method.Name}, batches of 64"))],
        Figures = [Figure.Linear, Figure.Knn],
        Differs = "At an equal number of pictures a batch of 1,024 has a sixteenth of the steps of one of 64: in runs of minutes steps are what is short, in the papers' of hundreds of epochs they are not. From 1,024 up LARS is the default of SimCLR, BYOL and SwAV.",
    };

    /// <summary>The runs of both claims, as SimSiam's paper has them side by side; null where there are none.</summary>
    public static ReportTable? Table(IReadOnlyList<ClaimOutcome> outcomes)
    {
        (PictureArm Arm, IReadOnlyList<ClaimRow> Rows)[] run =
            [.. outcomes.Where(outcome => outcome.Claim.Name is LongerName or BatchesName).SelectMany(outcome => outcome.Arms).Where(each => each.Rows.Count > 0).Select(each => ((PictureArm)each.Arm, each.Rows))];
        return run.Length == 0 ? null : new ReportTable(
            ["method", "negatives", "momentum encoder", "batch", .. s_times.Select(times => $"{times}x")],
            [
                .. from method in s_methods
                   from batch in s_batches
                   select ReportTable.Row([method.Name, method.Negatives, method.Momentum, $"{batch}", .. s_times.Select(times => Cell(method.Method, batch, times))]),
            ]);

        // A standard arm stands in both claims, with the same runs.
        string Cell(ContrastiveMethod method, int batch, int times)
            => ClaimsReport.Cell([.. run.Where(each => each.Arm.Method == method && each.Arm.BatchSize == batch && each.Arm.Length == LengthOf(times)).Take(1).SelectMany(each => each.Rows)], Figure.Linear);
    }

    private static double LengthOf(int times) => (double)times / StandardTimes;

    private static PictureArm Arm((string Name, ContrastiveMethod Method, string Negatives, string Momentum) method, string what, double length, int batch) => new($"{method.Name}, {what}", method.Method)
    {
        Length = length,
        BatchSize = batch,
        Shows = length == 1 && batch == PictureArm.StandardBatch,
        Traits = new Dictionary<string, string> { ["negatives"] = method.Negatives, ["momentum encoder"] = method.Momentum, ["batch"] = $"{batch}" },
    };
}
