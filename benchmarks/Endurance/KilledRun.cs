using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>The program that is killed: one Fit with a checkpoint folder, which says when each step is done.</summary>
internal static class KilledRun
{
    public const string Verb = "killed-run";
    public const int Steps = 60;

    /// <summary>Trains; made to need a second or so after its start.</summary>
    public static void Run(string method, string folder)
    {
        var ml = new MLContext(1);
        using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", AllMethods.ByName[method], ImageEncoder.SmallConvNet(16),
            new TrainingOptions
            {
                Steps = Steps, BatchSize = 16, ReportEvery = 1, Progress = new Say(), CheckpointFolder = folder, CheckpointSteps = 3,
            },
            new ImageShape(32, 32, 3)).Fit(MadePictures.View(ml, count: 100, side: 32, channels: 3));
    }

    private sealed class Say : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => Console.WriteLine(value.Step.ToString(CultureInfo.InvariantCulture));
    }
}
