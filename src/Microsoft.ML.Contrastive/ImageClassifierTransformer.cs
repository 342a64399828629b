using Microsoft.ML;
using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

[assembly: LoadableClass(
    typeof(ImageClassifierTransformer), null, typeof(SignatureLoadModel),
    "Contrastive image classifier", ImageClassifierTransformer.LoaderSignature)]

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A classifier of pictures, fine-tuned or distilled. It adds what ML.NET's multiclass trainers add: a key PredictedLabel with the label's values, and a
/// vector Score of one probability for each class, with their names as slot names where the labels are text. So Evaluate, MapKeyToValue and PredictionEngine take it as
/// they take those. Rows are computed in batches; any number of threads may transform at once. A missing picture, where
/// <see cref="MissingImages.Skip"/> allows one, has the missing key and scores of NaN.
/// </summary>
public sealed class ImageClassifierTransformer : ITransformer, IDisposable
{
    internal const string LoaderSignature = "ContrastiveImgClassifier";
    private const string ManifestEntry = "manifest.json", ClassesEntry = "classes.json", WeightsEntry = "weights.safetensors";

    private readonly IHost _host;
    private readonly PretrainedEncoder _network;
    private bool _disposed;

    internal ImageClassifierTransformer(IHostEnvironment environment, PretrainedEncoder network, ClassLabels classes)
    {
        _host = environment.Register(nameof(ImageClassifierTransformer));
        _network = network.Share();
        Classes = classes;
    }

    /// <summary>Name of the column of pictures.</summary>
    public string InputColumnName => _network.Manifest.InputColumn;

    /// <summary>Name of the column of the likeliest class.</summary>
    public string PredictedLabelColumnName => Classes.PredictedLabelColumn;

    /// <summary>Name of the column of probabilities.</summary>
    public string ScoreColumnName => _network.Manifest.OutputColumn;

    /// <summary>C, how many classes there are.</summary>
    public int ClassCount => Classes.Count;

    /// <summary>The network's shape, without the classifier's own layer.</summary>
    public ImageEncoder Encoder => _network.Manifest.Pictures().Encoder;

    /// <summary>How it was trained, as JSON, and how what it started from was.</summary>
    public string TrainingRecord => _network.Manifest.Training?.ToJsonString() ?? "{}";

    bool ITransformer.IsRowToRowMapper => true;

    internal ClassLabels Classes { get; }

    internal PretrainedEncoder Network
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _network;
        }
    }

    /// <inheritdoc/>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return RowToRowMapperTransform.GetOutputSchema(inputSchema, new Mapper(this, inputSchema));
    }

    /// <summary>Lazy: pictures are read and classified when an output column is read.</summary>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new BatchedDataView(_host, input, new Mapper(this, input.Schema), _network.RowsTogether);
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema)
        => new RowToRowMapperTransform(_host, new EmptyDataView(_host, inputSchema), new Mapper(this, inputSchema), schema => new Mapper(this, schema));

    /// <summary>Frees the network unless another user shares it.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _network.Release();
    }

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        PretrainedEncoder network = Network;
        ctx.CheckAtModel();
        ctx.SetVersionInfo(Version());
        ctx.SaveTextStream(ManifestEntry, writer => writer.Write(network.Manifest.ToJson()));
        ctx.SaveTextStream(ClassesEntry, writer => writer.Write(Classes.ToJson()));
        ctx.SaveBinaryStream(WeightsEntry, writer => SafeTensors.Save(writer.BaseStream, network.Module));
    }

    // Called by ML.NET's loader, through the LoadableClass attribute above.
    private static ImageClassifierTransformer Create(IHostEnvironment environment, ModelLoadContext ctx)
    {
        ModelEntries.CheckVersion(ctx, Version());
        EncoderManifest manifest = null!;
        ClassLabels classes = null!;
        ModelEntries.Read(ctx, ManifestEntry, stream => manifest = EncoderManifest.Read(new StreamReader(stream)));
        ModelEntries.Read(ctx, ClassesEntry, stream => classes = ClassLabels.Read(new StreamReader(stream)));
        (Device device, string? warning) = ContextSettings.ChooseDevice(environment);
        nn.Module<Tensor, Tensor> module = null!;
        long weights = PictureClassifier.CountWeights(
            manifest.Input.CountWeights(), manifest.Input.Network.FeatureSize, classes.Count);
        ModelEntries.Read(ctx, WeightsEntry, stream => module = ModelEntries.ReadModule(
            stream, WeightsEntry, weights, () => manifest.CreateClassifier(classes.Count, seed: 0), device));
        var transformer = new ImageClassifierTransformer(environment, new PretrainedEncoder(manifest, module, device), classes);
        if (warning is not null)
            using (IChannel channel = transformer._host.Start("Load"))
                channel.Warning(warning);
        return transformer;
    }

    // The simple assembly name lets any version of the library load the file, without registration.
    private static VersionInfo Version() => new(
        modelSignature: "CONTRCLS", verWrittenCur: 0x00010001, verReadableCur: 0x00010001, verWeCanReadBack: 0x00010001,
        loaderSignature: LoaderSignature, loaderAssemblyName: typeof(ImageClassifierTransformer).Assembly.GetName().Name);

    /// <summary>Binds the classifier to one input schema.</summary>
    private sealed class Mapper(ImageClassifierTransformer owner, DataViewSchema schema) : IBatchMapper
    {
        private readonly InputColumn _column = InputColumn.Bind(owner._network.Manifest, schema);

        public DataViewSchema.DetachedColumn[] GetOutputColumns() => ClassColumns.Create(owner.Classes, owner.ScoreColumnName);

        public Func<int, bool> GetDependencies(Func<int, bool> activeOutput) => column => column == _column.Index && (activeOutput(0) || activeOutput(1));

        public ITransformer GetTransformer() => owner;

        public IBatchWorker CreateWorker(DataViewRow input, Func<int, bool> activeOutput, int slots)
            => new Worker(new NetworkWorker(owner.Network, input, _column, slots, owner.ClassCount), slots);

        void ICanSaveModel.Save(ModelSaveContext ctx) => ((ICanSaveModel)owner).Save(ctx);
    }

    /// <summary>Output 0 is the predicted label's key, output 1 the scores.</summary>
    private sealed class Worker(NetworkWorker pictures, int slots) : IBatchWorker
    {
        private readonly float[] _keys = new float[slots];

        public void Read(int slot) => pictures.Read(slot);

        public void Compute(int rows)
        {
            pictures.Compute(rows);
            for (int slot = 0; slot < rows; slot++)
                _keys[slot] = ClassColumns.Decide(pictures.Numbers(slot));
        }

        public ReadOnlySpan<float> Output(int output, int slot) => output == 0 ? _keys.AsSpan(slot, 1) : pictures.Output(output, slot);

        public void Dispose() => pictures.Dispose();
    }
}
