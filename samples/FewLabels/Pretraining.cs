using Microsoft.ML;
using Microsoft.ML.Contrastive;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace FewLabels;

/// <summary>The library's part of the demo: what learns, from what views, how long.</summary>
internal sealed class Pretraining(MLContext ml, Recipe recipe)
{
    private static readonly ImageShape Shape = new(ImageSet.Side, ImageSet.Side, 1);

    public List<(int Step, double Loss)> Losses { get; } = [];

    /// <summary>The encoder as it is before training: the rival of the same shape.</summary>
    public ITransformer Untrained(IDataView images) => Estimator(null).Untrained(images);

    public ITransformer Fit(IDataView images, Action<double, string> progress) => Estimator(new Report(p =>
    {
        Losses.Add((p.Step, p.Loss));
        progress((double)p.Step / p.TotalSteps, $"epoch {p.Epoch + 1}, loss {p.Loss:f3}, {p.ItemsPerSecond:f0} images/s, {p.TimeLeft:m\\:ss} left");
    })).Fit(images);

    public Module<Tensor, Tensor> CreateEncoder(int seed) => recipe.Encoder.CreateModule(1, ImageSet.Side, seed);

    private ContrastivePretrainEstimator Estimator(IProgress<TrainingProgress>? progress) =>
        ml.Transforms.ContrastivePretrain("Features", "Image", recipe.Method, recipe.Encoder, recipe.Training with { Progress = progress }, Shape);

    // Progress<T> would hand the calls to the thread pool, in no order.
    private sealed class Report(Action<TrainingProgress> show) : IProgress<TrainingProgress>
    {
        void IProgress<TrainingProgress>.Report(TrainingProgress value) => show(value);
    }
}
