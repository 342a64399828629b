namespace Microsoft.ML.Contrastive;

/// <summary>Calls back at once, on the thread that trains; <see cref="Progress{T}"/> would do it on the thread pool's, in no order.</summary>
internal sealed class OnProgress(Action<TrainingProgress> act) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value) => act(value);
}
