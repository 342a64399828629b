using System.Text.RegularExpressions;

namespace Microsoft.ML.Contrastive;

/// <summary>Where one of our tensors lies in a file: under which name, as which of several blocks of rows, and whether rows and columns change places.</summary>
internal readonly record struct ClipSource(string Name, int Part = 0, int Parts = 1, bool IsTransposed = false);

/// <summary>Names that a kind of checkpoint gives the tensors of an <see cref="ImageTextModule"/> of CLIP's networks. Ours are OpenAI's behind <c>image.</c> and <c>text.</c>.</summary>
internal sealed partial class ClipNames
{
    private static readonly (string Ours, string Theirs)[] s_huggingFace =
    [
        ("image.class_embedding", "vision_model.embeddings.class_embedding"),
        ("image.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
        ("image.conv1.", "vision_model.embeddings.patch_embedding."),
        ("image.ln_pre.", "vision_model.pre_layrnorm."), // theirs is spelled so
        ("image.ln_post.", "vision_model.post_layernorm."),
        ("image.proj", "visual_projection.weight"),
        ("image.transformer.resblocks.", "vision_model.encoder.layers."),
        ("text.token_embedding.", "text_model.embeddings.token_embedding."),
        ("text.positional_embedding", "text_model.embeddings.position_embedding.weight"),
        ("text.ln_final.", "text_model.final_layer_norm."),
        ("text.text_projection", "text_projection.weight"),
        ("text.transformer.resblocks.", "text_model.encoder.layers."),
    ];

    private static readonly (string Ours, string Theirs)[] s_huggingFaceBlock =
    [
        (".ln_1.", ".layer_norm1."), (".ln_2.", ".layer_norm2."), (".mlp.c_fc.", ".mlp.fc1."), (".mlp.c_proj.", ".mlp.fc2."), (".attn.out_proj.", ".self_attn.out_proj."),
    ];

    private readonly Func<string, IReadOnlyList<ClipSource>> _sources;

    private ClipNames(Func<string, IReadOnlyList<ClipSource>> sources) => _sources = sources;

    /// <summary>The kind that a file's names are of; null where they are of none.</summary>
    public static ClipNames? Of(IReadOnlyDictionary<string, SafeTensorsEntry> entries)
        => entries.ContainsKey("visual.conv1.weight") ? OpenAI(entries.ContainsKey("text.token_embedding.weight") ? "text." : "")
            : entries.ContainsKey("vision_model.embeddings.patch_embedding.weight") ? new(HuggingFace) : null;

    /// <summary>Where a tensor of ours lies; several places that follow each other in our rows, or one.</summary>
    public IReadOnlyList<ClipSource> Sources(string name) => _sources(name);

    /// <summary>Whether a tensor says nothing that weights don't: a mask, a counter, a size.</summary>
    public static bool IsIncidental(string name) => Incidental().IsMatch(name);

    private static ClipNames OpenAI(string textPrefix) => new(name =>
        name.StartsWith("image.", StringComparison.Ordinal) ? [new("visual." + name["image.".Length..])]
            : name.StartsWith("text.", StringComparison.Ordinal) ? [new(textPrefix + name["text.".Length..])]
            : [new(name)]);

    private static IReadOnlyList<ClipSource> HuggingFace(string name)
    {
        (string ours, string theirs) = s_huggingFace.FirstOrDefault(pair => name.StartsWith(pair.Ours, StringComparison.Ordinal));
        if (ours is null)
            return [new(name)];
        string named = theirs + name[ours.Length..];
        foreach ((string inOurs, string inTheirs) in s_huggingFaceBlock)
            named = named.Replace(inOurs, inTheirs, StringComparison.Ordinal);
        int joint = named.IndexOf(".attn.in_proj_", StringComparison.Ordinal);
        return joint < 0
            ? [new(named, IsTransposed: name is "image.proj" or "text.text_projection")]
            : [.. "qkv".Select((letter, part) => new ClipSource($"{named[..joint]}.self_attn.{letter}_proj.{named[(joint + ".attn.in_proj_".Length)..]}", part, 3))];
    }

    [GeneratedRegex(@"^((text\.)?attn_mask|input_resolution|context_length|vocab_size)$|\.(position_ids|num_batches_tracked)$")]
    private static partial Regex Incidental();
}
