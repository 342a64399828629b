using Microsoft.ML.Contrastive.Tests.Tokenizers;

namespace Microsoft.ML.Contrastive.Tests.Texts;

/// <summary>Word vectors from a file: alone, weighed, trained, and as the start of a transformer.</summary>
public sealed class WordVectorEncoderTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public WordVectorEncoderTests() => File.WriteAllText(_file, "the 1 0\ncat 0 2\nsleeps 4 4\n. 0 0.5\n");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void A_text_is_the_mean_of_its_words_and_unknown_ones_are_left_out()
    {
        using SentenceEmbeddingTransformer encoder = Fit(TextEncoder.WordVectors(_file), ["the cat"]);
        float[][] vectors = encoder.Embed(["The cat", "the unheard cat, sleeps", "unheard", ""], Token);
        Assert.Equal([0.5f, 1], vectors[0]);
        Assert.Equal([5 / 3f, 2], vectors[1]);
        Assert.Equal([0, 0], vectors[2]);
        Assert.Equal([0, 0], vectors[3]);
        Assert.Equal(2, encoder.FeatureSize);
    }

    [Fact]
    public void Rare_words_weigh_more()
    {
        // p(the) = 2/3, p(cat) = 1/3
        using SentenceEmbeddingTransformer encoder = Fit(TextEncoder.WordVectors(_file) with { RarityWeight = 0.5 }, ["the the cat"]);
        double the = 0.5 / (0.5 + 2 / 3.0), cat = 0.5 / (0.5 + 1 / 3.0);
        float[] vector = encoder.Embed(["the cat"], Token)[0];
        Assert.Equal(the / (the + cat), vector[0], 1e-6);
        Assert.Equal(2 * cat / (the + cat), vector[1], 1e-6);
    }

    [Fact]
    public void They_can_be_trained_and_saved()
    {
        var ml = new MLContext(1);
        IDataView data = ml.View(SmallCorpus.Make(64, 1));
        using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding(
            "Features", "Text", TextEncoder.WordVectors(_file), new SimCse { HasMlp = false }, new TrainingOptions { Steps = 3, BatchSize = 16 }, positiveColumnName: "Positive").Fit(data);
        Assert.NotEqual([0.5f, 1], encoder.Embed(["the cat"], Token)[0]);
        using var stream = new MemoryStream();
        ml.Model.Save(encoder, data.Schema, stream);
        stream.Position = 0;
        Assert.Equal(encoder.Vectors(data), ml.Model.Load(stream, out _).Vectors(data));
        Assert.Contains("can't be written", Assert.Throws<NotSupportedException>(() => encoder.SaveFolder(_file + ".folder")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_transformers_whole_words_start_with_theirs()
    {
        var ml = new MLContext(1);
        IDataView data = ml.View(SmallCorpus.Make(64, 1));
        TextTransformer shape = new() { VocabularySize = 400, Width = 4, Heads = 1, Depth = 1 };
        File.WriteAllText(_file, "the 1 0 0 1\ncat 0 2 0 -1\nsleeps 4 4 1 0\n");
        using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding("Features", "Text", shape with { VectorsFrom = _file }, new SimCse(), new TrainingOptions { BatchSize = 16 }).Untrained(data);
        var module = (TextTransformerModule)encoder.Weights.Module;
        float[] Row(string word) => module.TokenVectors[encoder.Weights.Tokenizer!.Vocabulary.Find(word, "word")].data<float>().ToArray();
        Assert.True(SmallCorpus.Cosine([.. Row("sleeps").Zip(Row("the"), (x, y) => x - y)], [3, 4, 1, -1]) > 0.9999);
        Assert.Contains(
            "set Width", Assert.Throws<ArgumentException>(() => ml.Transforms.SentenceEmbedding("Features", "Text", shape with { Width = 8, VectorsFrom = _file }, new SimCse()).Fit(data)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, "Ġthe", "ĠcafÃ©")]
    [InlineData(false, "▁the", "▁dog")]
    public void Words_are_found_behind_a_vocabularys_mark_of_their_begin(bool ofBytes, string one, string other)
    {
        Tokenizer tokenizer = ofBytes ? VocabularyLearning.ByteLevelBpe(Enumerable.Repeat("in the café the dog", 4), new VocabularyOptions { Size = 300 }) : ToyTokenizers.Unigram();
        string folder = Directory.CreateTempSubdirectory("tokenizer-").FullName;
        try
        {
            TokenizerFiles.Write(tokenizer, (name, bytes) => File.WriteAllBytes(Path.Combine(folder, name), bytes));
            File.WriteAllText(_file, "the 1 0 0 1\ncafé 0 2 0 -1\ndog 0 2 0 -1\ng 4 4 1 0\n");
            var ml = new MLContext(1);
            var shape = new TextTransformer { Width = 4, Heads = 1, Depth = 1, TokenizerFrom = folder };
            using SentenceEmbeddingTransformer start = Untrained(shape with { VectorsFrom = _file }), random = Untrained(shape);
            Assert.True(SmallCorpus.Cosine([.. Row(start, other).Zip(Row(start, one), (x, y) => x - y)], [-1, 2, 0, -2]) > 0.9999);
            Assert.Equal(Row(random, "g"), Row(start, "g")); // no word, but a piece of some

            SentenceEmbeddingTransformer Untrained(TextEncoder encoder)
                => ml.Transforms.SentenceEmbedding("Features", "Text", encoder, new SimCse(), new TrainingOptions { BatchSize = 16 }).Untrained(ml.View(SmallCorpus.Make(32, 1)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        static float[] Row(SentenceEmbeddingTransformer encoder, string token)
            => ((TextTransformerModule)encoder.Weights.Module).TokenVectors[encoder.Weights.Tokenizer!.Vocabulary.Find(token, "word")].data<float>().ToArray();
    }

    private static SentenceEmbeddingTransformer Fit(TextEncoder encoder, string[] texts)
    {
        var ml = new MLContext(1);
        return ml.Transforms.SentenceEmbedding("Features", "Text", encoder).Fit(ml.View(texts.Select(text => new SmallCorpus.Row { Text = text })));
    }
}
