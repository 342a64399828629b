using System.Text.RegularExpressions;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Names that other libraries give the tensors of our encoders. Ours are torchvision's for residual networks and timm's for vision
/// transformers, so those stand for themselves.
/// </summary>
internal static partial class ForeignNames
{
    /// <summary>torchvision's residual network as a sequence of its children, as it lies within lightly's models.</summary>
    private static readonly Dictionary<string, string> s_children = new()
    {
        ["conv1"] = "0", ["bn1"] = "1", ["layer1"] = "4", ["layer2"] = "5", ["layer3"] = "6", ["layer4"] = "7",
    };

    /// <summary>Parts of torchvision's vision transformer under timm's names. Its blocks had <c>mlp.linear_1</c> and <c>mlp.linear_2</c> until 2022.</summary>
    private static readonly Dictionary<string, string[]> s_transformer = new()
    {
        ["cls_token"] = ["class_token"],
        ["pos_embed"] = ["encoder.pos_embedding"],
        ["patch_embed.proj."] = ["conv_proj."],
        ["norm."] = ["encoder.ln."],
        ["norm1."] = ["ln_1."],
        ["attn.qkv."] = ["self_attention.in_proj_"],
        ["attn.proj."] = ["self_attention.out_proj."],
        ["norm2."] = ["ln_2."],
        ["mlp.fc1."] = ["mlp.0.", "mlp.linear_1."],
        ["mlp.fc2."] = ["mlp.3.", "mlp.linear_2."],
    };

    /// <summary>All names by which the encoder's tensors are known, its own among them, each with its own.</summary>
    public static IReadOnlyDictionary<string, string> Of(ImageEncoder encoder, IEnumerable<string> names)
        => names.SelectMany(name => Others(encoder, name).Prepend(name).Select(other => (other, name))).ToDictionary(pair => pair.other, pair => pair.name);

    private static IEnumerable<string> Others(ImageEncoder encoder, string name)
    {
        if (encoder is ResNet { Stem: Stem.ImageNet })
        {
            string part = name.Split('.', 2)[0];
            return s_children.TryGetValue(part, out string? child) ? [child + name[part.Length..]] : [];
        }
        if (encoder is not VisionTransformer)
            return [];
        Match block = Block().Match(name); // always matches: both parts before the tail are optional
        string tail = block.Groups["tail"].Value;
        (string known, string[] others) = s_transformer.Single(pair => tail.StartsWith(pair.Key, StringComparison.Ordinal));
        string before = block.Groups["number"].Success ? $"encoder.layers.encoder_layer_{block.Groups["number"].Value}." : "";
        return others.Select(other => before + other + tail[known.Length..]);
    }

    [GeneratedRegex(@"^(blocks\.(?<number>\d+)\.)?(?<tail>.*)$")]
    private static partial Regex Block();
}
