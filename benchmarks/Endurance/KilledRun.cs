using System.Globalization;
using Microsoft.ML.Contrastive.Benchmarks;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>The program that is killed: one Fit with a checkpoint folder, which says when each step is done.</summary>
internal static class KilledRun
{
    public const string Verb = "killed-run", Monitored = "Monitored", FineTuning = "FineTuning", Multiview = "Multiview";
    public const int Steps = 60;

    private static readonly ImageEncoder s_network = ImageEncoder.SmallConvNet(16);
    private static readonly ImageShape s_shape = new(32, 32, 3);

    /// <summary>What can be run: every method of pictures, and what has state of its own beside them.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. AllMethods.ByName.Keys, Monitored, FineTuning, Multiview];

    /// <summary>Trains; made to need a second or so after its start. 1 where the folder can't be written.</summary>
    public static int Run(string name, string folder)
    {
        var ml = new MLContext(1);
        IDataView data = MadePictures.View(ml, count: 100, side: 32, channels: 3);
        var training = new TrainingOptions
        {
            Steps = Steps, BatchSize = 16, ReportEvery = 1, Progress = new OnProgress(report => Console.WriteLine(report.Step.ToString(CultureInfo.InvariantCulture))), CheckpointFolder = folder, CheckpointSteps = 3,
            LinearKernel = LinearKernel.Product, // a trial on a crowded machine may end otherwise in the next process
        };
        try
        {
            Train(ml, name, data, training);
            return 0;
        }
        catch (IOException error)
        {
            Console.Error.WriteLine(error.Message);
            return 1;
        }
    }

    private static void Train(MLContext ml, string name, IDataView data, TrainingOptions training)
    {
        switch (name)
        {
            case Monitored:
                var monitor = new KnnMonitor { Bank = data, Queries = MadePictures.View(ml, count: 40, side: 32, channels: 3, seed: 2), K = 5, EverySteps = 4, KeepBest = true };
                Pretrain(new SimClrV1(), training with { Monitor = monitor }).Fit(data).Dispose();
                break;
            case FineTuning:
                using (ContrastivePretrainTransformer encoder = Pretrain(new SimClrV1(), new TrainingOptions { BatchSize = 16 }).Untrained(data))
                    ml.Transforms.Conversion.MapValueToKey("Label").Append(ml.MulticlassClassification.Trainers.FineTune(encoder, training: training)).Fit(data).Dispose();
                break;
            case Multiview:
                ml.Transforms.CopyColumns("Other", "Image").Append(ml.Transforms.ContrastivePretrain(
                    "Features", ["Image", "Other"], new Cmc { Contrast = BankContrast.Nce }, s_network, training, [s_shape, s_shape])).Fit(data).Dispose();
                break;
            default:
                Pretrain(AllMethods.ByName[name], training).Fit(data).Dispose();
                break;
        }

        ContrastivePretrainEstimator Pretrain(ContrastiveMethod method, TrainingOptions options) => ml.Transforms.ContrastivePretrain("Features", "Image", method, s_network, options, s_shape);
    }
}
