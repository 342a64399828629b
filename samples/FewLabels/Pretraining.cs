using Microsoft.ML;
using Microsoft.ML.Contrastive;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace FewLabels;

/// <summary>The library's part of the demo: the recipe's method, encoder and training put together.</summary>
internal sealed class Pretraining(MLContext ml, Recipe recipe, string? checkpoints)
{
    private readonly List<(int Step, double Loss)> _losses = [];

    public IReadOnlyList<(int Step, double Loss)> Losses => _losses;

    /// <summary>The encoder as it is before training: the rival of the same shape.</summary>
    public ITransformer Untrained(IDataView images) => Estimator(progress: null).Untrained(images);

    /// <summary>Trains. Ctrl+C asks it to stop between two steps, which leaves a checkpoint; a second one ends the process at once.</summary>
    public ITransformer Fit(IDataView images, Action<double, string> show)
    {
        using var stop = new CancellationTokenSource();
        void Stop(object? sender, ConsoleCancelEventArgs pressed)
        {
            pressed.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        }

        Console.CancelKeyPress += Stop;
        try
        {
            return Estimator(new EachReport(p =>
            {
                _losses.Add(((int)p.Step, p.Loss));
                show((double)p.Step / p.TotalSteps, $"loss {p.Loss:f3}, {p.ItemsPerSecond:f0} images/s, {p.TimeLeft:m\\:ss} left");
            }), stop.Token).Fit(images);
        }
        finally
        {
            Console.CancelKeyPress -= Stop;
        }
    }

    public Module<Tensor, Tensor> CreateEncoder(int seed) => recipe.Encoder.CreateModule(channels: 1, seed);

    private ContrastivePretrainEstimator Estimator(IProgress<TrainingProgress>? progress, CancellationToken stop = default) => ml.Transforms.ContrastivePretrain(
        "Features", "Image", recipe.Method, recipe.Encoder,
        new TrainingOptions
        {
            Epochs = recipe.PretrainingEpochs,
            Steps = recipe.PretrainingSteps,
            BatchSize = recipe.BatchSize,
            KeepFreedMemory = true,
            Progress = progress,
            CheckpointFolder = checkpoints,
            CheckpointInterval = TimeSpan.FromMinutes(1),
            CancellationToken = stop,
        },
        new ImageShape(ImageSet.Side, ImageSet.Side, 1));

    // Progress<T> would hand the reports to the thread pool, in no order.
    private sealed class EachReport(Action<TrainingProgress> show) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => show(value);
    }
}
