using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Batch norm's running statistics through both passes: a step moves them once, by the mean of its chunks, as <see cref="BatchNorm.Splits"/> has it.
/// </summary>
internal sealed class ChunkStatistics : IDisposable
{
    private readonly (Tensor Running, Tensor Before, Tensor Sum)[] _statistics;
    private int _gathered;

    public ChunkStatistics(IChunkedLearner learner, long rows, int chunkSize)
    {
        BatchNorm[] norms = [.. learner is nn.Module module ? module.modules().OfType<BatchNorm>().Where(norm => norm.training) : []];
        if (norms.Length > 0 && (chunkSize < 2 || rows % chunkSize != 0))
            throw new ArgumentException(
                $"ChunkSize is {chunkSize} and the batch has {rows} rows: with batch norm in training all chunks must have the same rows, at least 2. Choose a ChunkSize that divides the BatchSize.", nameof(chunkSize));
        using var noGradient = no_grad();
        _statistics = [.. norms.SelectMany(norm => norm.buffers()).Select(running => (running, running.clone().DetachFromDisposeScope(), zeros_like(running).DetachFromDisposeScope()))];
    }

    /// <summary>Notes what a chunk made of the statistics, and puts them back.</summary>
    public void Gather()
    {
        _gathered++;
        foreach ((Tensor running, Tensor before, Tensor sum) in _statistics)
        {
            sum.Add(running);
            running.copy_(before);
        }
    }

    /// <summary>The mean of what was gathered is where the statistics are when this is disposed, whatever the second pass does to them.</summary>
    public void TakeMean()
    {
        foreach ((_, Tensor before, Tensor sum) in _statistics)
            before.copy_(sum.Divide(_gathered));
    }

    public void Dispose()
    {
        using var noGradient = no_grad();
        foreach ((Tensor running, Tensor before, Tensor sum) in _statistics)
        {
            running.copy_(before);
            before.Dispose();
            sum.Dispose();
        }
    }
}
