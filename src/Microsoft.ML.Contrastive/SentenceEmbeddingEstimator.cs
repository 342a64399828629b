using System.Text.Json.Nodes;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Turns a column of texts into vectors that lie near each other where the texts mean alike: by a published model as it is, by one that is trained further on
/// the column, or by one that is trained on it from nothing.
/// </summary>
/// <remarks>The run's seed is the context's, its device the context's GpuDeviceId and FallbackToCpu. Nothing global is changed.</remarks>
public sealed class SentenceEmbeddingEstimator : IEstimator<SentenceEmbeddingTransformer>
{
    private readonly IHostEnvironment _environment;
    private readonly IHost _host;
    private readonly Options _options;
    private readonly ContrastivePretrainEstimator? _training;

    /// <summary>All settings of the estimator.</summary>
    public sealed record Options
    {
        /// <summary>Name of the column of vectors to add.</summary>
        public required string OutputColumnName { get; init; }

        /// <summary>Name of the column of texts. Null: <see cref="OutputColumnName"/>.</summary>
        public string? InputColumnName { get; init; }

        /// <summary>The network: <see cref="TextEncoder.FromFolder"/>, <see cref="TextEncoder.Small"/>, <see cref="TextEncoder.WordVectors"/>, or settings of one's own. The default value is <see cref="TextEncoder.Small"/>.</summary>
        public TextEncoder Encoder { get; init; } = TextEncoder.Small();

        /// <summary>What is learned by. Null, the default: nothing is learned, and the encoder is taken as it is; not for one that starts from nothing.</summary>
        public TextMethod? Method { get; init; }

        /// <summary>The run; of no use without a method.</summary>
        public TrainingOptions Training { get; init; } = new();

        /// <inheritdoc cref="ContrastivePretrainEstimator.Options.PositiveColumnName"/>
        public string? PositiveColumnName { get; init; }

        /// <inheritdoc cref="ContrastivePretrainEstimator.Options.NegativeColumnName"/>
        public string? NegativeColumnName { get; init; }

        /// <inheritdoc cref="ContrastivePretrainEstimator.Options.LabelColumnName"/>
        public string? LabelColumnName { get; init; }

        /// <inheritdoc cref="ContrastivePretrainEstimator.Options.EmptyTexts"/>
        public EmptyTexts EmptyTexts { get; init; }

        /// <inheritdoc cref="ContrastivePretrainEstimator.Options.Prompt"/>
        public string? Prompt { get; init; }

        /// <summary>Rows that the fitted transformer reads ahead, 1 to 65,536; of these, texts of like length are computed together. The default value is 256.</summary>
        public int TransformBatchSize { get; init; } = 256;

        internal string Input => InputColumnName ?? OutputColumnName;
    }

    internal SentenceEmbeddingEstimator(IHostEnvironment environment, Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(options.OutputColumnName, nameof(options.OutputColumnName));
        ArgumentNullException.ThrowIfNull(options.Encoder, nameof(options.Encoder));
        if (options.Method is null && options.Encoder is TextTransformer or WordVectorEncoder { VectorsFrom: null })
            throw new ArgumentException($"A {options.Encoder.GetType().Name} starts from random weights, whose vectors mean nothing: give a method, such as new SimCse(), or an encoder with weights, TextEncoder.FromFolder or TextEncoder.WordVectors.", nameof(options.Method));
        (_environment, _options) = (environment, options);
        _host = environment.Register(nameof(SentenceEmbeddingEstimator));
        // Without a method the same checks are wanted, and no training.
        var training = new ContrastivePretrainEstimator(environment, new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = options.OutputColumnName,
            InputColumnName = options.InputColumnName,
            Method = options.Method ?? new SimCse(),
            Encoder = options.Encoder,
            Training = options.Training,
            PositiveColumnName = options.PositiveColumnName,
            NegativeColumnName = options.NegativeColumnName,
            LabelColumnName = options.Method is null ? null : options.LabelColumnName,
            EmptyTexts = options.EmptyTexts,
            Prompt = options.Prompt,
            TransformBatchSize = options.TransformBatchSize,
        });
        if (options.Method is null && (options.PositiveColumnName ?? options.NegativeColumnName ?? options.LabelColumnName) is not null)
            throw new ArgumentException("Positives, negatives and labels are for training: give a method too, such as new SimCse().", nameof(options.Method));
        _training = options.Method is null ? null : training;
    }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
        => ContrastivePretrainEstimator.AddFeatures(inputSchema, _options.OutputColumnName, _options.Input, ColumnKind.Texts);

    /// <summary>Reads the encoder and, where there is a method, trains it on the texts of <paramref name="input"/>.</summary>
    /// <exception cref="InvalidDataException">A file of the encoder is missing, damaged or of a kind that is not supported: it is named.</exception>
    /// <inheritdoc cref="ContrastivePretrainEstimator.Fit(IDataView)"/>
    public SentenceEmbeddingTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new SentenceEmbeddingTransformer(_host, _training is null ? TakeAsItIs(input) : _training.FitEncoder(input, previous: null, trains: true));
    }

    /// <summary>Trains on, from the weights and the vocabulary of an earlier encoder.</summary>
    /// <param name="input">The texts.</param>
    /// <param name="previous">Where to start from: its network counts, whatever <see cref="Options.Encoder"/> says. It stays as it is.</param>
    /// <inheritdoc cref="Fit(IDataView)"/>
    public SentenceEmbeddingTransformer Fit(IDataView input, SentenceEmbeddingTransformer previous)
    {
        ArgumentNullException.ThrowIfNull(previous);
        if (_training is null)
            throw new InvalidOperationException("Without a method there is no training to go on with: give one, such as new SimCse().");
        return new SentenceEmbeddingTransformer(_host, _training.FitEncoder(input, previous.Weights, trains: true));
    }

    /// <summary>The encoder that <see cref="Fit(IDataView)"/> starts from: the baseline that a trained one must beat.</summary>
    /// <inheritdoc cref="Fit(IDataView)"/>
    public SentenceEmbeddingTransformer Untrained(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new SentenceEmbeddingTransformer(_host, _training is null ? TakeAsItIs(input) : _training.FitEncoder(input, previous: null, trains: false));
    }

    private PretrainedEncoder TakeAsItIs(IDataView input)
    {
        using IChannel channel = _host.Start("Fit");
        (Device device, string? warning) = ContextSettings.ChooseDevice(_environment);
        if (warning is not null)
            channel.Warning(warning);
        var column = new TextColumn(input.Schema, _options.Input);
        TextStart start = TextStart.Create(_options.Encoder, _options.Prompt, () => new ColumnReading(_host, channel, _options.Training).Texts(input, [column]));
        TextInput texts = start.Input(_options.EmptyTexts, _options.Prompt);
        nn.Module<Tensor, Tensor> module = texts.CreateModule(ContextSettings.Seed(_environment) ?? 0);
        try
        {
            start.Load?.Invoke(module);
            module.to(device).eval();
        }
        catch
        {
            module.Dispose();
            throw;
        }
        return new PretrainedEncoder(
            new EncoderManifest
            {
                Format = EncoderManifest.CurrentFormat,
                Library = LibraryVersion.Current,
                OutputColumn = _options.OutputColumnName,
                InputColumn = _options.Input,
                Input = texts,
                BatchSize = _options.TransformBatchSize,
                Training = new JsonObject { ["method"] = "none" },
            },
            module, device, start.Tokenizer);
    }
}
