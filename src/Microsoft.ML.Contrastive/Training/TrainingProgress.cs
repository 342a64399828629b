namespace Microsoft.ML.Contrastive;

/// <summary>Where training stands.</summary>
/// <param name="Epoch">Epoch of this step, from 0.</param>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="TotalSteps">Steps of the whole run.</param>
/// <param name="Loss">Mean loss of the steps since the last report.</param>
/// <param name="LearningRate">The rate of this step.</param>
/// <param name="ItemsPerSecond">Examples a second since the last report; each example has all its views.</param>
/// <param name="TimeLeft">Estimated from the run so far.</param>
/// <param name="EmbeddingDeviation">
/// Deviation of unit embeddings per channel, times sqrt(D): near 1 when they fill the sphere, near 0 when they have collapsed.
/// </param>
/// <param name="FlatLoss">The loss where all similarities are equal, such as ln(1 + K): a run that stays there learns nothing. Null where the method has none.</param>
public sealed record TrainingProgress(
    long Epoch, long Step, long TotalSteps, double Loss, double LearningRate, double ItemsPerSecond, TimeSpan TimeLeft,
    double EmbeddingDeviation, double? FlatLoss)
{
    /// <summary>Share of the <see cref="KnnMonitor"/>'s queries whose class was found after this step; null where none was measured.</summary>
    public double? KnnAccuracy { get; init; }

    /// <summary>Spearman's correlation of the <see cref="SimilarityMonitor"/>'s pairs after this step, -1 to 1; null where none was measured.</summary>
    public double? Similarity { get; init; }
}
