using Microsoft.ML;
using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(
    typeof(SentenceEmbeddingTransformer), null, typeof(SignatureLoadModel),
    "Sentence embedding", SentenceEmbeddingTransformer.LoaderSignature)]

namespace Microsoft.ML.Contrastive;

/// <summary>A fitted encoder of texts: adds a known-size vector of Single, each row's text as a vector.</summary>
public sealed class SentenceEmbeddingTransformer : FeaturesTransformer
{
    internal const string LoaderSignature = "SentenceEmbedding";

    internal SentenceEmbeddingTransformer(IHostEnvironment environment, PretrainedEncoder encoder)
        : base(environment.Register(nameof(SentenceEmbeddingTransformer)), encoder)
    {
    }

    /// <summary>The network's shape.</summary>
    public TextEncoder Encoder => (TextEncoder)Manifest.Input.Network;

    private protected override VersionInfo SavedVersion => Version();

    /// <summary>
    /// This encoder as an estimator that does not train again, so that a chain with a trainer behind it can be fitted many
    /// times, by cross-validation for instance.
    /// </summary>
    public IEstimator<SentenceEmbeddingTransformer> AsEstimator()
        => new FittedEncoderEstimator<SentenceEmbeddingTransformer>(Weights, encoder => new SentenceEmbeddingTransformer(Host, encoder));

    /// <summary>The vectors of some texts, without a data view: [D] each, in their order. Safe for use by many threads.</summary>
    /// <param name="texts">Any; null and blank ones have the vector of the empty text, unless the encoder fails on them in Transform too.</param>
    /// <param name="cancellationToken">Is asked between batches.</param>
    /// <exception cref="InvalidOperationException">A text is blank, and the encoder was made with <see cref="EmptyTexts.Fail"/>.</exception>
    public float[][] Embed(IEnumerable<string?> texts, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        (float[][] vectors, int cut) = TextVectors.Of(Weights, (TextInput)Manifest.Input, texts, forward: null, cancellationToken);
        CutTexts!.Tell(cut, vectors.Length);
        return vectors;
    }

    /// <summary>
    /// Hard negatives for pairs: for each text, of the positives of other rows the one that this encoder finds nearest and yet not too near. Train on with them as
    /// <see cref="SentenceEmbeddingEstimator.Options.NegativeColumnName"/>.
    /// </summary>
    /// <param name="pairs">The pairs, at least two.</param>
    /// <param name="positiveColumnName">Name of the column of positives; the texts are in this encoder's own column.</param>
    /// <param name="skip">How many of the nearest are left out first, at least 0: some are true positives that nobody marked. The default value is 0.</param>
    /// <param name="mostShare">
    /// A negative's cosine is at most this share of the own positive's, above 0 to 1 (Moreira et al. 2024 have 0.95, the default); where none is left, the farthest that was looked at.
    /// </param>
    /// <returns>One text for each row, in the rows' order; never one that reads as the row's text or its positive.</returns>
    /// <exception cref="ArgumentException">A column is missing or of another type, or all positives are the same.</exception>
    public IReadOnlyList<string> MineHardNegatives(IDataView pairs, string positiveColumnName, int skip = 0, double mostShare = 0.95)
        => HardNegatives.Mine(Weights, pairs, positiveColumnName, skip, mostShare);

    /// <summary>
    /// Writes the encoder as a folder that <see cref="TextEncoder.FromFolder"/> and Python's sentence-transformers open: whole or not at all. A prompt is its default prompt.
    /// </summary>
    /// <param name="folder">Must not exist, or be empty.</param>
    /// <exception cref="NotSupportedException">Word vectors, and a pooling over two layers, have no place in such a folder.</exception>
    /// <exception cref="IOException">The folder is not empty, or can't be written.</exception>
    public void SaveFolder(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        PretrainedEncoder network = Weights.Share();
        try
        {
            if (Encoder is not TextTransformer shape)
                throw new NotSupportedException($"A {Encoder.GetType().Name} can't be written as a folder of sentence-transformers: save the model's zip with mlContext.Model.Save.");
            TextFolderWriter.Write(folder, shape, network.Tokenizer!, network.Module, ((TextInput)Manifest.Input).Prompt, LibraryVersion.Current);
        }
        finally
        {
            network.Release();
        }
    }

    /// <summary>
    /// This encoder as .NET's common interface of embedding generators (Microsoft.Extensions.AI), for search and retrieval code written against it. It shares the
    /// network: dispose both.
    /// </summary>
    /// <param name="modelId">The name that the generator says, and that requests may ask for. Null: the name of the network's kind.</param>
    public SentenceEmbeddingGenerator AsEmbeddingGenerator(string? modelId = null) => new(new SentenceEmbeddingTransformer(Host, Weights), modelId ?? Encoder.GetType().Name);

    /// <summary>
    /// The same network computing in other numbers, which a model zip keeps. With <see cref="Precision.BFloat16"/> vectors differ in the third digit. It shares the weights:
    /// dispose both.
    /// </summary>
    /// <param name="precision">In which numbers.</param>
    public SentenceEmbeddingTransformer WithPrecision(Precision precision) => new(Host, Weights.With(precision));

    // Called by ML.NET's loader, through the LoadableClass attribute above.
    private static SentenceEmbeddingTransformer Create(IHostEnvironment environment, ModelLoadContext ctx)
    {
        (PretrainedEncoder encoder, string? warning) = Read(environment, ctx, Version());
        if (encoder.Manifest.Input is not TextInput)
            throw new InvalidDataException($"The model's {ManifestEntry} describes no encoder of texts: it is damaged or was edited.");
        var transformer = new SentenceEmbeddingTransformer(environment, encoder);
        if (warning is not null)
            transformer.Log(channel => channel.Warning(warning));
        return transformer;
    }

    private static VersionInfo Version() => Version("SENTEMBD", LoaderSignature);
}
