using System.Text.Json.Serialization;

namespace Microsoft.ML.Contrastive;

/// <summary>How the learning rate moves once its warm-up is over: as shares of its peak.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(CosineRate), "cosine")]
[JsonDerivedType(typeof(LinearRate), "linear")]
[JsonDerivedType(typeof(StepRate), "steps")]
[JsonDerivedType(typeof(ConstantRate), "constant")]
public abstract record RateSchedule
{
    private protected RateSchedule()
    {
    }

    /// <summary>The share of the peak.</summary>
    /// <param name="ofRun">Share of the whole run that is done, 0 to 1.</param>
    /// <param name="afterWarmup">Share that is done of what follows the warm-up, 0 to 1.</param>
    internal abstract double Share(double ofRun, double afterWarmup);

    /// <summary>Throws when a setting is out of its range.</summary>
    internal virtual void Validate()
    {
    }
}

/// <summary>Half a cosine from the peak down (Loshchilov and Hutter 2017).</summary>
/// <param name="FinalShare">Where it ends, as a share of the peak, 0 to 1. The default value is 0.</param>
public sealed record CosineRate(double FinalShare = 0) : RateSchedule
{
    internal override double Share(double ofRun, double afterWarmup) => LearningRate.HalfCosine(1, FinalShare, afterWarmup);

    internal override void Validate()
    {
        if (!(FinalShare >= 0 && FinalShare <= 1))
            throw new ArgumentOutOfRangeException(nameof(FinalShare), FinalShare, "CosineRate.FinalShare must be from 0 to 1.");
    }
}

/// <summary>A straight line from the peak down, as for BERT (Devlin et al. 2019, appendix A.2).</summary>
/// <param name="FinalShare">Where it ends, as a share of the peak, 0 to 1. The default value is 0.</param>
public sealed record LinearRate(double FinalShare = 0) : RateSchedule
{
    internal override double Share(double ofRun, double afterWarmup) => 1 - (1 - FinalShare) * afterWarmup;

    internal override void Validate()
    {
        if (!(FinalShare >= 0 && FinalShare <= 1))
            throw new ArgumentOutOfRangeException(nameof(FinalShare), FinalShare, "LinearRate.FinalShare must be from 0 to 1.");
    }
}

/// <summary>The peak throughout.</summary>
public sealed record ConstantRate : RateSchedule
{
    internal override double Share(double ofRun, double afterWarmup) => 1;
}

/// <summary>One fall of a <see cref="StepRate"/>.</summary>
/// <param name="From">Share of the whole run from which on it holds, above 0 and below 1.</param>
/// <param name="Share">The rate from there on, as a share of the peak, at least 0.</param>
public sealed record RateStep(double From, double Share);

/// <summary>The peak, and from given points of the run on another share of it, as methods had it before the cosine.</summary>
public sealed record StepRate : RateSchedule
{
    /// <summary>A rate that moves in steps.</summary>
    /// <param name="steps">See <see cref="Steps"/>.</param>
    public StepRate(params IReadOnlyList<RateStep> steps) => Steps = steps;

    /// <summary>At least one, in the order of the run.</summary>
    public IReadOnlyList<RateStep> Steps { get; init; }

    internal override double Share(double ofRun, double afterWarmup) => Steps.LastOrDefault(step => ofRun >= step.From)?.Share ?? 1;

    internal override void Validate()
    {
        if (Steps is not { Count: > 0 } || Steps.Any(step => step is null || !(step.From > 0 && step.From < 1) || !(step.Share >= 0 && double.IsFinite(step.Share)))
            || Steps.Zip(Steps.Skip(1)).Any(pair => pair.First.From >= pair.Second.From))
            throw new ArgumentException("StepRate.Steps must be at least one step, with From rising between 0 and 1 and Share at least 0.", nameof(Steps));
    }
}
