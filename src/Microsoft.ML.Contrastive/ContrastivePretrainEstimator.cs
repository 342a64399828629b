using System.Reflection;
using System.Text.Json.Nodes;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms.Image;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Learns an encoder from a column of unlabelled pictures: a method, an encoder and training settings, each a value of its
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

        /// <summary>Name of the column of pictures. Null: <see cref="OutputColumnName"/>.</summary>
        public string? InputColumnName { get; init; }

        /// <summary>What is learned by. The default value is SimCLR v1.</summary>
        public ContrastiveMethod Method { get; init; } = new SimClrV1();

        /// <summary>The network. Null: the small conv net for views under 64 pixels, otherwise ResNet-18.</summary>
        public ImageEncoder? Encoder { get; init; }

        /// <summary>The run.</summary>
        public TrainingOptions Training { get; init; } = new();

        /// <summary>How a vector column holds pictures; null for MLImage columns.</summary>
        public ImageShape? ImageShape { get; init; }

        /// <summary>
        /// Height and width of a view, and of what Transform feeds the network, in pixels. Null: the column's own size where its
        /// type says one; otherwise the median of the pictures' shorter sides, at most 224. From the encoder's minimum to 4,096.
        /// </summary>
        public int? ImageSize { get; init; }

        /// <summary>What is done with null and undecodable pictures. The default value is <see cref="MissingImages.Fail"/>.</summary>
        public MissingImages MissingImages { get; init; } = MissingImages.Fail;

        /// <summary>Rows that the fitted transformer featurizes together, 1 to 65,536, and fewer of large pictures (256 MB of pixels are the limit). The default value is 64.</summary>
        public int TransformBatchSize { get; init; } = 64;

        internal string Input => InputColumnName ?? OutputColumnName;
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
        options.ImageShape?.Validate();
        options.Method.Validate(options.Training.BatchSize);
        if (GivenSize(options) is { } size)
            ChooseEncoder(options, size.Height, size.Width);
        _environment = environment;
        _host = environment.Register(nameof(ContrastivePretrainEstimator));
        _options = options;
    }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
        => AddFeatures(inputSchema, _options.OutputColumnName, _options.Input, _options.ImageShape);

    /// <summary>Trains on the pictures of <paramref name="input"/>.</summary>
    /// <exception cref="ArgumentException">The column or a setting does not fit: said before any training.</exception>
    /// <exception cref="InvalidOperationException">A picture is missing or holds values that are no pixels; or the loss became infinite.</exception>
    /// <exception cref="IOException">
    /// The pictures exceed <see cref="TrainingOptions.MemoryBudget"/>, and <see cref="TrainingOptions.ScratchFolder"/> has no room for the rest or can't
    /// be written to; or the <see cref="TrainingOptions.CheckpointFolder"/> can't be used or is full: the checkpoints that are there stay.
    /// </exception>
    /// <exception cref="OperationCanceledException">Training was cancelled.</exception>
    public ContrastivePretrainTransformer Fit(IDataView input) => Fit(input, previous: null);

    /// <summary>Trains on, from the weights of an earlier encoder of the same shape.</summary>
    /// <param name="input">The pictures.</param>
    /// <param name="previous">Where to start from; null for random weights. It stays as it is.</param>
    /// <inheritdoc cref="Fit(IDataView)"/>
    public ContrastivePretrainTransformer Fit(IDataView input, ContrastivePretrainTransformer? previous) => Fit(input, previous, trains: true);

    /// <summary>
    /// The encoder that <see cref="Fit(IDataView)"/> starts from, with its random weights and the pictures' normalisation: the
    /// baseline that a trained encoder must beat.
    /// </summary>
    /// <inheritdoc cref="Fit(IDataView)"/>
    public ContrastivePretrainTransformer Untrained(IDataView input) => Fit(input, previous: null, trains: false);

    internal static SchemaShape AddFeatures(SchemaShape inputSchema, string output, string input, ImageShape? shape)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        if (!inputSchema.TryFindColumn(input, out SchemaShape.Column column))
            throw new ArgumentException($"The data has no column '{input}'.", nameof(inputSchema));
        bool isImage = column.Kind == SchemaShape.Column.VectorKind.Scalar && column.ItemType is ImageDataViewType && shape is null;
        bool isVector = column.Kind == SchemaShape.Column.VectorKind.Vector && shape is not null && !column.IsKey
            && (column.ItemType == NumberDataViewType.Single || column.ItemType == NumberDataViewType.Byte);
        if (!isImage && !isVector)
            throw new ArgumentException(
                $"Column '{input}' is {column.GetTypeString()}: expected MLImage without an imageShape, or a known-size vector of Byte or Single with one.", nameof(inputSchema));
        var columns = inputSchema.ToDictionary(each => each.Name);
        columns[output] = new SchemaShape.Column(output, SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, false);
        return new SchemaShape(columns.Values);
    }

    private ContrastivePretrainTransformer Fit(IDataView input, ContrastivePretrainTransformer? previous, bool trains)
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

        var column = new ImageColumn(input.Schema, _options.Input, _options.ImageShape, _options.MissingImages);
        (int Height, int Width)? known = GivenSize(_options) ?? column.DeclaredSize;
        if (known is { } size)
            ChooseEncoder(_options, size.Height, size.Width); // before the reading
        using var store = new ImageStore(column.Channels, _options.Training.MemoryBudget, _options.Training.ScratchFolder);
        Read(input, column, store, largestSide: 2 * Math.Max(known?.Height ?? 224, known?.Width ?? 224), channel);
        (int height, int width) = known ?? Square(Math.Min(224, store.MedianShorterSide()));
        ImageEncoder encoder = ChooseEncoder(_options, height, width);
        RunFacts facts = Facts(store, height, width, encoder);
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
            ImageShape = _options.ImageShape,
            MissingImages = _options.MissingImages,
            Height = height,
            Width = width,
            Channels = store.Channels,
            Normalization = previous?.Weights.Manifest.Normalization ?? (encoder.TakesUnitPixels ? Normalization.None(store.Channels) : store.MeasureNormalization()),
            Encoder = encoder,
            BatchSize = _options.TransformBatchSize,
            Training = trains ? record : new JsonObject { ["method"] = "untrained", ["seed"] = seed },
        };
        nn.Module<Tensor, Tensor> result = encoder.CreateModule(store.Channels, height, width, seed);
        try
        {
            if (previous is not null)
                CopyWeights(previous.Weights, encoder, manifest.Channels, result);
            if (trains)
                new PretrainingRun(store, manifest, method, facts, seed, device, training).Train(
                    result, startsFromEarlier: previous is not null, checkpoints, checkpoint, _host, channel);
            result.to(device).eval();
        }
        catch
        {
            result.Dispose();
            throw;
        }
        return new ContrastivePretrainTransformer(_host, new PretrainedEncoder(manifest, result, device));
    }

    private void Read(IDataView input, ImageColumn column, ImageStore store, int largestSide, IChannel channel)
    {
        if (input.GetRowCount() is { } rows && column.DeclaredSize is { } size)
            store.Expect(rows, size.Height, size.Width, largestSide);
        var resizer = new Resizer();
        long row = 0, skipped = 0;
        using DataViewRowCursor cursor = input.GetRowCursor([input.Schema[column.Index]]);
        PictureReader reader = column.CreateReader(cursor);
        for (; cursor.MoveNext(); row++)
        {
            if (row % 1000 == 0)
            {
                _options.Training.CancellationToken.ThrowIfCancellationRequested();
                _host.CheckAlive();
            }
            if (reader.Read(row))
                store.AddShrunk(reader.Buffer.Picture, largestSide, resizer);
            else
                skipped++;
        }
        if (skipped > 0)
            channel.Warning($"Left out {skipped} of {row} rows: column '{_options.Input}' held no readable picture there.");
        if (store.Count == 0)
            throw new ArgumentException($"There is nothing to learn from: column '{_options.Input}' has no {(row == 0 ? "rows" : "readable picture")}.", nameof(input));
        store.Seal();
        if (store.ScratchLength > 0)
            channel.Info($"{store.ScratchLength >> 20} MiB of pictures beyond TrainingOptions.MemoryBudget lie in a scratch file until Fit ends.");
    }

    /// <summary>The views' size where the settings alone decide it.</summary>
    private static (int Height, int Width)? GivenSize(Options options)
        => options.ImageSize is { } size ? (size, size) : options.ImageShape is { } shape ? (shape.Height, shape.Width) : null;

    /// <summary>The encoder that was given, or the default for the views' size, as the method trains it; size and channels must suit it.</summary>
    private static ImageEncoder ChooseEncoder(Options options, int height, int width)
    {
        ImageEncoder encoder = options.Encoder is { } chosen ? options.Method.EncoderFor(chosen)
            : options.Method.EncoderFor(options.Method.DefaultEncoder(Math.Min(height, width)));
        encoder.CheckChannels(options.ImageShape?.Channels ?? 3);
        if (Math.Min(height, width) < encoder.MinImageSize)
            throw new ArgumentException($"Views of {height} x {width} pixels are too small for the encoder, which needs {encoder.MinImageSize}: set ImageSize, or choose ImageEncoder.SmallConvNet or a ResNet with Stem.Small.", nameof(Options.ImageSize));
        if (Math.Max(height, width) > EncoderManifest.MaxSide)
            throw new ArgumentException($"Views of {height} x {width} pixels are too large, {EncoderManifest.MaxSide} is the limit: set ImageSize.", nameof(Options.ImageSize));
        encoder.CheckSize(height, width);
        return encoder;
    }

    private static (int Height, int Width) Square(int size) => (size, size);

    private RunFacts Facts(ImageStore store, int height, int width, ImageEncoder encoder)
    {
        TrainingOptions training = _options.Training;
        if (store.Count < training.BatchSize)
            throw new ArgumentException($"There are {store.Count} pictures, fewer than one batch of {training.BatchSize}: lower TrainingOptions.BatchSize or bring more rows.");
        long stepsPerEpoch = store.Count / training.BatchSize;
        long steps = training.Steps ?? stepsPerEpoch * (training.Epochs ?? TrainingOptions.DefaultEpochs);
        return new RunFacts(store.Count, training.BatchSize, steps, height, width, store.Channels, encoder.FeatureSize) { Encoder = encoder, HasColor = store.HasColor() };
    }

    private static void CopyWeights(PretrainedEncoder from, ImageEncoder encoder, int channels, nn.Module<Tensor, Tensor> to)
    {
        if (from.Manifest.Encoder != encoder || from.Manifest.Channels != channels)
            throw new ArgumentException($"The earlier encoder is {from.Manifest.Encoder} on {from.Manifest.Channels} channels, this Fit asks for {encoder} on {channels}: give the same encoder and pictures.");
        ModuleState.Copy(from.Module, to);
    }
}

/// <summary>The library's version, as it is written into models.</summary>
internal static class LibraryVersion
{
    public static string Current { get; } =
        typeof(LibraryVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";
}
