using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Where training stands while a method computes its loss.</summary>
/// <param name="index">See <see cref="Index"/>.</param>
/// <param name="total">See <see cref="Total"/>.</param>
/// <param name="seed">See <see cref="Seed"/>.</param>
public sealed class Step(long index, long total, ulong seed)
{
    /// <summary>Number of steps done before this one, from 0.</summary>
    public long Index { get; } = index;

    /// <summary>Number of steps of the whole run.</summary>
    public long Total { get; } = total;

    /// <summary>The run's seed; whatever a method draws is a function of it and of <see cref="Index"/>.</summary>
    public ulong Seed { get; } = seed;

    /// <summary>
    /// Set by the method in <see cref="Learner.Loss"/>: the representations [N, D] whose spread shows a collapse,
    /// usually the first view's projections. They live as long as the step.
    /// </summary>
    public Tensor? Embedding { get; set; }
}
