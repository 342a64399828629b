using System.Globalization;
using System.Text;

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

    /// <summary>One line, in the invariant culture.</summary>
    public override string ToString() => Describe("examples");

    /// <summary>The same.</summary>
    /// <param name="examples">What the run's examples are, in the plural.</param>
    internal string Describe(string examples)
    {
        // A string within another would be in the culture of the moment.
        var line = new StringBuilder();
        line.Append(CultureInfo.InvariantCulture, $"Step {Step} of {TotalSteps}, epoch {Epoch}: loss {Loss:f4}, rate {LearningRate:g3}, {ItemsPerSecond:f0} {examples}/s");
        if (!double.IsNaN(EmbeddingDeviation))
            line.Append(CultureInfo.InvariantCulture, $", embedding deviation {EmbeddingDeviation:f3}");
        line.Append(CultureInfo.InvariantCulture, $", {TimeLeft:hh\\:mm\\:ss} left");
        if (KnnAccuracy is { } knn)
            line.Append(CultureInfo.InvariantCulture, $", nearest neighbours {knn:P1} right");
        if (Similarity is { } similarity)
            line.Append(CultureInfo.InvariantCulture, $", similarity {100 * similarity:f1}");
        return line.ToString();
    }
}
