using System.Numerics;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>How the vectors of a text's tokens become one. Several together are put behind each other, in the order in which they stand here.</summary>
[Flags]
public enum TextPooling
{
    /// <summary>None: never valid by itself.</summary>
    None = 0,

    /// <summary>The first token's. With a tanh layer behind it (<see cref="TextTransformer.DenseSize"/>) BERT's pooler and SimCSE's "cls".</summary>
    Cls = 1,

    /// <summary>The largest number of each place.</summary>
    Max = 2,

    /// <summary>The mean.</summary>
    Mean = 4,

    /// <summary>The sum divided by the square root of the number of tokens.</summary>
    MeanSqrt = 8,

    /// <summary>The mean with weights 1, 2, 3 and so on.</summary>
    WeightedMean = 16,

    /// <summary>The last token's.</summary>
    LastToken = 32,

    /// <summary>The mean over tokens of the mean of the first and the last transformer layer: "avg_first_last" of SimCSE's released code (its paper has the embeddings in place of the first layer).</summary>
    FirstLastMean = 64,

    /// <summary>The mean over tokens of the mean of the last two layers: what ConSERT is evaluated with.</summary>
    LastTwoMean = 128,
}

/// <summary>Token vectors [N, T, H] and their mask to text vectors [N, H]; what stands at masked places changes nothing.</summary>
internal static class TextPoolings
{
    public const TextPooling All = (TextPooling)255;

    /// <summary>The parts of several together, in their order.</summary>
    public static IEnumerable<TextPooling> Parts(TextPooling modes) => Enum.GetValues<TextPooling>().Where(mode => mode != TextPooling.None && modes.HasFlag(mode));

    /// <summary>How many vectors are put behind each other.</summary>
    public static int Count(TextPooling modes) => BitOperations.PopCount((uint)modes);

    /// <param name="hidden">[N, T, H].</param>
    /// <param name="mask">[N, T], 1 for a real token and 0 for a filled place, of any number type; of a row without a real token means are 0.</param>
    /// <param name="mode">How; one alone, which needs one layer.</param>
    public static Tensor Pool(Tensor hidden, Tensor mask, TextPooling mode)
    {
        if (hidden.dim() != 3 || mask.dim() != 2 || mask.shape[0] != hidden.shape[0] || mask.shape[1] != hidden.shape[1])
            throw new ArgumentException($"Token vectors must be [N, T, H] and their mask [N, T], not [{string.Join(", ", hidden.shape)}] and [{string.Join(", ", mask.shape)}].", nameof(mask));
        Tensor real = mask.IsNot(0), weights = real.to(hidden.dtype);
        return mode switch
        {
            TextPooling.Cls => At(hidden, real.to(ScalarType.Int64).argmax(1)),
            TextPooling.LastToken => At(hidden, real.to(ScalarType.Int64).cumsum(1).argmax(1)),
            TextPooling.Max => hidden.Filled(real.logical_not().unsqueeze(2), double.NegativeInfinity).amax([1L]),
            TextPooling.Mean => Weighted(hidden, weights),
            TextPooling.MeanSqrt => Weighted(hidden, weights).mul(weights.sum(1, keepdim: true).sqrt()),
            TextPooling.WeightedMean => Weighted(hidden, weights.mul(Number.Range(1, mask.shape[1] + 1, hidden.dtype, hidden.device))),
            _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "There is no such pooling of one layer."),
        };
    }

    /// <summary>The mean over tokens of the mean of two layers' vectors.</summary>
    public static Tensor MeanOfTwo(Tensor first, Tensor last, Tensor mask) => Pool(first.Plus(last).Over(2), mask, TextPooling.Mean);

    /// <summary>The mean over tokens with a weight for each; zeros where all weights are 0.</summary>
    /// <param name="hidden">[N, T, H].</param>
    /// <param name="weights">[N, T], at least 0; what stands at places of weight 0 changes nothing.</param>
    public static Tensor Weighted(Tensor hidden, Tensor weights)
        // Zeros at masked places and not products with 0: what is there may be no number.
        => hidden.Filled(weights.Is(0).unsqueeze(2), 0).mul(weights.unsqueeze(2)).sum(1).div(weights.sum(1, keepdim: true).AtLeast(1e-9));

    /// <summary>The first place of each row's largest id, where CLIP's text vector is read: its closing token has the largest of all.</summary>
    /// <param name="ids">[N, T] of int64.</param>
    public static Tensor PlaceOfLargest(Tensor ids)
    {
        // argmax says nothing about equals: the rows that CLIP's Hugging Face form fills with closing tokens have several.
        Tensor isLargest = ids.eq(ids.amax([1L], keepdim: true));
        Tensor places = Number.Range(ids.shape[1], device: ids.device).expand_as(ids);
        return places.Filled(isLargest.logical_not(), ids.shape[1]).amin([1L]);
    }

    /// <summary>Each row's vector at its place [N].</summary>
    private static Tensor At(Tensor hidden, Tensor places)
        => hidden.gather(1, places.view(-1, 1, 1).expand(-1, 1, hidden.shape[2])).squeeze(1);
}
