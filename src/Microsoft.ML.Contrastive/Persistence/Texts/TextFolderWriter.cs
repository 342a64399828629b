using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Writes a sentence encoder as the folder that sentence-transformers and Hugging Face's code open: old type names, which all their versions know. The folder is there whole or not at all.
/// </summary>
internal static class TextFolderWriter
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true };

    /// <param name="folder">Must not exist, or be empty.</param>
    /// <param name="shape">The network's.</param>
    /// <param name="tokenizer">Its own.</param>
    /// <param name="module">The network.</param>
    /// <param name="prompt">What stands before every text; may be empty.</param>
    /// <param name="library">What wrote it, with its version.</param>
    /// <exception cref="IOException">The folder is not empty, or can't be written.</exception>
    /// <exception cref="NotSupportedException">The shape has something that the format has no place for.</exception>
    public static void Write(string folder, TextTransformer shape, Tokenizer tokenizer, nn.Module module, string prompt, string library)
    {
        SentenceModules.CheckWritable(shape);
        string full = Path.GetFullPath(folder), temporary = $"{full}.{Guid.NewGuid():N}{AtomicFile.TemporaryExtension}";
        if (Directory.Exists(full) && Directory.EnumerateFileSystemEntries(full).Any())
            throw new IOException($"The folder {folder} is not empty: choose another, or delete it.");
        try
        {
            Directory.CreateDirectory(temporary);
            TokenizerFiles.Write(tokenizer, (name, bytes) => File.WriteAllBytes(Path.Combine(temporary, name), bytes));
            Json(TextConfig.File, TextConfig.Write(shape, tokenizer.PaddingId));
            foreach ((string path, object content) in SentenceModules.Write(shape, tokenizer.Vocabulary, TokenWeights(module)))
                Json(path, content);
            Json(SentenceModules.Config, SentenceModules.WriteConfig(prompt, library));
            Weights(TextCheckpoint.Weights, Encoder(shape, module));
            if (shape.DenseSize is not null)
                Weights($"2_Dense/{TextCheckpoint.Weights}", module.state_dict().Where(entry => TextNames.IsDense(entry.Key)).Select(entry => ("linear." + entry.Key["dense.".Length..], entry.Value)));
            if (Directory.Exists(full))
                Directory.Delete(full);
            Directory.Move(temporary, full);
        }
        finally
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
        }

        void Json(string path, object content) => Put(path, stream => JsonSerializer.Serialize(stream, content, s_json));

        void Weights(string path, IEnumerable<(string, Tensor)> tensors)
            => Put(path, stream => SafeTensors.Save(stream, tensors, new Dictionary<string, string> { ["format"] = "pt" }));

        void Put(string path, Action<Stream> write)
        {
            string file = Path.Combine(temporary, path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            using var stream = new FileStream(file, FileMode.CreateNew, FileAccess.Write);
            write(stream);
            stream.Flush(flushToDisk: true);
        }
    }

    private static float[]? TokenWeights(nn.Module module)
    {
        using Tensor? weights = ((TextTransformerModule)module).TokenWeights?.cpu();
        return weights?.data<float>().ToArray();
    }

    /// <summary>The transformer's tensors under the names of its kind. BERT's code wants a table of types, of which zeros change nothing.</summary>
    private static IEnumerable<(string Name, Tensor Value)> Encoder(TextTransformer shape, nn.Module module)
    {
        string type = TextConfig.ModelType(shape);
        foreach ((string name, Tensor value) in module.state_dict())
            if (!TextNames.IsDense(name) && name != TextNames.TokenWeights)
                yield return (TextNames.Theirs(name, type), value);
        if (shape.TokenTypes == 0 && type != "mpnet")
            yield return ("embeddings.token_type_embeddings.weight", zeros(1, shape.Width));
    }
}
