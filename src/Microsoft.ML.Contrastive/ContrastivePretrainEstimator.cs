using System.Reflection;
using System.Text.Json.Nodes;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms.Image;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Learns an encoder from a column of unlabelled pictures, texts or sequences, or from several columns of pictures: a method, an encoder and training settings, each a value of its
/// own. Fit reads the column once, trains, and gives a transformer that adds the learned features.
/// </summary>
/// <remarks>
/// The run's seed is the context's (<c>new MLContext(seed: 1)</c>), its device the context's GpuDeviceId and FallbackToCpu.
/// Nothing global is changed: no generator, no default device, no thread count.
/// </remarks>
public sealed class ContrastivePretrainEstimator : IEstimator<ContrastivePretrainTransformer>
{
    private readonly IHostEnvironment _environment; // the host keeps the GPU settings of the moment of its registration
    private readonly IHost _host;
    private readonly Options _options;

    /// <summary>All settings of the estimator.</summary>
    public sealed record Options
    {
        /// <summary>Name of the column of features to add.</summary>
        public required string OutputColumnName { get; init; }

        /// <summary>Name of the column of pictures, texts or sequences. Null: <see cref="OutputColumnName"/>.</summary>
        public string? InputColumnName { get; init; }

        /// <summary>
        /// Names of 2 to 16 columns of pictures, each a view with a network of its own, which <see cref="Cmc"/> learns from; in place of <see cref="InputColumnName"/>. The
        /// default value is null.
        /// </summary>
        public IReadOnlyList<string>? InputColumnNames { get; init; }

        /// <summary>How each of the <see cref="InputColumnNames"/> holds pictures, null for MLImage columns; null, the default, where all are.</summary>
        public IReadOnlyList<ImageShape?>? ImageShapes { get; init; }

        /// <summary>What is learned by. The default value is SimCLR v1.</summary>
        public ContrastiveMethod Method { get; init; } = new SimClrV1();

        /// <summary>
        /// The network: an <see cref="ImageEncoder"/> for pictures, a <see cref="TextEncoder"/> for texts, a <see cref="SequenceEncoder"/> for sequences, a
        /// <see cref="MultiviewEncoder"/> for several columns of pictures, or an <see cref="ImageEncoder"/> that each of them gets. Null: the method's default, for
        /// most the small conv net for views under 64 pixels, otherwise ResNet-18; <see cref="TextEncoder.Small"/> for texts.
        /// </summary>
        public Encoder? Encoder { get; init; }

        /// <summary>The run.</summary>
        public TrainingOptions Training { get; init; } = new();

        /// <summary>How a vector column holds pictures; null for MLImage columns.</summary>
        public ImageShape? ImageShape { get; init; }

        /// <summary>How a vector column holds sequences, which <see cref="Cpc"/> learns from; null, the default, where it holds pictures.</summary>
        public SequenceShape? Sequence { get; init; }

        /// <summary>
        /// Name of a column of texts that belong to the input's, each row's to its own: what follows from it, or says the same. Read by Fit alone. Null, the default: a text
        /// is its own positive.
        /// </summary>
        public string? PositiveColumnName { get; init; }

        /// <summary>Name of a column of texts that are like the input's and yet don't belong to them, such as contradictions. Read by Fit alone. The default value is null.</summary>
        public string? NegativeColumnName { get; init; }

        /// <summary>Name of a column of classes, a key, one for each pair of text and positive: for <see cref="ConSert"/>'s joint training. Read by Fit alone. The default value is null.</summary>
        public string? LabelColumnName { get; init; }

        /// <summary>What is done with texts that are null, empty or blank. The default value is <see cref="EmptyTexts.Encode"/>.</summary>
        public EmptyTexts EmptyTexts { get; init; }

        /// <summary>Stands before every text, in Fit and in Transform: "query: " for instance, where a published model was trained with it. Empty for none. Null, the default: the one that an earlier encoder or a folder's default_prompt_name has, or none.</summary>
        public string? Prompt { get; init; }

        /// <summary>
        /// Height and width of a view, and of what Transform feeds the network, in pixels. Null: the column's own size where its
        /// type says one, of several columns the first's; otherwise the median of the pictures' shorter sides, at most 224. From the encoder's minimum to 4,096.
        /// </summary>
        public int? ImageSize { get; init; }

        /// <summary>What is done with null and undecodable pictures. The default value is <see cref="MissingImages.Fail"/>.</summary>
        public MissingImages MissingImages { get; init; } = MissingImages.Fail;

        /// <summary>Rows that the fitted transformer featurizes together, 1 to 65,536, and fewer of large pictures: 2.5 million numbers are the limit on a CPU (16 pictures of 224 x 224 x 3), 67 million on a GPU. The default value is 64.</summary>
        public int TransformBatchSize { get; init; } = 64;

