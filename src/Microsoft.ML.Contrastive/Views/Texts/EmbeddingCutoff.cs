using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// ConSERT's views (Yan et al. 2021, section 3.3), on the tokens' vectors [N, T, H] behind the embedding layer. Who is cut is told by scores: the lowest of each row.
/// Nothing is scaled up for what is cut; counts are rounded down, over real tokens, special ones among them.
/// </summary>
internal static class EmbeddingCutoff
{
    /// <summary>Whole tokens to zero.</summary>
    /// <param name="embedded">[N, T, H].</param>
    /// <param name="mask">[N, T], true for a token, false for a filler.</param>
    /// <param name="rate">Share of the real tokens.</param>
    /// <param name="scores">[N, T].</param>
    public static Tensor Tokens(Tensor embedded, Tensor mask, double rate, Tensor scores)
        => embedded.Filled(Lowest(scores.Filled(mask.logical_not(), double.PositiveInfinity), Counts(mask, rate)).unsqueeze(2), 0);

    /// <summary>Whole features of each text to zero.</summary>
    /// <param name="embedded">[N, T, H].</param>
    /// <param name="rate">Share of the H features.</param>
    /// <param name="scores">[N, H].</param>
    public static Tensor Features(Tensor embedded, double rate, Tensor scores)
        => embedded.Filled(Lowest(scores, zeros([scores.shape[0], 1L], ScalarType.Int64, scores.device).Fill((long)(rate * scores.shape[1]))).unsqueeze(1), 0);

    /// <summary>Single numbers of the real tokens to zero.</summary>
    /// <param name="embedded">[N, T, H].</param>
    /// <param name="mask">[N, T].</param>
    /// <param name="rate">Share of each text's tokens * H numbers.</param>
    /// <param name="scores">[N, T, H].</param>
    public static Tensor Numbers(Tensor embedded, Tensor mask, double rate, Tensor scores)
    {
        Tensor flat = scores.Filled(mask.logical_not().unsqueeze(2), double.PositiveInfinity).flatten(1);
        return embedded.Filled(Lowest(flat, Counts(mask, rate * embedded.shape[2])).view_as(embedded), 0);
    }

    /// <summary>The real tokens' positions in another order; fillers keep theirs.</summary>
    /// <param name="positions">[N, T].</param>
    /// <param name="mask">[N, T].</param>
    /// <param name="scores">[N, T]: a text's token i gets the position of its token with the i-th lowest score.</param>
    public static Tensor Shuffled(Tensor positions, Tensor mask, Tensor scores)
    {
        Tensor places = Number.Range(mask.shape[1], device: mask.device).expand_as(mask).to(scores.dtype).Plus(scores.max().Plus(1)); // fillers behind all, in their order
        return positions.gather(1, scores.where(mask, places).argsort(1));
    }

    /// <summary>Counts of each row's real tokens times a rate, rounded down: [N, 1].</summary>
    private static Tensor Counts(Tensor mask, double rate) => mask.sum(1, keepdim: true).to(ScalarType.Float64).Times(rate).to(ScalarType.Int64);

    /// <summary>True for the lowest of each row, as many as its count [N, 1] says.</summary>
    private static Tensor Lowest(Tensor scores, Tensor counts) => scores.argsort(1).argsort(1).lt(counts);
}
