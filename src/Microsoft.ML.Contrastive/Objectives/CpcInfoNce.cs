using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>Among which positions a prediction of <see cref="CpcInfoNce"/> is to find its own.</summary>
public enum CpcCandidates
{
    /// <summary>All positions of all examples: the paper's, with negatives from the same example and from others.</summary>
    AllPositions,

    /// <summary>The predicted position in all examples: negatives from others alone.</summary>
    SamePosition,
}

/// <summary>
/// The InfoNCE of CPC (van den Oord, Li, Vinyals 2018, "Representation learning with contrastive predictive coding", equations 3 and 4): from the context c of
/// what came before, W_k c predicts z, the representation k steps on; among candidates z_j it is to find its own, by the score
/// z_j' W_k c, of neither normalised vectors nor a temperature: the cross-entropy, the mean over predictions.
/// </summary>
/// <remarks>
/// Gradient flows into the predictions and into all candidates. <see cref="InfoNce"/> holds its keys constant and compares unit vectors.
/// </remarks>
public static class CpcInfoNce
{
    /// <summary>The loss of one step k, a scalar. The loss of several is their mean.</summary>
    /// <param name="positions">z of all positions: [N, R, C, D], along the R rows of which is predicted. A sequence has one column.</param>
    /// <param name="predictions">W_k c: [N, P, C, D], of P rows of <paramref name="positions"/>.</param>
    /// <param name="firstRow">The row that the first of them predict: row p of the predictions is to find row firstRow + p, in its own column.</param>
    /// <param name="candidates">Where they look.</param>
    /// <exception cref="ArgumentException">The shapes do not fit each other.</exception>
    public static Tensor Loss(Tensor positions, Tensor predictions, long firstRow, CpcCandidates candidates)
    {
        ArgumentNullException.ThrowIfNull(positions);
        ArgumentNullException.ThrowIfNull(predictions);
        if (positions.dim() != 4 || positions.numel() == 0)
            throw new ArgumentException($"positions must be [N, R, C, D] with at least one number, not [{string.Join(", ", positions.shape)}].", nameof(positions));
        (long examples, long rows, long columns, long size) = (positions.shape[0], positions.shape[1], positions.shape[2], positions.shape[3]);
        if (predictions.dim() != 4 || predictions.shape[0] != examples || predictions.shape[1] == 0 || predictions.shape[2] != columns || predictions.shape[3] != size)
            throw new ArgumentException($"predictions must be [{examples}, P, {columns}, {size}] like positions, not [{string.Join(", ", predictions.shape)}].", nameof(predictions));
        long predicted = predictions.shape[1];
        if (firstRow < 0 || firstRow + predicted > rows)
            throw new ArgumentOutOfRangeException(nameof(firstRow), firstRow, $"{predicted} rows of predictions from row {firstRow} on are not within {rows} rows of positions.");

        if (candidates == CpcCandidates.AllPositions)
        {
            Tensor all = Number.Range(examples * rows * columns, device: positions.device).view(examples, rows, columns);
            return cross_entropy(
                predictions.reshape(-1, size).mm(positions.reshape(-1, size).t()), all.narrow(1, firstRow, predicted).reshape(-1));
        }
        Tensor own = positions.narrow(1, firstRow, predicted);
        Tensor logits = ByPlace(predictions).bmm(ByPlace(own).transpose(1, 2)); // [P * C, N, N]
        return cross_entropy(logits.reshape(-1, examples), Number.Range(examples, device: positions.device).repeat(predicted * columns));

        Tensor ByPlace(Tensor vectors) => vectors.permute(1, 2, 0, 3).reshape(-1, examples, size);
    }

    /// <summary>The loss when all scores are equal: the logarithm of the number of candidates.</summary>
    /// <param name="examples">N.</param>
    /// <param name="positions">R * C, positions of an example.</param>
    /// <param name="candidates">Where predictions look.</param>
    public static double FlatLoss(long examples, long positions, CpcCandidates candidates)
        => Math.Log(candidates == CpcCandidates.AllPositions ? examples * positions : examples);
}
