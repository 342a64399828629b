using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Two views of N examples under each other, 2N rows: row i's partner, the other view of its example, is row i + N or i - N.</summary>
internal static class ViewPairs
{
    /// <summary>The partner's index of each row: [2N].</summary>
    public static Tensor Partners(long rows, Device device) => cat([Number.Range(rows, 2 * rows, device: device), Number.Range(rows, device: device)], 0);

    /// <summary>
    /// Logits [rows, 2N] of some rows to all, in which no row can choose itself: minus infinity where row i meets column <paramref name="firstRow"/> + i, put there in place, as they
    /// take the most memory of a large batch.
    /// </summary>
    public static Tensor WithoutSelf(Tensor logits, long firstRow = 0)
    {
        Tensor rows = Number.Range(firstRow, firstRow + logits.shape[0], device: logits.device).unsqueeze(1);
        return logits.Fill(rows.eq(Number.Range(logits.shape[1], device: logits.device)), double.NegativeInfinity);
    }
}
