namespace Microsoft.ML.Contrastive;

/// <summary>
/// Watches a training: now and then the encoder, in evaluation mode, is measured on data of the user's. Training never learns from these, and what it
/// does is the same with and without.
/// </summary>
public abstract record TrainingMonitor
{
    private protected TrainingMonitor()
    {
    }

    /// <summary>Epochs between two measures, at least 1. The default value is 1. The last step is always measured.</summary>
    public int EveryEpochs { get; init; } = 1;

    /// <summary>Steps between two measures, at least 1; wins over <see cref="EveryEpochs"/>. The default value is null.</summary>
    public int? EverySteps { get; init; }

    /// <summary>
    /// True: Fit returns the encoder as it was when its figure was highest, the first of equals. False, the default: as it is at the end.
    /// </summary>
    public bool KeepBest { get; init; }

    /// <summary>Whether a measure is due once so many steps are done.</summary>
    internal bool IsDue(long done, RunFacts facts) => done == facts.TotalSteps || done % (EverySteps ?? EveryEpochs * facts.StepsPerEpoch) == 0;

    internal virtual void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(EveryEpochs, 1, nameof(EveryEpochs));
        ArgumentOutOfRangeException.ThrowIfLessThan(EverySteps ?? 1, 1, nameof(EverySteps));
    }
}
