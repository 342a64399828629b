using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Trains two networks, one for pictures and one for texts, on a column of each, so that what belongs together has vectors that point the same way: <see cref="Clip"/>.
/// </summary>
/// <remarks>
/// The run's seed is the context's, its device the context's GpuDeviceId and FallbackToCpu. Texts longer than the encoder's context are cut, counted and told once.
/// </remarks>
public sealed class ImageTextEstimator : IEstimator<ImageTextTransformer>
{
    private readonly IHost _host;
    private readonly Options _options;
    private readonly ContrastivePretrainEstimator _training;

    /// <summary>All settings of the estimator.</summary>
    public sealed record Options
    {
        /// <summary>Name of the column of pictures. The default value is "Image".</summary>
        public string ImageColumnName { get; init; } = "Image";

        /// <summary>Name of the column of texts. The default value is "Text".</summary>
        public string TextColumnName { get; init; } = "Text";

        /// <summary>Name of the column of pictures' vectors to add. The default value is "ImageVector".</summary>
        public string ImageOutputColumnName { get; init; } = "ImageVector";

        /// <summary>Name of the column of texts' vectors to add. The default value is "TextVector".</summary>
        public string TextOutputColumnName { get; init; } = "TextVector";

        /// <summary>What is learned by. The default value is <c>new Clip()</c>.</summary>
        public Clip Method { get; init; } = new();

        /// <summary>
        /// Both networks. Null: the small conv net for pictures under 64 pixels, otherwise ResNet-18; and CLIP's text transformer with 4 blocks of 256 and a vocabulary that is learned
        /// from the texts.
        /// </summary>
        public ImageTextEncoder? Encoder { get; init; }

        /// <summary>Whose weights, size and normalisation the pictures' network starts with, in place of random ones. It stays as it is. The default value is null.</summary>
        public ContrastivePretrainTransformer? ImageStart { get; init; }

        /// <summary>Whose weights and vocabulary the texts' network starts with, in place of random ones. It stays as it is. The default value is null.</summary>
        public SentenceEmbeddingTransformer? TextStart { get; init; }

        /// <summary>The run.</summary>
        public TrainingOptions Training { get; init; } = new();

        /// <summary>How a vector column holds pictures; null for MLImage columns.</summary>
        public ImageShape? ImageShape { get; init; }

        /// <summary>Height and width of a view in pixels. Null: the <see cref="ImageStart"/>'s, the column's own size where its type says one, otherwise the median of the shorter sides, at most 224.</summary>
        public int? ImageSize { get; init; }

        /// <summary>What is done with null and undecodable pictures. The default value is <see cref="MissingImages.Fail"/>.</summary>
        public MissingImages MissingImages { get; init; } = MissingImages.Fail;

        /// <summary>What is done with texts that are null, empty or blank. The default value is <see cref="EmptyTexts.Encode"/>: Fit leaves such rows out.</summary>
        public EmptyTexts EmptyTexts { get; init; }

        /// <summary>Rows that the fitted transformer computes together, 1 to 65,536. The default value is 64.</summary>
        public int TransformBatchSize { get; init; } = 64;
    }

    internal ImageTextEstimator(IHostEnvironment environment, Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(options.ImageColumnName, nameof(options.ImageColumnName));
        ArgumentException.ThrowIfNullOrEmpty(options.TextColumnName, nameof(options.TextColumnName));
        ArgumentException.ThrowIfNullOrEmpty(options.TextOutputColumnName, nameof(options.TextOutputColumnName));
        if (options.ImageOutputColumnName == options.TextOutputColumnName)
            throw new ArgumentException($"ImageOutputColumnName and TextOutputColumnName are both '{options.TextOutputColumnName}': they need names of their own.", nameof(options.TextOutputColumnName));
        if (options.ImageStart is { } image && options.Encoder is { } chosen && chosen.Image != image.Encoder)
            throw new ArgumentException($"The Encoder has a {chosen.Image.GetType().Name} for pictures, the ImageStart is {image.Encoder}: give new ImageTextEncoder with its Encoder, or leave Encoder out.", nameof(options.Encoder));
        if (options.TextStart is { } text && options.Encoder is { } both && both.Text != text.Encoder)
            throw new ArgumentException($"The Encoder has a {both.Text.GetType().Name} for texts, the TextStart is {text.Encoder}: give new ImageTextEncoder with its Encoder, or leave Encoder out.", nameof(options.Encoder));
        _options = options;
        _host = environment.Register(nameof(ImageTextEstimator));
        _training = new ContrastivePretrainEstimator(environment, new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = options.ImageOutputColumnName,
            InputColumnName = options.ImageColumnName,
            Method = options.Method,
            Encoder = options.Encoder,
            Training = options.Training,
            ImageShape = options.ImageShape,
            ImageSize = options.ImageSize,
            MissingImages = options.MissingImages,
            EmptyTexts = options.EmptyTexts,
            TransformBatchSize = options.TransformBatchSize,
            Pairs = new PairOptions(options.TextColumnName, options.TextOutputColumnName, options.ImageStart?.Weights, options.TextStart?.Weights),
        });
    }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ColumnKind pictures = _options.ImageShape is null ? ColumnKind.Pictures : ColumnKind.PictureVectors;
        return ContrastivePretrainEstimator.AddFeatures(
            ContrastivePretrainEstimator.AddFeatures(inputSchema, _options.ImageOutputColumnName, _options.ImageColumnName, pictures),
            _options.TextOutputColumnName, _options.TextColumnName, ColumnKind.Texts);
    }

    /// <summary>Trains on the pictures and texts of <paramref name="input"/>.</summary>
    /// <inheritdoc cref="ContrastivePretrainEstimator.Fit(IDataView)"/>
    public ImageTextTransformer Fit(IDataView input) => Fit(input, previous: null);

    /// <summary>Trains on, from the weights and the vocabulary of an earlier model, trained here or from <c>LoadClip</c>.</summary>
    /// <param name="input">Pictures and texts.</param>
    /// <param name="previous">Where to start from; null for the start that the options say. It stays as it is.</param>
    /// <inheritdoc cref="ContrastivePretrainEstimator.Fit(IDataView)"/>
    public ImageTextTransformer Fit(IDataView input, ImageTextTransformer? previous) => new(_host, _training.FitEncoder(input, previous?.Weights, trains: true));

    /// <summary>What <see cref="Fit(IDataView)"/> starts from: the baseline that a trained model must beat.</summary>
    /// <inheritdoc cref="ContrastivePretrainEstimator.Fit(IDataView)"/>
    public ImageTextTransformer Untrained(IDataView input) => new(_host, _training.FitEncoder(input, previous: null, trains: false));
}
