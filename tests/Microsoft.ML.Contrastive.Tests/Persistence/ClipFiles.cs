using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.ML.Contrastive.Tests.KnownAnswers;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Persistence;

/// <summary>The naming schemes of CLIP's checkpoints.</summary>
public enum ClipScheme
{
    OpenAIFile,
    OpenClipFolder,
    HuggingFaceFolder,
    HuggingFaceShards,
}

/// <summary>CLIP models as other libraries save them, made of tensors under OpenAI's names.</summary>
internal static class ClipFiles
{
    /// <summary>Writes a model; gives the path by which it is read.</summary>
    /// <param name="folder">Is made where there is none.</param>
    /// <param name="scheme">How.</param>
    /// <param name="tensors">Under OpenAI's names, of a vision transformer for all but the file and open_clip.</param>
    /// <param name="imageSize">Pixels of a side.</param>
    /// <param name="heads">Of both networks.</param>
    /// <param name="change">What is done to the configuration.</param>
    public static string Write(string folder, ClipScheme scheme, Dictionary<string, Tensor> tensors, int imageSize = TinyClip.ImageSize, int heads = TinyClip.Heads, Action<JsonObject>? change = null)
    {
        Directory.CreateDirectory(folder);
        long width = tensors["ln_final.bias"].shape[0];
        if (scheme == ClipScheme.OpenAIFile)
        {
            Save("clip.safetensors", [.. tensors, new("attn_mask", zeros(2, 2)), new("input_resolution", tensor((long)imageSize))]);
            return Path.Combine(folder, "clip.safetensors");
        }
        if (scheme == ClipScheme.OpenClipFolder)
        {
            var vision = new JsonObject { ["image_size"] = imageSize, ["layers"] = 1, ["width"] = width, ["head_width"] = width / heads, ["patch_size"] = 2 };
            var model = new JsonObject { ["embed_dim"] = 3, ["quick_gelu"] = true, ["vision_cfg"] = vision, ["text_cfg"] = new JsonObject { ["heads"] = heads, ["layers"] = 2 } };
            var preprocess = new JsonObject { ["mean"] = new JsonArray(0.5, 0.25, 0.125), ["interpolation"] = "bicubic", ["resize_mode"] = "shortest" };
            Json("open_clip_config.json", new JsonObject { ["model_cfg"] = model, ["preprocess_cfg"] = preprocess });
            Save("open_clip_model.safetensors", tensors);
            return folder;
        }
        Json("config.json", new JsonObject
        {
            ["model_type"] = "clip", ["projection_dim"] = 3,
            ["text_config"] = new JsonObject { ["num_attention_heads"] = heads, ["hidden_act"] = "quick_gelu", ["eos_token_id"] = 2, ["vocab_size"] = tensors["token_embedding.weight"].shape[0] },
            ["vision_config"] = new JsonObject { ["num_attention_heads"] = heads, ["image_size"] = imageSize },
        });
        Json("preprocessor_config.json", new JsonObject { ["image_mean"] = new JsonArray(0.5, 0.25, 0.125), ["resample"] = 3 }, changes: false);
        KeyValuePair<string, Tensor>[] named = [.. tensors.SelectMany(HuggingFace), new("text_model.embeddings.position_ids", arange(3))];
        if (scheme == ClipScheme.HuggingFaceFolder)
        {
            Save("model.safetensors", named);
            return folder;
        }
        var map = new JsonObject();
        foreach ((int shard, KeyValuePair<string, Tensor>[] part) in named.Chunk(7).Index())
        {
            string file = string.Create(CultureInfo.InvariantCulture, $"model-{shard + 1:d5}.safetensors");
            Save(file, part);
            foreach ((string name, _) in part)
                map[name] = file;
        }
        Json("model.safetensors.index.json", new JsonObject { ["weight_map"] = map }, changes: false);
        return folder;

        void Save(string name, IEnumerable<KeyValuePair<string, Tensor>> all) => SafeTensors.Save(Path.Combine(folder, name), all.Select(pair => (pair.Key, pair.Value)));

        void Json(string name, JsonObject content, bool changes = true)
        {
            if (changes)
                change?.Invoke(content);
            File.WriteAllText(Path.Combine(folder, name), content.ToJsonString());
        }
    }

