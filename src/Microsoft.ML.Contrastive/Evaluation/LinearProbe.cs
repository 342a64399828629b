using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>How a linear probe is trained.</summary>
public sealed record LinearProbeOptions
{
    /// <summary>The learning rates that are tried, each above 0, at least one. The default value is 0.001 to 1 in six steps.</summary>
    public IReadOnlyList<double> LearningRates { get; init; } = [0.001, 0.003, 0.01, 0.03, 0.1, 1];

    /// <summary>Passes over the training rows, at least 1. The default value is 100.</summary>
    public int Epochs { get; init; } = 100;

    /// <summary>Rows a step, at least 1. The default value is 256.</summary>
    public int BatchSize { get; init; } = 256;

    /// <summary>Momentum of SGD, 0 to below 1. The default value is 0.9.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Pull of the weights towards zero, at least 0. The default value is 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>The share of the training rows, above 0 and below 1, that is held out to choose the rate. The default value is 0.1.</summary>
    public double HeldOut { get; init; } = 0.1;

    internal void Validate()
    {
        if (LearningRates is null or { Count: 0 } || LearningRates.Any(rate => !(rate > 0 && double.IsFinite(rate))))
            throw new ArgumentException("LearningRates must hold at least one rate, each above 0 and finite.", nameof(LearningRates));
        ArgumentOutOfRangeException.ThrowIfLessThan(Epochs, 1, nameof(Epochs));
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1, nameof(BatchSize));
        if (!(Momentum >= 0 && Momentum < 1))
            throw new ArgumentOutOfRangeException(nameof(Momentum), Momentum, "Momentum must be at least 0 and below 1.");
        if (!(WeightDecay >= 0 && double.IsFinite(WeightDecay)))
            throw new ArgumentOutOfRangeException(nameof(WeightDecay), WeightDecay, "WeightDecay must be at least 0 and finite.");
        if (!(HeldOut > 0 && HeldOut < 1))
            throw new ArgumentOutOfRangeException(nameof(HeldOut), HeldOut, "HeldOut must be above 0 and below 1.");
    }
}

/// <summary>
/// One linear layer on frozen representations, the field's other measure beside <see cref="WeightedKnn"/>: multinomial logistic
/// regression by SGD with momentum, the rate falling along half a cosine. Features are standardised by the training rows. The rate is the one
/// that does best on a held-out part of the training rows; then the layer is trained again, on all of them.
/// </summary>
public sealed class LinearProbe : IDisposable
{
    private readonly Tensor _mean, _scale, _weight, _bias; // [D], [D], [D, C], [C]

    private LinearProbe(Tensor mean, Tensor scale, Tensor weight, Tensor bias) => (_mean, _scale, _weight, _bias) = (mean, scale, weight, bias);

    /// <summary>The rate that was chosen.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Held-out accuracy of each rate, in the order of <see cref="LinearProbeOptions.LearningRates"/>; empty where there was one rate.</summary>
    public required IReadOnlyList<double> HeldOutAccuracies { get; init; }

    /// <summary>Chooses the rate and trains.</summary>
    /// <param name="rows">Representations [N, D], at least two.</param>
    /// <param name="labels">Their classes [N], from 0, as Int64.</param>
    /// <param name="classes">C.</param>
    /// <param name="seed">Decides what is held out and the order of the rows.</param>
    /// <param name="options">Null: the defaults.</param>
    /// <exception cref="ArgumentException">A shape does not fit, or a setting is out of its range.</exception>
    public static LinearProbe Fit(Tensor rows, Tensor labels, int classes, int seed = 0, LinearProbeOptions? options = null)
    {
        options ??= new LinearProbeOptions();
        options.Validate();
        RowCheck.Matrix(rows, atLeast: 2);
        RowCheck.Labels(labels, rows, classes);
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Tensor mean = rows.mean([0]), deviation = rows.std(0, unbiased: false);
        Tensor scale = maximum(deviation, deviation.max().Times(1e-6).AtLeast(1e-12)).reciprocal(); // a channel that never changes stays at 0
        Tensor standard = rows.sub(mean).mul_(scale);

        double[] rates = [.. options.LearningRates], accuracies = [];
        if (rates.Length > 1)
        {
            int count = (int)rows.shape[0];
            long[] order = [.. Enumerable.Range(0, count).Select(row => (long)row)];
            new Random(seed).Shuffle(order);
            int held = Math.Clamp((int)Math.Round(count * options.HeldOut), 1, count - 1);
            Tensor outside = tensor(order[..held], device: rows.device), inside = tensor(order[held..], device: rows.device);
            (Tensor weight, Tensor bias) = Train(standard[inside], labels[inside], classes, rates, seed, options);
            accuracies = Accuracies(Logits(standard[outside], weight, bias, rates.Length), labels[outside]);
        }
        double best = rates.Length == 1 ? rates[0] : rates[Array.IndexOf(accuracies, accuracies.Max())]; // the first of equals
        (Tensor lastWeight, Tensor lastBias) = Train(standard, labels, classes, [best], seed, options);
        return new LinearProbe(
            mean.MoveToOuterDisposeScope(), scale.MoveToOuterDisposeScope(), lastWeight.MoveToOuterDisposeScope(), lastBias.MoveToOuterDisposeScope())
        {
            LearningRate = best,
            HeldOutAccuracies = accuracies,
        };
    }

