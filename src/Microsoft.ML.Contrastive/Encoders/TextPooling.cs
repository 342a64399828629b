using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>How the vectors of a text's tokens become one.</summary>
internal enum PoolingMode
{
    /// <summary>The first real token's.</summary>
    Cls,

    /// <summary>The largest number of each place.</summary>
    Max,

    /// <summary>The mean.</summary>
    Mean,

    /// <summary>The sum divided by the square root of the number of tokens.</summary>
    MeanSqrt,

    /// <summary>The mean with weights 1, 2, 3 and so on.</summary>
    WeightedMean,

    /// <summary>The last real token's.</summary>
    LastToken,
}

/// <summary>Token vectors [N, T, H] and their mask to text vectors [N, H]; what stands at masked places changes nothing.</summary>
internal static class TextPooling
{
    /// <param name="hidden">[N, T, H].</param>
    /// <param name="mask">[N, T], 1 for a real token and 0 for a filled place, of any number type; every row has a real token.</param>
    /// <param name="mode">How.</param>
    public static Tensor Pool(Tensor hidden, Tensor mask, PoolingMode mode)
    {
        if (hidden.dim() != 3 || mask.dim() != 2 || mask.shape[0] != hidden.shape[0] || mask.shape[1] != hidden.shape[1])
            throw new ArgumentException($"Token vectors must be [N, T, H] and their mask [N, T], not [{string.Join(", ", hidden.shape)}] and [{string.Join(", ", mask.shape)}].", nameof(mask));
        Tensor real = mask.ne(0), weights = real.to(hidden.dtype);
        return mode switch
        {
            PoolingMode.Cls => At(hidden, real.to(ScalarType.Int64).argmax(1)),
            PoolingMode.LastToken => At(hidden, real.to(ScalarType.Int64).cumsum(1).argmax(1)),
            PoolingMode.Max => hidden.masked_fill(real.logical_not().unsqueeze(2), double.NegativeInfinity).amax([1L]),
            PoolingMode.Mean => Weighted(hidden, weights),
            PoolingMode.MeanSqrt => Weighted(hidden, weights).mul(weights.sum(1, keepdim: true).sqrt()),
            PoolingMode.WeightedMean => Weighted(hidden, weights.mul(arange(1, mask.shape[1] + 1, hidden.dtype, hidden.device))),
            _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "There is no such pooling."),
        };
    }

    /// <summary>
    /// The mean over tokens of the mean of two layers' vectors: of the first and the last transformer layer in SimCSE's released code, of the
    /// embeddings and the last layer in its paper.
    /// </summary>
    public static Tensor MeanOfTwo(Tensor first, Tensor last, Tensor mask) => Pool(first.add(last).div(2), mask, PoolingMode.Mean);

    /// <summary>The first place of each row's largest id, where CLIP's text vector is read: its closing token has the largest of all.</summary>
    /// <param name="ids">[N, T] of int64.</param>
    public static Tensor PlaceOfLargest(Tensor ids)
    {
        // argmax says nothing about equals: the rows that CLIP's Hugging Face form fills with closing tokens have several.
        Tensor isLargest = ids.eq(ids.amax([1L], keepdim: true));
        Tensor places = arange(ids.shape[1], device: ids.device).expand_as(ids);
        return places.masked_fill(isLargest.logical_not(), ids.shape[1]).amin([1L]);
    }

    // Zeros at masked places and not products with 0: what is there may be no number.
    private static Tensor Weighted(Tensor hidden, Tensor weights)
        => hidden.masked_fill(weights.eq(0).unsqueeze(2), 0).mul(weights.unsqueeze(2)).sum(1).div(weights.sum(1, keepdim: true).clamp_min(1e-9));

    /// <summary>Each row's vector at its place [N].</summary>
    private static Tensor At(Tensor hidden, Tensor places)
        => hidden.gather(1, places.view(-1, 1, 1).expand(-1, 1, hidden.shape[2])).squeeze(1);
}
