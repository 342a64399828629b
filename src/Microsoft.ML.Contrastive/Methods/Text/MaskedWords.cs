using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Guesses hidden words from the last layer, as BERT's pretraining does: dense, GELU, norm, and the token vectors themselves as the classes (Devlin et al. 2019, section 3.1).</summary>
internal sealed class MaskedWords : nn.Module
{
    private readonly Linear dense;
    private readonly LayerNorm norm;
    private readonly Parameter bias;

    public MaskedWords(TextTransformer shape, Generator generator)
        : base(nameof(MaskedWords))
    {
        dense = Linear.Normal(shape.Width, shape.Width, generator, TokenEmbedding.Deviation);
        norm = new LayerNorm(shape.Width, shape.NormEpsilon);
        bias = new Parameter(zeros(shape.VocabularySize));
        RegisterComponents();
    }

    /// <summary>True where a word is hidden: [N, T].</summary>
    /// <param name="seen">[N, T], as <see cref="HiddenWords"/> gives it.</param>
    public static Tensor Hidden(Tensor seen) => seen.IsBelow(TextNetwork.Filler);

    /// <summary>The cross-entropy of each row's hidden words, added up: [N].</summary>
    /// <param name="encoder">The network.</param>
    /// <param name="tokens">[N, T], what stands there.</param>
    /// <param name="seen">[N, T], as <see cref="HiddenWords"/> gives it.</param>
    public Tensor PerRow(TextTransformerModule encoder, Tensor tokens, Tensor seen)
    {
        Tensor hidden = Hidden(seen), places = hidden.reshape(-1).nonzero().squeeze(1);
        Tensor last = encoder.States(where(hidden, seen.neg().Minus(2), seen)).Last;
        Tensor features = norm.forward(nn.functional.gelu(dense.forward(last.flatten(0, 1).index_select(0, places))));
        Tensor logits = Arithmetic.Current.Multiply(features, encoder.TokenVectors, bias);
        Tensor each = nn.functional.cross_entropy(logits, tokens.reshape(-1).index_select(0, places), reduction: nn.Reduction.None);
        return zeros(tokens.shape[0], each.dtype, each.device).index_add(0, places.Over(tokens.shape[1], RoundingMode.floor), each, Number.One);
    }
}
