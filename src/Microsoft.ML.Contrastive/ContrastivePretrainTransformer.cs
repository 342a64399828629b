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

    /// <summary>ResNet-50's header has 30 KB. What is parsed takes some ten times as much, and a zip makes a long one of a short file.</summary>
    internal const int LongestWeightsHeader = 1 << 20;

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
        return new BatchedDataView(_host, input, new Mapper(this, input.Schema), RowsTogether);
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
        CheckVersion(ctx);
        EncoderManifest manifest = null!;
        ReadEntry(ctx, ManifestEntry, stream => manifest = EncoderManifest.Read(new StreamReader(stream)));
        (Device device, string? warning) = ContextSettings.ChooseDevice(environment);
        nn.Module<Tensor, Tensor> module = null!;
        ReadEntry(ctx, WeightsEntry, stream => module = LoadModule(manifest, stream, device));
        var transformer = new ContrastivePretrainTransformer(environment, new PretrainedEncoder(manifest, module, device));
        if (warning is not null)
            transformer.Log(channel => channel.Warning(warning));
        return transformer;
    }

    private static nn.Module<Tensor, Tensor> LoadModule(EncoderManifest manifest, Stream stream, Device device)
    {
        var reader = new SafeTensorsReader(stream, WeightsEntry, LongestWeightsHeader); // the stream is ML.NET's to close
        SafeTensors.CheckEnough(reader, manifest.Input.CountWeights());
        nn.Module<Tensor, Tensor> module = manifest.Input.CreateModule(seed: 0);
        try
        {
            SafeTensors.LoadInto(reader, module.state_dict());
            module.to(device).eval();
            return module;
        }
        catch
        {
            module.Dispose();
            throw;
        }
    }

    /// <summary>Says of each fault in which entry it is and what to do; a zip may be damaged where only its own reader sees it.</summary>
    private static void ReadEntry(ModelLoadContext ctx, string name, Action<Stream> read)
    {
        const string advice = "If the file was changed since it was saved, load an unchanged copy, or save the model again.";
        bool found;
        try
        {
            found = ctx.TryLoadBinaryStream(name, reader => read(reader.BaseStream));
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"The model can't be loaded, because of its entry {name}: {error.Message} {advice}", error);
        }
        if (!found)
            throw new InvalidDataException($"The model has no entry {name}: it is damaged or was edited. {advice}");
    }

    private static void CheckVersion(ModelLoadContext ctx)
    {
        try
        {
            ctx.CheckAtModel(Version());
        }
        catch (Exception error) when (error is FormatException or InvalidOperationException)
        {
            throw new InvalidDataException(
                $"The model's encoder is damaged, or was written by a newer version of ContrastiveML: {Printable.Message(error.Message)} If the file was not changed since it was saved, update the package ContrastiveML.", error);
        }
    }

    // The simple assembly name lets any version of the library load the file, without registration.
    private static VersionInfo Version() => new(
        modelSignature: "CONTRENC", verWrittenCur: 0x00010001, verReadableCur: 0x00010001, verWeCanReadBack: 0x00010001,
        loaderSignature: LoaderSignature, loaderAssemblyName: typeof(ContrastivePretrainTransformer).Assembly.GetName().Name);

    /// <summary>The batch that was asked for, within 256 MB of pixels or other numbers.</summary>
    private int RowsTogether
        => Math.Clamp((1 << 26) / _encoder.Manifest.Input.Numbers, 1, _encoder.Manifest.BatchSize);

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
            return new Worker(owner, input, _column, slots);
        }

        void ICanSaveModel.Save(ModelSaveContext ctx) => ((ICanSaveModel)owner).Save(ctx);
    }

    /// <summary>One cursor's examples, from the row that is read to its features.</summary>
    private sealed class Worker(ContrastivePretrainTransformer owner, DataViewRow input, InputColumn column, int slots) : IBatchWorker
    {
        private readonly InputBatch _batch = column.CreateBatch(input, slots);
        private readonly float[] _features = new float[slots * owner.FeatureSize];
        private readonly bool[] _missing = new bool[slots];

        public void Read(int slot) => _missing[slot] = !_batch.Read(slot, input.Position);

        public void Compute(int rows)
        {
            owner.Weights.Forward(_batch, rows, _features);
            for (int slot = 0; slot < rows; slot++)
                if (_missing[slot])
                    _features.AsSpan(slot * owner.FeatureSize, owner.FeatureSize).Fill(float.NaN);
        }

        public ReadOnlySpan<float> Output(int output, int slot) => _features.AsSpan(slot * owner.FeatureSize, owner.FeatureSize);

        public void Dispose()
        {
        }
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
