using Microsoft.ML;
using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

[assembly: LoadableClass(
    typeof(ContrastivePretrainTransformer), null, typeof(SignatureLoadModel),
    "Contrastive encoder", ContrastivePretrainTransformer.LoaderSignature)]

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A fitted encoder: adds a known-size vector of Single, the representation of each row's picture or sequence. Rows are featurized in
/// batches, whatever way they are read; any number of threads may transform at once. Saved and loaded in ML.NET's model
/// zip. Dispose it, or the chain that holds it, to free the network's memory at once.
/// </summary>
public sealed class ContrastivePretrainTransformer : ITransformer, IDisposable
{
    internal const string LoaderSignature = "ContrastiveEncoder";
    private const string ManifestEntry = "manifest.json", WeightsEntry = "weights.safetensors";
    private const int PassesBeforeHint = 20;

    private readonly IHost _host;
    private readonly PretrainedEncoder _encoder;
    private bool _disposed;
    private int _passes;

    internal ContrastivePretrainTransformer(IHostEnvironment environment, PretrainedEncoder encoder)
    {
        _host = environment.Register(nameof(ContrastivePretrainTransformer));
        _encoder = encoder.Share();
    }

    /// <summary>Name of the column of features.</summary>
    public string OutputColumnName => _encoder.Manifest.OutputColumn;

    /// <summary>Name of the column of pictures or sequences.</summary>
    public string InputColumnName => _encoder.Manifest.InputColumn;

    /// <summary>D, the length of the feature vector.</summary>
    public int FeatureSize => Encoder.FeatureSize;

    /// <summary>The network's shape.</summary>
    public Encoder Encoder => _encoder.Manifest.Input.Network;

    /// <summary>How it was trained, as JSON: method and settings, steps, rows, seed.</summary>
    public string TrainingRecord => _encoder.Manifest.Training?.ToJsonString() ?? "{}";

    bool ITransformer.IsRowToRowMapper => true;

    internal PretrainedEncoder Weights
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _encoder;
        }
    }

    /// <inheritdoc/>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return RowToRowMapperTransform.GetOutputSchema(inputSchema, new Mapper(this, inputSchema));
    }

    /// <summary>Lazy: pictures are read and featurized when the output column is read.</summary>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new BatchedDataView(_host, input, new Mapper(this, input.Schema), _encoder.RowsTogether);
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema)
        => new RowToRowMapperTransform(_host, new EmptyDataView(_host, inputSchema), new Mapper(this, inputSchema), schema => new Mapper(this, schema));

    /// <summary>
    /// This encoder as an estimator that does not train again, so that a chain with a trainer behind it can be fitted many
    /// times, by cross-validation for instance.
    /// </summary>
    public IEstimator<ContrastivePretrainTransformer> AsEstimator() => new FittedEncoderEstimator(_host, Weights);

    /// <summary>Frees the network unless another transformer shares it.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _encoder.Release();
    }

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        PretrainedEncoder encoder = Weights;
        ctx.CheckAtModel();
        ctx.SetVersionInfo(Version());
        ctx.SaveTextStream(ManifestEntry, writer => writer.Write(encoder.Manifest.ToJson()));
        ctx.SaveBinaryStream(WeightsEntry, writer => SafeTensors.Save(writer.BaseStream, encoder.Module));
    }

    // Called by ML.NET's loader, through the LoadableClass attribute above.
    private static ContrastivePretrainTransformer Create(IHostEnvironment environment, ModelLoadContext ctx)
    {
        ModelEntries.CheckVersion(ctx, Version());
        EncoderManifest manifest = null!;
        ModelEntries.Read(ctx, ManifestEntry, stream => manifest = EncoderManifest.Read(new StreamReader(stream)));
        (Device device, string? warning) = ContextSettings.ChooseDevice(environment);
        nn.Module<Tensor, Tensor> module = null!;
        ModelEntries.Read(ctx, WeightsEntry, stream => module = ModelEntries.ReadModule(
            stream, WeightsEntry, manifest.Input.CountWeights(), () => manifest.Input.CreateModule(seed: 0), device));
        var transformer = new ContrastivePretrainTransformer(environment, new PretrainedEncoder(manifest, module, device));
        if (warning is not null)
            transformer.Log(channel => channel.Warning(warning));
        return transformer;
    }

    // The simple assembly name lets any version of the library load the file, without registration.
    private static VersionInfo Version() => new(
        modelSignature: "CONTRENC", verWrittenCur: 0x00010001, verReadableCur: 0x00010001, verWeCanReadBack: 0x00010001,
        loaderSignature: LoaderSignature, loaderAssemblyName: typeof(ContrastivePretrainTransformer).Assembly.GetName().Name);

    private void Log(Action<IChannel> write)
    {
        using IChannel channel = _host.Start("Transform");
        write(channel);
    }

    private void CountPass()
    {
        if (Interlocked.Increment(ref _passes) == PassesBeforeHint)
            Log(channel => channel.Warning(
                $"Column '{OutputColumnName}' has been computed {PassesBeforeHint} times. Some trainers read their input hundreds of times: put AppendCacheCheckpoint(mlContext) between this transformer and the trainer."));
    }

    /// <summary>Binds the encoder to one input schema.</summary>
    private sealed class Mapper(ContrastivePretrainTransformer owner, DataViewSchema schema) : IBatchMapper
    {
        private readonly InputColumn _column = InputColumn.Bind(owner._encoder.Manifest, schema);

        public DataViewSchema.DetachedColumn[] GetOutputColumns()
            => [new(owner.OutputColumnName, new VectorDataViewType(NumberDataViewType.Single, owner.FeatureSize))];

        public Func<int, bool> GetDependencies(Func<int, bool> activeOutput) => column => column == _column.Index && activeOutput(0);

        public ITransformer GetTransformer() => owner;

        public IBatchWorker CreateWorker(DataViewRow input, Func<int, bool> activeOutput, int slots)
        {
            if (slots > 1)
                owner.CountPass();
            return new NetworkWorker(owner.Weights, input, _column, slots, owner.FeatureSize);
        }

        void ICanSaveModel.Save(ModelSaveContext ctx) => ((ICanSaveModel)owner).Save(ctx);
    }
}

/// <summary>See <see cref="ContrastivePretrainTransformer.AsEstimator"/>.</summary>
internal sealed class FittedEncoderEstimator(IHostEnvironment environment, PretrainedEncoder encoder) : IEstimator<ContrastivePretrainTransformer>
{
    public ContrastivePretrainTransformer Fit(IDataView input)
    {
        var transformer = new ContrastivePretrainTransformer(environment, encoder);
        _ = transformer.GetOutputSchema(input.Schema);
        return transformer;
    }

    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
        => ContrastivePretrainEstimator.AddFeatures(
            inputSchema, encoder.Manifest.OutputColumn, encoder.Manifest.InputColumn,
            (encoder.Manifest.Input as PictureInput)?.ImageShape, (encoder.Manifest.Input as SequenceInput)?.Shape);
}
