using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What one step showed.</summary>
/// <param name="Loss">The loss before the step.</param>
/// <param name="EmbeddingDeviation">
/// Mean over channels of the deviation of unit embeddings, times sqrt(D): about 1 when they fill the sphere, 0 when they
/// have collapsed. NaN when it was not asked for.
/// </param>
internal readonly record struct StepResult(double Loss, double EmbeddingDeviation);

/// <summary>
/// One training step, the same for every method: targets that go first, loss, gradient, optimizer, targets that go last,
/// memory. It owns the flat buffers, which the learner's parameters look into from then on.
/// </summary>
internal sealed class StepRunner : IDisposable
{
    private readonly double? _maxGradientNorm, _maxParameterGradientNorm;
    private readonly int? _chunkSize;
    private readonly Action? _trimMemory;
    private readonly Arithmetic _arithmetic;
    private readonly FlatParameters _parameters;
    private readonly Optimizer _optimizer;
    private readonly long _numbers;

    /// <param name="learner">On its device.</param>
    /// <param name="settings">The optimizer.</param>
    /// <param name="maxGradientNorm">See <see cref="ContrastiveMethod.MaxGradientNorm"/>.</param>
    /// <param name="maxParameterGradientNorm">See <see cref="ContrastiveMethod.MaxParameterGradientNorm"/>.</param>
    /// <param name="chunkSize">See <see cref="TrainingOptions.ChunkSize"/>.</param>
    /// <param name="arithmetic">How products are computed; null for single precision.</param>
    /// <param name="trimMemory">Gives freed native memory back, between chunks; null to keep it.</param>
    /// <exception cref="ArgumentException">The learner can't be trained in chunks.</exception>
    public StepRunner(
        Learner learner, OptimizerSettings settings, double? maxGradientNorm = null, double? maxParameterGradientNorm = null, int? chunkSize = null, Arithmetic? arithmetic = null,
        Action? trimMemory = null)
    {
        if (chunkSize is not null)
            ChunkedLearners.Check(learner);
        (_chunkSize, _arithmetic, _trimMemory) = (chunkSize, arithmetic ?? Arithmetic.Plain, trimMemory);
        (Learner, _maxGradientNorm, _maxParameterGradientNorm) = (learner, maxGradientNorm, maxParameterGradientNorm);
        _parameters = new FlatParameters(learner);
        _optimizer = Optimizer.Create(settings, _parameters.Groups);
        _numbers = learner.state_dict().Values.Sum(value => value.numel());
    }

    public Learner Learner { get; }

    /// <summary>All that the next step needs beside its views and its index: weights, targets, statistics, memory, and what the optimizer remembers.</summary>
    public IEnumerable<(string Name, Tensor Value)> State =>
    [
        .. Learner.state_dict().Select(entry => ($"learner.{entry.Key}", entry.Value)),
        .. _optimizer.State.Select(entry => ($"optimizer.{entry.Name}", entry.Value)),
    ];

    public StepResult Run(Views views, Step step, double rate, double constantRate, bool measureEmbedding = false)
    {
        using var scope = NewDisposeScope();
        using Arithmetic.Scope arithmetic = _arithmetic.Use();
        using SmallWork.Scope? small = IsOnCpu ? SmallWork.Begin(LeastWork(views)) : null;
        using (no_grad())
            _parameters.UpdateTargets(MomentumTiming.BeforeLoss, step);

        _parameters.Gradients.zero_();
        double value = _chunkSize is { } size ? GradientCache.Backward((IChunkedLearner)Learner, views, step, size, _trimMemory) : Backward(views, step);
        if (!double.IsFinite(value))
            return new StepResult(value, double.NaN);

        using (no_grad())
        {
            if (_maxParameterGradientNorm is { } each)
                ShortenEach(each);
            if (_maxGradientNorm is { } limit)
            {
                double norm = _parameters.Gradients.norm().ToDouble();
                if (norm > limit)
                    _parameters.Gradients.Scale(limit / norm);
            }
            _optimizer.Step(step, rate, constantRate);
            _parameters.UpdateTargets(MomentumTiming.AfterStep, step);
            Learner.AfterStep(step);
            return new StepResult(value, measureEmbedding && step.Embedding is { } embedding ? Collapse.EmbeddingDeviation(embedding) : double.NaN);
        }
    }

    private bool IsOnCpu => _parameters.Gradients.device_type == DeviceType.CPU;

    /// <summary>Each row meets each number of the learner, memory included, and may meet each other row: what no layer counts is in here.</summary>
    private long LeastWork(Views views)
    {
        long rows = views.Count * views.Rows;
        return rows * (_numbers + rows);
    }

    private double Backward(Views views, Step step)
    {
        Tensor loss = Learner.Loss(views, step);
        double value = loss.ToDouble();
        if (double.IsFinite(value))
            loss.backward();
        return value;
    }

    /// <summary>Each parameter's gradient to a length of at most <paramref name="limit"/>, without leaving the device.</summary>
    private void ShortenEach(double limit)
    {
        foreach ((_, Tensor gradient) in _parameters.Groups.SelectMany(group => group.Tensors))
            gradient.mul_(gradient.norm().Power(-1).Scale(limit).Lower(1)); // a gradient of 0 has the factor 1
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _parameters.Dispose();
    }
}

internal static class ScalarReading
{
    /// <summary>The number in a scalar tensor of any floating type.</summary>
    public static double ToDouble(this Tensor scalar) => scalar.dtype == ScalarType.Float64 ? scalar.item<double>() : scalar.item<float>();
}
