using System.Globalization;
using Microsoft.ML.Contrastive.Benchmarks;
using Microsoft.ML.Data;
using TorchSharp;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>Live tensors and memory of long training and of long transforming, in a process that does nothing else.</summary>
internal static class LongRuns
{
    private const int Side = 16, BatchSize = 8;
    private const long Allowed = 20_000_000;

    /// <summary>True when nothing grew: the tensors by none, the memory by less than 20 MB.</summary>
    /// <param name="methods">Names; each trains.</param>
    /// <param name="steps">Growth is that from step 1,000, or a fifth of the run where that is less, to the last.</param>
    /// <param name="batches">The same for batches that are transformed, of which the first 1,000, or a twentieth, may grow.</param>
    public static bool Run(IEnumerable<string> methods, int steps, int batches)
    {
        Console.WriteLine($"{"",-14}{"from",8}{"to",8}{"MB then",10}{"MB at end",11}{"growth",8}{"tensors then",14}{"at end",8}");
        bool all = true;
        foreach (string method in methods)
            all &= Show(method, Train(AllMethods.ByName[method], Math.Min(1000, steps / 5), steps));
        return all & Show("transform", Transform(Math.Min(1000, batches / 20), batches));
    }

    private static bool Show(string what, (Point Then, Point End) growth)
    {
        (Point then, Point end) = growth;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{what,-14}{then.At,8}{end.At,8}{then.Memory / 1e6,10:f1}{end.Memory / 1e6,11:f1}{(end.Memory - then.Memory) / 1e6,8:f1}{then.Tensors,14}{end.Tensors,8}"));
        return end.Tensors <= then.Tensors && end.Memory - then.Memory < Allowed;
    }

    private static (Point Then, Point End) Train(ContrastiveMethod method, int from, int steps)
    {
        var ml = new MLContext(1);
        Point then = default, end = default;
        var options = new TrainingOptions
        {
            Steps = steps + 10, BatchSize = 2 * BatchSize, ReportEvery = 1, Progress = new OnProgress(report =>
            {
                if (report.Step == from)
                    then = Measure(from);
                else if (report.Step == steps)
                    end = Measure(steps);
            }),
        };
        using var encoder = ml.Transforms.ContrastivePretrain("Features", "Image", method, ImageEncoder.SmallConvNet(8), options, new ImageShape(Side, Side, 3))
            .Fit(MadePictures.View(ml, 20 * BatchSize, Side, 3));
        return (then, end);
    }

    private static (Point Then, Point End) Transform(int from, int batches)
    {
        var ml = new MLContext(1);
        IDataView pictures = MadePictures.View(ml, 20 * BatchSize, Side, 3);
        var estimator = ml.Transforms.ContrastivePretrain(new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = "Features", InputColumnName = "Image", ImageShape = new ImageShape(Side, Side, 3),
            Encoder = ImageEncoder.SmallConvNet(8), Training = new TrainingOptions { Steps = 1, BatchSize = 2 * BatchSize }, TransformBatchSize = BatchSize,
        });
        using var encoder = estimator.Fit(pictures);
        Point then = default;
        int row = 0;
        foreach (Row _ in ml.Data.CreateEnumerable<Row>(encoder.Transform(MadePictures.Endless(ml, (long)batches * BatchSize, Side, 3)), reuseRowObject: true))
            if (++row == from * BatchSize)
                then = Measure(from);
        return (then, Measure(batches));
    }

    private static Point Measure(int at) => new(at, ProcessMemory.AfterCollection(), torch.Tensor.TotalCount);

    private readonly record struct Point(int At, long Memory, long Tensors);

    private sealed class Row
    {
        public float[] Features { get; set; } = [];
    }
}
