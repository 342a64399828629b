using Microsoft.ML.Contrastive.Tests.Persistence;
using Microsoft.ML.Contrastive.Tests.Tokenizers;
using Microsoft.ML.Data;
using TorchSharp;

namespace Microsoft.ML.Contrastive.Tests.Multimodal;

/// <summary>A picture with words; a class, so that ML.NET may leave members out.</summary>
public sealed class CaptionedPicture
{
    [AnySizeImage]
    public MLImage? Image { get; set; }

    public string Text { get; set; } = "";

    public string Label { get; set; } = "";

    public float[] Boxes { get; set; } = [];
}

/// <summary>A small CLIP of random weights in a folder, with a tokenizer of its own, and pictures for it.</summary>
internal static class ToyClip
{
    public const int Side = 32;

    public static ClipBpe Tokenizer { get; } = (ClipBpe)ToyTokenizers.All["clip"];

    public static ImageTextEncoder Shape => new(
        new ClipVisionTransformer { Patch = 8, Width = 16, Depth = 2, Heads = 2, EmbeddingSize = 12 },
        new ClipTextTransformer { VocabularySize = Tokenizer.Vocabulary.Count, ContextLength = 16, Width = 16, Depth = 2, Heads = 2, EmbeddingSize = 12 });

    /// <summary>Writes the folder that Hugging Face's code would.</summary>
    public static string Folder(string folder)
    {
        NativeTorch.EnsureLoaded();
        using var scope = torch.NewDisposeScope();
        ClipFiles.Write(folder, ClipScheme.HuggingFaceFolder, ClipFiles.Random(Shape, Side, seed: 5), Side);
        TokenizerFiles.Write(Tokenizer, (name, bytes) => File.WriteAllBytes(Path.Combine(folder, name), bytes));
        return folder;
    }

    /// <summary>Pictures of several sizes, each of one colour at one end and another at the other.</summary>
    public static CaptionedPicture[] Rows(int count, string[]? labels = null)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, count).Select(row => new CaptionedPicture
        {
            Image = Image(random, 30 + row % 5, 40 - row % 7), Text = $"the quick dog {row}", Label = labels?[row % labels.Length] ?? "",
        })];
    }

    private static MLImage Image(Random random, int height, int width)
    {
        byte[] from = new byte[3], to = new byte[3], pixels = new byte[4 * height * width];
        random.NextBytes(from);
        random.NextBytes(to);
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = i % 4 == 3 ? (byte)255 : (byte)(from[i % 4] + (to[i % 4] - from[i % 4]) * i / pixels.Length);
        return MLImage.CreateFromPixels(width, height, MLPixelFormat.Rgba32, pixels);
    }
}