    /// <summary>Logits [N, C].</summary>
    /// <param name="rows">Representations [N, D].</param>
    public Tensor Logits(Tensor rows)
    {
        RowCheck.Matrix(rows, atLeast: 1);
        if (rows.shape[1] != _mean.shape[0])
            throw new ArgumentException($"rows must be [N, {_mean.shape[0]}], not [{string.Join(", ", rows.shape)}].", nameof(rows));
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        return rows.sub(_mean).mul_(_scale).mm(_weight).Add(_bias).MoveToOuterDisposeScope();
    }

    /// <summary>The likeliest class of each row: [N], Int64.</summary>
    /// <param name="rows">Representations [N, D].</param>
    public Tensor Predict(Tensor rows)
    {
        using Tensor logits = Logits(rows);
        return logits.argmax(1);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor tensor in new[] { _mean, _scale, _weight, _bias })
            tensor.Dispose();
    }

    /// <summary>Trains R probes beside each other, one for each rate: weights [D, R C], biases [R C].</summary>
    private static (Tensor Weight, Tensor Bias) Train(Tensor rows, Tensor labels, int classes, double[] rates, int seed, LinearProbeOptions options)
    {
        int count = (int)rows.shape[0], batch = Math.Min(options.BatchSize, count);
        long outputs = rates.Length * classes;
        Tensor weight = zeros(rows.shape[1], outputs, rows.dtype, rows.device), bias = zeros(outputs, rows.dtype, rows.device);
        Tensor weightMotion = zeros_like(weight), biasMotion = zeros_like(bias);
        Tensor rate = tensor(rates, dtype: rows.dtype, device: rows.device).repeat_interleave(classes);
        Tensor wanted = nn.functional.one_hot(labels, classes).to(rows.dtype).unsqueeze(1); // [N, 1, C]
        long[] order = [.. Enumerable.Range(0, count).Select(row => (long)row)];
        var random = new Random(seed);
        long steps = (long)options.Epochs * (count / batch), step = 0;
        for (int epoch = 0; epoch < options.Epochs; epoch++)
        {
            random.Shuffle(order);
            for (int start = 0; start + batch <= count; start += batch, step++) // what is left over comes in another epoch
            {
                using var scope = NewDisposeScope();
                Tensor places = tensor(order[start..(start + batch)], device: rows.device);
                Tensor input = rows.index_select(0, places);
                // Of the mean cross-entropy by the logits: (softmax - wanted) / N.
                Tensor error = Logits(input, weight, bias, rates.Length).softmax(2).sub_(wanted.index_select(0, places)).Divide(batch).reshape(batch, outputs);
                weightMotion.Scale(options.Momentum).Add(input.t().mm(error)).AddScaled(weight, options.WeightDecay);
                biasMotion.Scale(options.Momentum).Add(error.sum(0));
                double now = 0.5 * (1 + Math.Cos(Math.PI * step / steps));
                weight.sub_(weightMotion.mul(rate).Scale(now));
                bias.sub_(biasMotion.mul(rate).Scale(now));
            }
        }
        return (weight, bias);
    }

    /// <summary>[N, R, C].</summary>
    private static Tensor Logits(Tensor rows, Tensor weight, Tensor bias, int rates)
        => rows.mm(weight).Add(bias).reshape(rows.shape[0], rates, -1);

    private static double[] Accuracies(Tensor logits, Tensor labels)
    {
        using Tensor right = logits.argmax(2).eq(labels.unsqueeze(1)).to(ScalarType.Float64).mean([0]);
        return [.. right.cpu().data<double>()];
    }
}
