using System.Globalization;
using Microsoft.ML.Contrastive.Benchmarks;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>The program that is killed: one Fit with a checkpoint folder, which says when each step is done.</summary>
internal static class KilledRun
{
    public const string Verb = "killed-run";
    public const int Steps = 60;

    /// <summary>Trains; made to need a second or so after its start. 1 where the folder can't be written.</summary>
    public static int Run(string method, string folder)
    {
        var ml = new MLContext(1);
        var estimator = ml.Transforms.ContrastivePretrain(
            "Features", "Image", AllMethods.ByName[method], ImageEncoder.SmallConvNet(16),
            new TrainingOptions
            {
                Steps = Steps, BatchSize = 16, ReportEvery = 1, Progress = new OnProgress(report => Console.WriteLine(report.Step.ToString(CultureInfo.InvariantCulture))), CheckpointFolder = folder, CheckpointSteps = 3,
                LinearKernel = LinearKernel.Product, // a trial on a crowded machine may end otherwise in the next process
            },
            new ImageShape(32, 32, 3));
        try
        {
            estimator.Fit(MadePictures.View(ml, count: 100, side: 32, channels: 3)).Dispose();
            return 0;
        }
        catch (IOException error)
        {
            Console.Error.WriteLine(error.Message);
            return 1;
        }
    }
}
