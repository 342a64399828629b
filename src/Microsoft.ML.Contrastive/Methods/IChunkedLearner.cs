using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A learner whose loss is of representations alone, each row's made from that row's views alone: its batch may pass the network in chunks
/// (TrainingOptions.ChunkSize) with the gradient of the whole batch. A <see cref="Learner"/> implements it beside its <see cref="Learner.Loss"/>, which is
/// <see cref="Contrast"/> of what <see cref="Represent"/> gives.
/// </summary>
public interface IChunkedLearner
{
    /// <summary>What the loss looks at, of some rows of a batch.</summary>
    /// <param name="views">Those rows.</param>
    /// <param name="step">The step.</param>
    /// <param name="chunk">Which chunk it is, from 0. It is called twice for each and must draw the same both times: seed dropout by the step and this number.</param>
    /// <returns>One tensor or several, [rows, ...] each.</returns>
    IReadOnlyList<Tensor> Represent(Views views, Step step, int chunk);

    /// <summary>The loss of a whole batch, a scalar with its graph.</summary>
    /// <param name="representations">As <see cref="Represent"/> gives them, of all rows.</param>
    /// <param name="views">The batch.</param>
    /// <param name="step">The step.</param>
    Tensor Contrast(IReadOnlyList<Tensor> representations, Views views, Step step);
}

/// <summary>Which learners may be trained in chunks.</summary>
internal static class ChunkedLearners
{
    /// <summary>Throws where a batch in chunks would have another gradient than the whole.</summary>
    /// <exception cref="ArgumentException">It would; the message says what to do.</exception>
    public static void Check(Learner learner)
    {
        string name = learner.GetName();
        if (learner is not IChunkedLearner)
            throw new ArgumentException($"{name} looks at a batch as a whole: leave TrainingOptions.ChunkSize out, or choose SimClrV1, SimClrV2, MoCoV3, Dino, SimCse or Clip.", ChunkSize);
    }

    // Training's, which this room does not know.
    private const string ChunkSize = "ChunkSize";
}