    /// <summary>One tensor of OpenAI's as Hugging Face has it: renamed, turned, or cut in three. Written down from their names alone.</summary>
    private static IEnumerable<KeyValuePair<string, Tensor>> HuggingFace(KeyValuePair<string, Tensor> openAI)
    {
        (string name, Tensor value) = openAI;
        string[] parts = name.Split('.');
        if (parts is ["visual", "transformer", ..] or ["transformer", ..])
        {
            int at = parts[0] == "visual" ? 3 : 2;
            string layer = $"{(parts[0] == "visual" ? "vision" : "text")}_model.encoder.layers.{parts[at]}.", last = parts[^1];
            string inside = string.Join('.', parts[(at + 1)..^1]);
            if (last.StartsWith("in_proj_", StringComparison.Ordinal))
            {
                Tensor[] rows = value.chunk(3, 0);
                return "qkv".Select((letter, i) => KeyValuePair.Create($"{layer}self_attn.{letter}_proj.{last["in_proj_".Length..]}", rows[i].contiguous()));
            }
            string theirs = inside switch { "attn.out_proj" => "self_attn.out_proj", "ln_1" => "layer_norm1", "ln_2" => "layer_norm2", "mlp.c_fc" => "mlp.fc1", "mlp.c_proj" => "mlp.fc2", _ => throw new ArgumentException(name) };
            return [new($"{layer}{theirs}.{last}", value)];
        }
        return name switch
        {
            "logit_scale" => [openAI],
            "text_projection" => [new("text_projection.weight", value.t().contiguous())],
            "visual.proj" => [new("visual_projection.weight", value.t().contiguous())],
            "token_embedding.weight" => [new("text_model.embeddings.token_embedding.weight", value)],
            "positional_embedding" => [new("text_model.embeddings.position_embedding.weight", value)],
            "visual.class_embedding" => [new("vision_model.embeddings.class_embedding", value)],
            "visual.positional_embedding" => [new("vision_model.embeddings.position_embedding.weight", value)],
            "visual.conv1.weight" => [new("vision_model.embeddings.patch_embedding.weight", value)],
            _ => [new(name.Replace("visual.ln_pre", "vision_model.pre_layrnorm", StringComparison.Ordinal).Replace("visual.ln_post", "vision_model.post_layernorm", StringComparison.Ordinal)
                .Replace("ln_final", "text_model.final_layer_norm", StringComparison.Ordinal), value)],
        };
    }

    /// <summary>Random tensors, under OpenAI's names, of a network that the library can make.</summary>
    public static Dictionary<string, Tensor> Random(ImageTextEncoder shape, int imageSize, int seed)
    {
        using var generator = new Generator((ulong)seed);
        using ImageTextModule module = shape.Build(3, imageSize, imageSize, generator);
        return module.state_dict().ToDictionary(
            pair => pair.Key.StartsWith("image.", StringComparison.Ordinal) ? "visual." + pair.Key["image.".Length..] : pair.Key.StartsWith("text.", StringComparison.Ordinal) ? pair.Key["text.".Length..] : pair.Key,
            pair =>
            {
                Tensor copy = pair.Value.detach().clone().to(ScalarType.Float64);
                return pair.Key.EndsWith("running_var", StringComparison.Ordinal) ? copy.add(empty_like(copy).uniform_(0, 1, generator))
                    : copy.dim() == 1 ? copy.add(empty_like(copy).normal_(0, 0.3, generator)) : copy; // norms and biases start as zeros and ones
            });
    }
}
