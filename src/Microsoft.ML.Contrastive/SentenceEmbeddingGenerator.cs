using Microsoft.Extensions.AI;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A fitted sentence encoder behind <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/>; made by <see cref="SentenceEmbeddingTransformer.AsEmbeddingGenerator"/>. Safe for use by
/// many threads. The computation is the processor's or the GPU's own: it runs beside the caller, not within a request to a server.
/// </summary>
public sealed class SentenceEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly SentenceEmbeddingTransformer _encoder;
    private readonly EmbeddingGeneratorMetadata _metadata;

    internal SentenceEmbeddingGenerator(SentenceEmbeddingTransformer encoder, string modelId)
        => (_encoder, _metadata) = (encoder, new EmbeddingGeneratorMetadata("ContrastiveML", defaultModelId: modelId, defaultModelDimensions: encoder.FeatureSize));

    /// <summary>The vectors of <paramref name="values"/>, one for each, in their order.</summary>
    /// <param name="values">The texts.</param>
    /// <param name="options">
    /// Dimensions cuts each vector to its first numbers and makes it unit again, which is good where the encoder was trained for it (<see cref="SimCse.MatryoshkaSizes"/>). Another ModelId than this
    /// generator's is refused.
    /// </param>
    /// <param name="cancellationToken">Is asked between batches.</param>
    /// <exception cref="ArgumentException">A text is null, or an option can't be met.</exception>
    /// <exception cref="InvalidOperationException">A text is blank, and the encoder was made with <see cref="EmptyTexts.Fail"/>.</exception>
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        string[] texts = [.. values];
        if (texts.Contains(null))
            throw new ArgumentException($"Text {Array.IndexOf(texts, null)} is null.", nameof(values));
        if (options?.ModelId is { } model && model != _metadata.DefaultModelId)
            throw new ArgumentException($"This generator has the model '{_metadata.DefaultModelId}', not '{model}': leave ModelId out.", nameof(options));
        if (options?.Dimensions is { } dimensions && (dimensions < 1 || dimensions > _encoder.FeatureSize))
            throw new ArgumentException($"Vectors of {dimensions} numbers can't be given: this model has {_encoder.FeatureSize}.", nameof(options));
        return Task.Run(() => Generate(texts, options?.Dimensions, cancellationToken), cancellationToken);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(_encoder) ? _encoder : null;
    }

    /// <summary>Frees the network unless another transformer shares it.</summary>
    public void Dispose() => _encoder.Dispose();

    private GeneratedEmbeddings<Embedding<float>> Generate(string[] texts, int? dimensions, CancellationToken cancellationToken)
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        return new GeneratedEmbeddings<Embedding<float>>(_encoder.Embed(texts, cancellationToken)
            .Select(vector => new Embedding<float>(dimensions is { } length ? Cut(vector, length) : vector) { ModelId = _metadata.DefaultModelId, CreatedAt = now }));
    }

    private static float[] Cut(float[] vector, int length)
    {
        float[] cut = vector[..length];
        double norm = Math.Sqrt(cut.Sum(number => (double)number * number));
        return norm == 0 ? cut : Array.ConvertAll(cut, number => (float)(number / norm));
    }
}
