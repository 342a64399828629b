using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>What is read of CLIP's checkpoints and of zero-shot classifiers, each with a valid example.</summary>
internal static class HostileClip
{
    private static ImageTextEncoder Shape => new(
        new ClipVisionTransformer { Patch = 2, Width = 4, Depth = 1, Heads = 1, EmbeddingSize = 3 },
        new ClipTextTransformer { VocabularySize = 20, ContextLength = 6, Width = 4, Depth = 1, Heads = 1, EmbeddingSize = 3 });

    /// <param name="folder">Is empty again after each file.</param>
    public static IEnumerable<HostileReader> All(string folder)
    {
        yield return new("clip-checkpoint", Weights(), FileMutator.MutateSafeTensors, bytes => ReadWeights(bytes, Path.Combine(folder, "clip.safetensors")));
        yield return new("clip-config", HuggingFace, FileMutator.MutateJson, bytes => ClipConfig.OfHuggingFace(Part(bytes), null));
        yield return new("open-clip-config", OpenClip, FileMutator.MutateJson, bytes => ClipConfig.OfOpenClip(Part(bytes)));
        yield return new("zero-shot", Settings, FileMutator.MutateJson, bytes => ZeroShotSettings.Read(new StreamReader(new MemoryStream(bytes))));
    }

    private static byte[] HuggingFace => """
        {"model_type":"clip","vision_config":{"num_attention_heads":1,"image_size":4,"hidden_act":"quick_gelu"},"text_config":{"num_attention_heads":1,"eos_token_id":2,"vocab_size":20,"layer_norm_eps":1e-05}}
        """u8.ToArray();

    private static byte[] OpenClip => """
        {"model_cfg":{"quick_gelu":true,"vision_cfg":{"image_size":4,"width":4,"layers":1,"head_width":4},"text_cfg":{"heads":1}},"preprocess_cfg":{"mean":[0.5,0.5,0.5],"std":[0.5,0.25,1],"interpolation":"bicubic"}}
        """u8.ToArray();

    private static byte[] Settings => """{"templates":["a {}."],"isSigmoid":false,"scale":14.5,"bias":0,"boxes":{"boxes":"Boxes","labels":"L","scores":"S"}}"""u8.ToArray();

    private static JsonPart Part(byte[] bytes) => new(TokenizerJson.Parse(bytes, "config.json"), "config.json", "");

    private static byte[] Weights()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        using ImageTextModule module = Shape.Build(3, 4, 4, generator);
        using var file = new MemoryStream();
        SafeTensors.Save(file, module.state_dict().Select(pair => (
            pair.Key.StartsWith("image.", StringComparison.Ordinal) ? "visual." + pair.Key["image.".Length..] : pair.Key.StartsWith("text.", StringComparison.Ordinal) ? pair.Key["text.".Length..] : pair.Key,
            pair.Value)));
        return file.ToArray();
    }

    private static void ReadWeights(byte[] bytes, string path)
    {
        File.WriteAllBytes(path, bytes);
        try
        {
            using ClipCheckpoint checkpoint = ClipCheckpoint.Open(path, new ClipConfig { ImageHeads = 1, TextHeads = 1 });
            using var generator = new Generator(1);
            using ImageTextModule module = checkpoint.Shape.Build(3, checkpoint.ImageSize, checkpoint.ImageSize, generator);
            checkpoint.LoadInto(module);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
