namespace Microsoft.ML.Contrastive;

/// <summary>
/// Watches a training by weighted nearest neighbours (<see cref="WeightedKnn"/>) on labelled pictures, as the field does: now and then the
/// encoder, in evaluation mode, classifies <see cref="Queries"/> by <see cref="Bank"/>. Training never learns from the labels, and
/// what it does is the same with and without.
/// </summary>
/// <remarks>
/// Both are read as Fit reads its pictures, each within a <see cref="TrainingOptions.MemoryBudget"/> of its own. Whoever keeps the best,
/// or stops, by these figures has chosen by <see cref="Queries"/>: take held-out training pictures, and report on others.
/// </remarks>
public sealed record KnnMonitor : TrainingMonitor
{
    /// <summary>Labelled pictures whose classes vote, in columns of the same names and kinds as Fit's.</summary>
    public required IDataView Bank { get; init; }

    /// <summary>Labelled pictures that are classified. A class that <see cref="Bank"/> lacks counts as wrong.</summary>
    public required IDataView Queries { get; init; }

    /// <summary>The class, in both: a key, text, a number or a truth value; compared by what it reads as. The default value is Label.</summary>
    public string LabelColumnName { get; init; } = "Label";

    /// <summary>Neighbours that vote, 1 to the rows of <see cref="Bank"/>. The default value is 200.</summary>
    public int K { get; init; } = 200;

    /// <summary>t of the votes exp(cosine / t), above 0. The default value is 0.1, as on CIFAR-10; ImageNet's is 0.07.</summary>
    public double Temperature { get; init; } = 0.1;

    internal override void Validate()
    {
        base.Validate();
        ArgumentNullException.ThrowIfNull(Bank, $"{nameof(TrainingOptions.Monitor)}.{nameof(Bank)}");
        ArgumentNullException.ThrowIfNull(Queries, $"{nameof(TrainingOptions.Monitor)}.{nameof(Queries)}");
        ArgumentException.ThrowIfNullOrEmpty(LabelColumnName, nameof(LabelColumnName));
        ArgumentOutOfRangeException.ThrowIfLessThan(K, 1, nameof(K));
        RowCheck.Positive(Temperature, nameof(Temperature));
    }
}
