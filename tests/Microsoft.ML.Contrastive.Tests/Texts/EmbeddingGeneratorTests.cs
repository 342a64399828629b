using Microsoft.Extensions.AI;

namespace Microsoft.ML.Contrastive.Tests.Texts;

/// <summary>.NET's interface of embedding generators over a fitted encoder.</summary>
public sealed class EmbeddingGeneratorTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_gives_the_transformers_vectors_in_order()
    {
        using SentenceEmbeddingTransformer encoder = Fit();
        using SentenceEmbeddingGenerator generator = encoder.AsEmbeddingGenerator("mine");
        string[] texts = ["the cat sleeps", "a stock rises after the report", "our team scores"];
        GeneratedEmbeddings<Embedding<float>> embeddings = await generator.GenerateAsync(texts, cancellationToken: Token);
        Assert.Equal(encoder.Embed(texts, Token), embeddings.Select(embedding => embedding.Vector.ToArray()));
        Assert.All(embeddings, embedding => Assert.Equal(("mine", 16), (embedding.ModelId, embedding.Dimensions)));

        var metadata = (EmbeddingGeneratorMetadata)generator.GetService(typeof(EmbeddingGeneratorMetadata))!;
        Assert.Equal(("ContrastiveML", "mine", 16), (metadata.ProviderName, metadata.DefaultModelId, metadata.DefaultModelDimensions!.Value));
        Assert.Same(generator, generator.GetService(typeof(IEmbeddingGenerator<string, Embedding<float>>)));
        Assert.NotNull(generator.GetService(typeof(SentenceEmbeddingTransformer)));
        Assert.Null(generator.GetService(typeof(string)));
    }

    [Fact]
    public async Task Vectors_can_be_cut_and_are_unit_then()
    {
        using SentenceEmbeddingTransformer encoder = Fit();
        using SentenceEmbeddingGenerator generator = encoder.AsEmbeddingGenerator();
        Embedding<float> cut = (await generator.GenerateAsync(["the cat sleeps"], new EmbeddingGenerationOptions { Dimensions = 4 }, Token))[0];
        Assert.Equal(4, cut.Dimensions);
        Assert.Equal(1, SmallCorpus.Cosine(cut.Vector.ToArray(), encoder.Embed(["the cat sleeps"], Token)[0][..4]), 1e-6);
        Assert.Equal(1, cut.Vector.ToArray().Sum(number => (double)number * number), 1e-5);
    }

    [Fact]
    public async Task What_can_not_be_met_is_refused_and_work_can_be_cancelled()
    {
        using SentenceEmbeddingTransformer encoder = Fit();
        SentenceEmbeddingGenerator generator = encoder.AsEmbeddingGenerator();
        await Assert.ThrowsAsync<ArgumentException>(() => generator.GenerateAsync([null!], cancellationToken: Token));
        await Assert.ThrowsAsync<ArgumentException>(() => generator.GenerateAsync(["a"], new EmbeddingGenerationOptions { Dimensions = 17 }, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => generator.GenerateAsync(["a"], new EmbeddingGenerationOptions { ModelId = "other" }, Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => generator.GenerateAsync(["a"], cancellationToken: new CancellationToken(canceled: true)));
        generator.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => generator.GenerateAsync(["a"], cancellationToken: Token));
        Assert.NotEmpty(encoder.Embed(["a"], Token)); // which shares the network, and lives on
    }

    private static SentenceEmbeddingTransformer Fit()
    {
        var ml = new MLContext(1);
        return ml.Transforms.SentenceEmbedding(
            "Features", "Text", new TextTransformer { VocabularySize = 400, Width = 16, Heads = 2, Depth = 1 }, new SimCse(), new TrainingOptions { Steps = 2, BatchSize = 16 })
            .Fit(ml.View(SmallCorpus.Make(32, 1)));
    }
}
