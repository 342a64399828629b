using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>The library's components on <c>mlContext.Transforms</c>, and its measures on <c>mlContext</c>.</summary>
public static class ContrastiveCatalog
{
    /// <summary>
    /// Learns features from a column of unlabelled pictures, texts or sequences by a contrastive or self-supervised method.
    /// </summary>
    /// <param name="catalog"><c>mlContext.Transforms</c>.</param>
    /// <param name="outputColumnName">Name of the column to add: a known-size vector of Single.</param>
    /// <param name="inputColumnName">Name of the column of pictures. Null: <paramref name="outputColumnName"/>. MLImage of any sizes, or a known-size vector of Byte or Single with an <paramref name="imageShape"/>. Or of sequences: a known-size vector of Single with a <paramref name="sequence"/>.</param>
    /// <param name="method">What is learned by, such as <c>new MoCoV2()</c>. Null: SimCLR v1.</param>
    /// <param name="encoder">The network, such as <c>ImageEncoder.ResNet18(Stem.Small)</c>. Null: for most methods a small conv net for views under 64 pixels, otherwise ResNet-18.</param>
    /// <param name="training">Epochs, batch, progress, cancellation. Null: the defaults.</param>
    /// <param name="imageShape">How a vector holds a picture; left out for MLImage.</param>
    /// <param name="sequence">How a vector holds a sequence, which <see cref="Cpc"/> learns from; left out for pictures.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static ContrastivePretrainEstimator ContrastivePretrain(
        this TransformsCatalog catalog, string outputColumnName, string? inputColumnName = null, ContrastiveMethod? method = null,
        Encoder? encoder = null, TrainingOptions? training = null, ImageShape? imageShape = null, SequenceShape? sequence = null)
        => catalog.ContrastivePretrain(new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = outputColumnName,
            InputColumnName = inputColumnName,
            Method = method ?? new SimClrV1(),
            Encoder = encoder,
            Training = training ?? new TrainingOptions(),
            ImageShape = imageShape,
            Sequence = sequence,
        });

    /// <summary>Learns features from a column of unlabelled pictures, texts or sequences; every setting is in <paramref name="options"/>.</summary>
    /// <param name="catalog"><c>mlContext.Transforms</c>.</param>
    /// <param name="options">The settings.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static ContrastivePretrainEstimator ContrastivePretrain(this TransformsCatalog catalog, ContrastivePretrainEstimator.Options options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new ContrastivePretrainEstimator(CatalogUtils.GetEnvironment(catalog), options);
    }

    /// <summary>Turns a column of texts into vectors that lie near each other where the texts mean alike.</summary>
    /// <param name="catalog"><c>mlContext.Transforms</c>.</param>
    /// <param name="outputColumnName">Name of the column to add: a known-size vector of Single.</param>
    /// <param name="inputColumnName">Name of the column of texts. Null: <paramref name="outputColumnName"/>.</param>
    /// <param name="encoder"><see cref="TextEncoder.FromFolder"/>, <see cref="TextEncoder.Small"/> or <see cref="TextEncoder.WordVectors"/>. Null: <see cref="TextEncoder.Small"/>.</param>
    /// <param name="method">What is learned by on the column, such as <c>new SimCse()</c>. Null: nothing is learned; not for an encoder that starts from nothing.</param>
    /// <param name="training">Epochs, batch, progress, cancellation. Null: the defaults.</param>
    /// <param name="positiveColumnName">Name of a column of texts that belong to the input's, for Fit alone. The default value is null.</param>
    /// <param name="negativeColumnName">Name of a column of hard negatives, for Fit alone. The default value is null.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static SentenceEmbeddingEstimator SentenceEmbedding(
        this TransformsCatalog catalog, string outputColumnName, string? inputColumnName = null, TextEncoder? encoder = null, TextMethod? method = null,
        TrainingOptions? training = null, string? positiveColumnName = null, string? negativeColumnName = null)
        => catalog.SentenceEmbedding(new SentenceEmbeddingEstimator.Options
        {
            OutputColumnName = outputColumnName,
            InputColumnName = inputColumnName,
            Encoder = encoder ?? TextEncoder.Small(),
            Method = method,
            Training = training ?? new TrainingOptions(),
            PositiveColumnName = positiveColumnName,
            NegativeColumnName = negativeColumnName,
        });

    /// <summary>Turns a column of texts into vectors; every setting is in <paramref name="options"/>.</summary>
    /// <param name="catalog"><c>mlContext.Transforms</c>.</param>
    /// <param name="options">The settings.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static SentenceEmbeddingEstimator SentenceEmbedding(this TransformsCatalog catalog, SentenceEmbeddingEstimator.Options options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new SentenceEmbeddingEstimator(CatalogUtils.GetEnvironment(catalog), options);
    }

    /// <summary>Measures of learned features: nearest neighbours, a linear probe, how they lie in space.</summary>
    /// <param name="ml">The context, whose seed and device the measures take.</param>
    public static RepresentationCatalog Representation(this MLContext ml)
    {
        ArgumentNullException.ThrowIfNull(ml);
        return new RepresentationCatalog(ml);
    }
}
