using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What is asked of a network of pictures and texts.</summary>
internal static class ImageTextNetwork
{
    /// <summary>How pictures and texts come, and their networks.</summary>
    /// <exception cref="ArgumentException">The manifest is of another kind.</exception>
    public static PairInput Pairs(this EncoderManifest manifest) => manifest.Input as PairInput
        ?? throw new ArgumentException($"The encoder is a {manifest.Input.Network.GetType().Name}, not one of pictures and texts.");

    /// <summary>Token ids to unit vectors.</summary>
    public static Func<Tensor, Tensor> Texts(this PretrainedEncoder network)
    {
        var module = (ImageTextModule)network.Module;
        return tokens => nn.functional.normalize(module.Texts(tokens));
    }

    /// <summary>Unit vectors of texts, [E] each, and how many were cut, as <see cref="TextVectors"/> has them.</summary>
    public static (float[][] Vectors, int Cut) EmbedTexts(this PretrainedEncoder network, IEnumerable<string?> texts, CancellationToken cancellation = default)
        => TextVectors.Of(network, network.Manifest.Pairs().Texts, texts, network.Texts(), cancellation);
}

/// <summary>Vectors of texts without a data view.</summary>
internal static class TextVectors
{
    private const int Together = 256;

    /// <summary>Those of an encoder of texts: [D] each, in their order.</summary>
    /// <param name="network">What computes; safe for use by many threads.</param>
    /// <param name="texts">Any; null and blank ones have the vector of the empty text, or fail where the encoder says so.</param>
    /// <param name="cancellation">Is asked between batches.</param>
    public static float[][] Of(PretrainedEncoder network, IEnumerable<string?> texts, CancellationToken cancellation = default)
        => Of(network, (TextInput)network.Manifest.Input, texts, forward: null, cancellation).Vectors;

    /// <param name="network">What computes; safe for use by many threads.</param>
    /// <param name="input">How its texts come.</param>
    /// <param name="texts">Any; null and blank ones have the vector of the empty text, or fail where the encoder says so.</param>
    /// <param name="forward">What token ids pass, where it is not the network itself.</param>
    /// <param name="cancellation">Is asked between batches.</param>
    /// <returns>[D] each, in their order, and how many texts were longer than the network takes, and were cut.</returns>
    /// <exception cref="InvalidOperationException">A text is blank, and the encoder was made with <see cref="EmptyTexts.Fail"/>.</exception>
    public static (float[][] Vectors, int Cut) Of(
        PretrainedEncoder network, TextInput input, IEnumerable<string?> texts, Func<Tensor, Tensor>? forward, CancellationToken cancellation)
    {
        int size = network.Manifest.Input.Network.FeatureSize, cut = 0;
        var vectors = new List<float[]>();
        var ids = new List<int>();
        foreach (string?[] chunk in texts.Chunk(Together))
        {
            cancellation.ThrowIfCancellationRequested();
            var batch = new TextBatch(chunk.Length);
            foreach ((int slot, string? text) in chunk.Index())
            {
                bool isBlank = string.IsNullOrWhiteSpace(text);
                if (isBlank && input.EmptyTexts == EmptyTexts.Fail)
                    throw new InvalidOperationException($"Text {vectors.Count + slot}, counted from 0, is blank. Leave such texts out, or set EmptyTexts to EmptyTexts.Encode.");
                ids.Clear();
                cut += input.Encode(network.Tokenizer!, isBlank ? "" : text, ids) ? 1 : 0;
                batch.Put(slot, [.. ids]);
            }
            var numbers = new float[chunk.Length * size];
            network.Forward(batch, chunk.Length, numbers, forward);
            vectors.AddRange(numbers.Chunk(size));
        }
        return ([.. vectors], cut);
    }
}
