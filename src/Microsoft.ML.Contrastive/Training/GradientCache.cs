using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The gradient of a large batch in the memory of a small one (Gao et al. 2021, "Scaling deep contrastive learning batch size under memory limited peak setup"):
/// representations are made chunk by chunk without a graph, the loss is taken of all of them, and its gradient with respect to each is carried through its chunk's
/// network in a second pass. Equal to the whole batch's gradient, unlike gradients of chunks' own losses, as long as no layer mixes rows. Batch norm in training
/// does: there the result is that of a whole batch whose norms are split into the chunks (<see cref="ChunkStatistics"/>).
/// </summary>
internal static class GradientCache
{
    /// <summary>The loss of a batch, and its gradient added to the parameters'.</summary>
    /// <param name="learner">One that <see cref="ChunkedLearners.Check"/> let pass.</param>
    /// <param name="views">The batch.</param>
    /// <param name="step">The step.</param>
    /// <param name="chunkSize">Rows that pass the network together, at least 1.</param>
    /// <param name="trimMemory">Gives freed native memory back: each chunk's blocks fragment the heap, which else grew by 30 MB with each.</param>
    /// <returns>The loss; where it is not finite, no gradient was added.</returns>
    /// <exception cref="ArgumentException">Batch norm in training, and chunks of different sizes or of one row.</exception>
    public static double Backward(IChunkedLearner learner, Views views, Step step, int chunkSize, Action? trimMemory = null)
    {
        using var statistics = new ChunkStatistics(learner, views.Rows, chunkSize);
        (long Start, long Count)[] chunks = [.. Enumerable.Range(0, (int)((views.Rows + chunkSize - 1) / chunkSize))
            .Select(chunk => ((long)chunk * chunkSize, Math.Min(chunkSize, views.Rows - (long)chunk * chunkSize)))];
        Tensor[] whole;
        using (no_grad())
        {
            Tensor[][] parts = [.. chunks.Select((chunk, index) =>
            {
                using var scope = NewDisposeScope();
                Tensor[] made = [.. Chunk(chunk, index).Select(part => part.MoveToOuterDisposeScope())];
                statistics.Gather();
                return made;
            })];
            statistics.TakeMean();
            whole = [.. Enumerable.Range(0, parts[0].Length).Select(which => cat([.. parts.Select(part => part[which])], 0))];
        }
        foreach (Tensor representation in whole)
            representation.requires_grad_();
        double value;
        using (NewDisposeScope()) // what the loss is made of may be larger than a chunk: it goes before the second pass
        {
            Tensor loss = learner.Contrast(whole, views, step);
            value = loss.ToDouble();
            step.Embedding = step.Embedding?.detach().MoveToOuterDisposeScope();
            if (!double.IsFinite(value))
                return value;
            loss.backward();
        }

        foreach ((int index, (long start, long count)) in chunks.Index())
        {
            trimMemory?.Invoke();
            using var scope = NewDisposeScope();
            Tensor[] parts = Chunk((start, count), index);
            Tensor product = zeros(1, whole[0].dtype, whole[0].device).squeeze();
            foreach ((Tensor part, Tensor representation) in parts.Zip(whole))
                if (part.requires_grad && representation.grad is { } gradient)
                    product = product.Plus(part.mul(gradient.narrow(0, start, count)).sum());
            if (product.requires_grad) // not where all networks are frozen and the loss alone has parameters
                product.backward();
        }
        return value;

        Tensor[] Chunk((long Start, long Count) chunk, int index)
        {
            using Views rows = views.Narrow(chunk.Start, chunk.Count);
            return [.. learner.Represent(rows, step, index)];
        }
    }
}
