using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;

namespace Microsoft.ML.Contrastive;

/// <summary>How a method's gradient becomes a step.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(Sgd), "sgd")]
[JsonDerivedType(typeof(Lars), "lars")]
[JsonDerivedType(typeof(AdamW), "adamW")]
public abstract record OptimizerSettings
{
    private protected OptimizerSettings()
    {
    }

    /// <summary>Pull towards zero, at least 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Whether biases, the scales and shifts of norms, class tokens and learned positions decay too.</summary>
    public bool DecayBiasesAndNorms { get; init; }

    /// <summary>Throws when a setting is out of its range.</summary>
    internal virtual void Validate()
    {
        if (!(WeightDecay >= 0 && double.IsFinite(WeightDecay)))
            throw new ArgumentOutOfRangeException(nameof(WeightDecay), WeightDecay, "WeightDecay must be at least 0 and finite.");
    }

    /// <summary>A share that must stay below 1, as a momentum.</summary>
    private protected static void CheckShare(double value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!(value >= 0 && value < 1))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be at least 0 and below 1.");
    }

    private protected static void CheckPositive(double value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!(value > 0 && double.IsFinite(value)))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be above 0 and finite.");
    }
}

/// <summary>
/// Stochastic gradient descent: v = m v + (g + decay w), w = w - rate v. Biases and norms decay unless
/// <see cref="OptimizerSettings.DecayBiasesAndNorms"/> is turned off, as in MoCo's and SimSiam's code.
/// </summary>
public sealed record Sgd : OptimizerSettings
{
    /// <summary>SGD with decay on all parameters.</summary>
    public Sgd() => DecayBiasesAndNorms = true;

    /// <summary>m, 0 to below 1. The default value is 0.9.</summary>
    public double Momentum { get; init; } = 0.9;

    internal override void Validate()
    {
        base.Validate();
        CheckShare(Momentum);
    }
}

/// <summary>
/// Layer-wise adaptive rates (You et al. 2017) in the form used for large-batch self-supervision: decay is added first,
/// each weight matrix's gradient is scaled by <c>TrustCoefficient * ||w|| / ||g + decay w||</c> (1 where a norm is 0), and the
/// rate is applied after the momentum. Parameters of one dimension have neither scaling nor decay.
/// </summary>
public sealed record Lars : OptimizerSettings
{
    /// <summary>Momentum, 0 to below 1. The default value is 0.9.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>The trust coefficient, above 0. The default value is 0.001.</summary>
    public double TrustCoefficient { get; init; } = 0.001;

    /// <summary>True: each step's rate goes into the momentum with its gradient, as in SimCLR's TensorFlow code; the two differ where the rate changes. The default value is false.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] // checkpoints of before have it not
    public bool RateInMomentum { get; init; }

    internal override void Validate()
    {
        base.Validate();
        CheckShare(Momentum);
        CheckPositive(TrustCoefficient);
    }
}

/// <summary>Adam with decoupled weight decay (Loshchilov and Hutter 2019). Biases and norms do not decay.</summary>
public sealed record AdamW : OptimizerSettings
{
    /// <summary>
    /// Where <see cref="OptimizerSettings.WeightDecay"/> arrives at the end of the run, along half a cosine, at least 0 (Caron et al. 2021, section
    /// 4). Null, the default: it stays.
    /// </summary>
    public double? FinalWeightDecay { get; init; }

    /// <summary>Decay of the gradient's mean, 0 to below 1. The default value is 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the squared gradient's mean, 0 to below 1. The default value is 0.999.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Added to the root, above 0. The default value is 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    internal override void Validate()
    {
        base.Validate();
        if (FinalWeightDecay is { } final && !(final >= 0 && double.IsFinite(final)))
            throw new ArgumentOutOfRangeException(nameof(FinalWeightDecay), final, "FinalWeightDecay must be at least 0 and finite.");
        CheckShare(Beta1);
        CheckShare(Beta2);
        CheckPositive(Epsilon);
    }
}

/// <summary>How the learning rate grows with the batch.</summary>
public enum RateScaling
{
    /// <summary>Rate = base * batch / 256 (Goyal et al. 2017): the default.</summary>
    Linear,

    /// <summary>Rate = base * sqrt(batch) (Chen et al. 2020, appendix B.1).</summary>
    SquareRoot,

    /// <summary>Rate = base, whatever the batch.</summary>
    None,
}

/// <summary>A learning rate that rises linearly from 0 and then follows its <see cref="Schedule"/>: by default half a cosine to 0.</summary>
/// <param name="Base">The rate before scaling, above 0.</param>
/// <param name="WarmupEpochs">Epochs of linear rise, at least 0; never more than a tenth of the run. The default value is 0.</param>
/// <param name="Scaling">How the rate grows with the batch. The default value is <see cref="RateScaling.Linear"/>.</param>
public sealed record LearningRate(double Base, double WarmupEpochs = 0, RateScaling Scaling = RateScaling.Linear)
{
    /// <summary>What follows the warm-up. The default value is a <see cref="CosineRate"/> to 0.</summary>
    public RateSchedule Schedule { get; init; } = new CosineRate();

    /// <summary>The highest rate, reached after the warm-up.</summary>
    public double Peak(int batchSize) => Scaling switch
    {
        RateScaling.Linear => Base * batchSize / 256,
        RateScaling.SquareRoot => Base * Math.Sqrt(batchSize),
        _ => Base,
    };

    /// <summary>The rate of a step: linear from 0 to the peak over the warm-up (Goyal et al. 2017), then as the schedule says.</summary>
    /// <param name="peak">See <see cref="Peak"/>.</param>
    /// <param name="warmupSteps">Steps of the rise.</param>
    /// <param name="total">Steps of the run.</param>
    /// <param name="step">0 to <paramref name="total"/>.</param>
    internal double At(double peak, double warmupSteps, long total, long step)
        => step < warmupSteps
            ? peak * step / warmupSteps
            : peak * Schedule.Share((double)step / total, total > warmupSteps ? (step - warmupSteps) / (total - warmupSteps) : 1);

    /// <summary>Half a cosine from a first value to a last.</summary>
    /// <param name="first">At <paramref name="done"/> 0.</param>
    /// <param name="last">At <paramref name="done"/> 1.</param>
    /// <param name="done">0 to 1.</param>
    internal static double HalfCosine(double first, double last, double done) => last + (first - last) * (1 + Math.Cos(Math.PI * done)) / 2;

    /// <summary>Throws when a setting is out of its range.</summary>
    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Schedule, nameof(Schedule));
        Schedule.Validate();
        if (!(Base > 0 && double.IsFinite(Base)))
            throw new ArgumentOutOfRangeException(nameof(Base), Base, "The learning rate (LearningRate.Base) must be above 0 and finite.");
        if (!(WarmupEpochs >= 0 && double.IsFinite(WarmupEpochs)))
            throw new ArgumentOutOfRangeException(nameof(WarmupEpochs), WarmupEpochs, "LearningRate.WarmupEpochs must be at least 0 and finite.");
        if (!Enum.IsDefined(Scaling))
            throw new ArgumentOutOfRangeException(nameof(Scaling), Scaling, "LearningRate.Scaling must be Linear, SquareRoot or None.");
    }
}
