using Microsoft.ML.Contrastive;

namespace FewLabels;

/// <summary>All numbers that were chosen, in one place; docs/few-labels.md tells what was tried.</summary>
internal sealed record Recipe
{
    /// <summary>Everything in small, to see that it runs; its figures mean nothing.</summary>
    public static Recipe Quick { get; } = new()
    {
        UnlabelledImages = 2_000,
        Method = new SimClrV1(),
        Encoder = ImageEncoder.SmallConvNet(width: 8),
        PretrainingEpochs = 1,
        LabelCounts = [50, 100],
        Draws = 2,
        TrialDraws = 2,
        ValidationImages = 200,
        TestImages = 500,
        L2 = [1e-4f, 1e-3f],
        Ranks = [20],
        LabelsAloneSteps = new() { [50] = [4], [100] = [4] },
        LabelsAloneRate = 0.003,
        LabelsAloneTrialDraws = 1,
    };

    public required int UnlabelledImages { get; init; }

    public required int[] LabelCounts { get; init; }

    public required int Draws { get; init; }

    public required int ValidationImages { get; init; }

    public required int TestImages { get; init; }

    /// <summary>Regularisations of the classifier; for each input and number of labels the best one is taken.</summary>
    public required float[] L2 { get; init; }

    /// <summary>How many of the draws decide a setting.</summary>
    public int TrialDraws { get; init; } = 5;

    /// <summary>Numbers of principal components, likewise.</summary>
    public required int[] Ranks { get; init; }

    /// <summary>Lengths of training when the encoder learns from the labels alone, for each number of labels, likewise.</summary>
    public required Dictionary<int, int[]> LabelsAloneSteps { get; init; }

    public required double LabelsAloneRate { get; init; }

    /// <summary>How many of the draws decide that length.</summary>
    public required int LabelsAloneTrialDraws { get; init; }

    /// <summary>What the encoder learns by.</summary>
    public required ContrastiveMethod Method { get; init; }

    public required ImageEncoder Encoder { get; init; }

    public int BatchSize { get; init; } = 256;

    /// <summary>Passes over the unlabelled images, unless <see cref="PretrainingSteps"/> is given.</summary>
    public required int PretrainingEpochs { get; init; }

    public int? PretrainingSteps { get; init; }

    public int Seed { get; init; } = 1;

    public string Description =>
        $"{UnlabelledImages:N0} unlabelled images; {Draws} draws of {string.Join(" and ", LabelCounts.Select(n => $"{n:N0}"))} labelled ones, " +
        $"random with as many of each class, the same for every input; {ValidationImages:N0} other labelled images for validation, {TestImages:N0} for the test.";
}
