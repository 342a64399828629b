using System.Text.RegularExpressions;

namespace Microsoft.ML.Contrastive;

/// <summary>Names that Hugging Face gives the tensors of the BERT family, as those of BERT, which are ours.</summary>
internal static partial class TextNames
{
    /// <summary>Our tensor of what each token weighs, which is no tensor of theirs.</summary>
    public const string TokenWeights = "token_weights";

    private static readonly string[] s_prefixes = ["bert.", "roberta.", "mpnet.", "distilbert.", "xlm_roberta.", "model.", "0.auto_model.", "auto_model."];

    /// <summary>Beginnings of what a model has beside the encoder: heads of its pretraining, and counters.</summary>
    private static readonly string[] s_beside = ["cls.", "lm_head.", "classifier.", "vocab_transform.", "vocab_layer_norm.", "vocab_projector.", "qa_outputs.", "pre_classifier."];

    private static readonly (string Theirs, string Ours)[] s_distilBert =
    [
        ("transformer.layer.", "encoder.layer."),
        (".attention.q_lin.", ".attention.self.query."), (".attention.k_lin.", ".attention.self.key."), (".attention.v_lin.", ".attention.self.value."),
        (".attention.out_lin.", ".attention.output.dense."), (".sa_layer_norm.", ".attention.output.LayerNorm."),
        (".ffn.lin1.", ".intermediate.dense."), (".ffn.lin2.", ".output.dense."), (".output_layer_norm.", ".output.LayerNorm."),
    ];

    private static readonly (string Theirs, string Ours)[] s_mpnet =
    [
        (".attention.attn.q.", ".attention.self.query."), (".attention.attn.k.", ".attention.self.key."), (".attention.attn.v.", ".attention.self.value."),
        (".attention.attn.o.", ".attention.output.dense."), (".attention.LayerNorm.", ".attention.output.LayerNorm."),
    ];

    /// <summary>The prefix before all of a file's names, or none.</summary>
    public static string Prefix(IEnumerable<string> names)
        => s_prefixes.FirstOrDefault(prefix => names.Any(name => name.StartsWith(prefix + "embeddings.word_embeddings.", StringComparison.Ordinal)), "");

    /// <summary>Our name; null for what the encoder does not need.</summary>
    /// <param name="name">The file's.</param>
    /// <param name="prefix">See <see cref="Prefix"/>.</param>
    /// <param name="modelType">config.json's.</param>
    /// <param name="keepsPooler">Whether the pooler is our dense layer.</param>
    public static string? Ours(string name, string prefix, string modelType, bool keepsPooler)
    {
        if (name.EndsWith("position_ids", StringComparison.Ordinal) || s_beside.Any(start => name.StartsWith(start, StringComparison.Ordinal)))
            return null;
        string own = name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name;
        if (own.StartsWith("pooler.", StringComparison.Ordinal))
            return keepsPooler ? own["pooler.".Length..] : null;
        foreach ((string theirs, string ours) in modelType == "distilbert" ? s_distilBert : modelType == "mpnet" ? s_mpnet : [])
            own = own.Replace(theirs, ours, StringComparison.Ordinal);
        return OldNorm().Replace(own, match => match.Groups[1].Value == "gamma" ? "LayerNorm.weight" : "LayerNorm.bias");
    }

    /// <summary>The name that a kind of model gives a tensor of ours.</summary>
    public static string Theirs(string name, string modelType)
        => modelType != "mpnet" ? name : s_mpnet.Aggregate(name, (changed, pair) => changed.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal));

    /// <summary>Whether a tensor of ours is of the layer behind the pooling.</summary>
    public static bool IsDense(string name) => name.StartsWith("dense.", StringComparison.Ordinal);

    [GeneratedRegex(@"LayerNorm\.(gamma|beta)$")]
    private static partial Regex OldNorm();
}