        internal string Input => InputColumnNames?[0] ?? InputColumnName ?? OutputColumnName;

        /// <summary>For pictures with texts.</summary>
        internal PairOptions? Pairs { get; init; }

        internal ColumnKind Kind => Pairs is not null ? ColumnKind.Pairs
            : InputColumnNames is not null ? ColumnKind.Multiview
            : Method is TextMethod ? ColumnKind.Texts
            : Sequence is not null ? ColumnKind.Sequences
            : ImageShape is not null ? ColumnKind.PictureVectors : ColumnKind.Pictures;
    }

    internal ContrastivePretrainEstimator(IHostEnvironment environment, Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(options.OutputColumnName, nameof(options.OutputColumnName));
        if (options.InputColumnName is not null)
            ArgumentException.ThrowIfNullOrEmpty(options.InputColumnName, nameof(options.InputColumnName));
        ArgumentNullException.ThrowIfNull(options.Method, nameof(options.Method));
        ArgumentNullException.ThrowIfNull(options.Training, nameof(options.Training));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.TransformBatchSize, 1, nameof(options.TransformBatchSize));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.TransformBatchSize, EncoderManifest.MaxBatchSize, nameof(options.TransformBatchSize));
        options.Training.Validate();
        if (!Enum.IsDefined(options.MissingImages))
            throw new ArgumentOutOfRangeException(nameof(options.MissingImages), options.MissingImages, "Choose MissingImages.Fail or MissingImages.Skip.");
        options.Encoder?.Validate();
        options.Method.Validate(options.Training.BatchSize);
        if (!Enum.IsDefined(options.EmptyTexts))
            throw new ArgumentOutOfRangeException(nameof(options.EmptyTexts), options.EmptyTexts, "Choose EmptyTexts.Encode or EmptyTexts.Fail.");
        if (options.Kind != ColumnKind.Texts && (options.PositiveColumnName ?? options.NegativeColumnName ?? options.LabelColumnName) is not null)
            throw new ArgumentException($"{options.Method.GetType().Name} takes no columns of positives, negatives or labels: leave them out, or choose new SimCse() for texts.", nameof(options.PositiveColumnName));
        ColumnExamples.Check(options);
        _environment = environment;
        _host = environment.Register(nameof(ContrastivePretrainEstimator));
        _options = options;
    }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
        => _options.InputColumnNames is { } names
            ? AddFeatures(inputSchema, _options.OutputColumnName, names.Select((name, view) => (name, _options.ImageShapes?[view] is null ? ColumnKind.Pictures : ColumnKind.PictureVectors)))
            : AddFeatures(inputSchema, _options.OutputColumnName, _options.Input, _options.Kind);

    /// <summary>Trains on the examples of <paramref name="input"/>.</summary>
    /// <exception cref="ArgumentException">The column or a setting does not fit: said before any training.</exception>
    /// <exception cref="InvalidOperationException">An example is missing or holds values that can't be; or the loss became infinite.</exception>
    /// <exception cref="IOException">
    /// The examples exceed <see cref="TrainingOptions.MemoryBudget"/>, and <see cref="TrainingOptions.ScratchFolder"/> has no room for the rest or can't
    /// be written to; or the <see cref="TrainingOptions.CheckpointFolder"/> can't be used or is full: the checkpoints that are there stay.
    /// </exception>
    /// <exception cref="OperationCanceledException">Training was cancelled.</exception>
    public ContrastivePretrainTransformer Fit(IDataView input) => Fit(input, previous: null);

    /// <summary>Trains on, from the weights of an earlier encoder of the same shape.</summary>
    /// <param name="input">The examples.</param>
    /// <param name="previous">Where to start from; null for random weights. It stays as it is.</param>
    /// <inheritdoc cref="Fit(IDataView)"/>
    public ContrastivePretrainTransformer Fit(IDataView input, ContrastivePretrainTransformer? previous)
        => new(_host, FitEncoder(input, previous?.Weights, trains: true));

    /// <summary>
    /// The encoder that <see cref="Fit(IDataView)"/> starts from, with its random weights and the data's normalisation: the
    /// baseline that a trained encoder must beat.
    /// </summary>
    /// <inheritdoc cref="Fit(IDataView)"/>
    public ContrastivePretrainTransformer Untrained(IDataView input) => new(_host, FitEncoder(input, previous: null, trains: false));

    internal static SchemaShape AddFeatures(SchemaShape inputSchema, string output, string input, ColumnKind kind)
        => AddFeatures(inputSchema, output, [(input, kind)]);

    /// <summary>The same from several columns.</summary>
    internal static SchemaShape AddFeatures(SchemaShape inputSchema, string output, IEnumerable<(string Name, ColumnKind Kind)> inputs)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        foreach ((string name, ColumnKind kind) in inputs)
            InputColumn.CheckShape(inputSchema.Find(name), kind);
        var columns = inputSchema.ToDictionary(each => each.Name);
        columns[output] = new SchemaShape.Column(output, SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, false);
        return new SchemaShape(columns.Values);
    }

    /// <summary>What <see cref="Fit(IDataView)"/> and <see cref="Untrained"/> give, without a transformer around it.</summary>
    internal PretrainedEncoder FitEncoder(IDataView input, PretrainedEncoder? previous, bool trains)
    {
        ArgumentNullException.ThrowIfNull(input);
        using IChannel channel = _host.Start("Fit");
        (Device device, string? warning) = ContextSettings.ChooseDevice(_environment);
        if (warning is not null)
            channel.Warning(warning);
        TrainingOptions training = _options.Training;
        using CheckpointFolder? checkpoints = trains && training.CheckpointFolder is { } folder ? new CheckpointFolder(folder, training.CheckpointsKept) : null;
        Checkpoint? checkpoint = checkpoints?.Newest(message => channel.Warning(message));
        int seed = ContextSettings.Seed(_environment) ?? checkpoint?.Seed ?? Random.Shared.Next();

        var reading = new ColumnReading(_host, channel, training);
        using MonitoredExamples? monitored = trains ? ColumnExamples.ReadMonitored(_environment, input, _options, reading) : null;
        using Examples examples = ColumnExamples.Read(input, _options, previous, reading);
        RunFacts facts = Facts(examples, startsFromEarlier: previous is not null);
        ContrastiveMethod method = _options.Method.ResolveFully(facts);
        JsonObject record = PretrainingRun.Record(method, facts, seed);
        channel.Info($"Seed {seed}, device {device}, {record.ToJsonString()}");
        if (facts.Rows % facts.BatchSize is > 0 and long dropped)
            channel.Info($"Each epoch leaves out {dropped} of {facts.Rows} rows, others each time: the last batch would not be full.");

        EncoderManifest manifest = new()
        {
            Format = EncoderManifest.CurrentFormat,
            Library = LibraryVersion.Current,
            OutputColumn = _options.OutputColumnName,
            InputColumn = _options.Input,
            Input = examples.Input,
            BatchSize = _options.TransformBatchSize,
            Training = trains ? record : new JsonObject { ["method"] = "untrained", ["seed"] = seed },
        };
        nn.Module<Tensor, Tensor> result = examples.Input.CreateModule(seed);
        try
        {
            examples.FirstWeights?.Invoke(result);
            if (previous is not null)
                CopyWeights(previous, examples.Input, result);
            if (trains)
                new PretrainingRun(examples, manifest, method, facts, seed, device, training, monitored).Train(
                    result, startsFromEarlier: previous is not null || examples.FirstWeights is not null, checkpoints, checkpoint, _host, channel);
            result.to(device).eval();
        }
        catch
        {
            result.Dispose();
            throw;
        }
        return new PretrainedEncoder(manifest, result, device, examples.Tokenizer);
    }

    private RunFacts Facts(Examples examples, bool startsFromEarlier)
    {
        TrainingOptions training = _options.Training;
        if (examples.Count < training.BatchSize)
            throw new ArgumentException($"There are {examples.Count} {examples.Name}, fewer than one batch of {training.BatchSize}: lower TrainingOptions.BatchSize or bring more rows.");
        long stepsPerEpoch = examples.Count / training.BatchSize;
        RunFacts facts = examples.Facts(training.BatchSize, training.Steps ?? stepsPerEpoch * (training.Epochs ?? TrainingOptions.DefaultEpochs));
        return facts with { StartsPretrained = facts.StartsPretrained || startsFromEarlier };
    }

    private static void CopyWeights(PretrainedEncoder from, ModelInput input, nn.Module<Tensor, Tensor> to)
    {
        ModelInput earlier = from.Manifest.Input;
        if (earlier is PairInput { HasBias: false } && input is PairInput { HasBias: true })
            throw new ArgumentException("The earlier model has no bias, which PairObjective.PairwiseSigmoid learns: train it on with PairObjective.CrossEntropy, or give its networks to a new model as ImageStart and TextStart.");
        if (earlier.GetType() != input.GetType() || !earlier.Suits(input))
            throw new ArgumentException($"The earlier encoder is {earlier.Description}, this Fit asks for {input.Description}: give the same encoder and data of the same kind.");
        ModuleState.Copy(from.Module, to);
    }
}

/// <summary>The library's version, as it is written into models.</summary>
internal static class LibraryVersion
{
    public static string Current { get; } =
        typeof(LibraryVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";
}
