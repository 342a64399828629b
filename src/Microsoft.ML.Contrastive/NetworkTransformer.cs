using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A fitted network in an ML.NET pipeline. Rows are computed in batches, whatever way they are read; any number of threads may transform at once.
/// Saved and loaded in ML.NET's model zip. Dispose it, or the chain that holds it, to free the network's memory at once.
/// </summary>
public abstract class NetworkTransformer : ITransformer, IDisposable
{
    private protected const string ManifestEntry = "manifest.json", WeightsEntry = "weights.safetensors";

    private readonly PretrainedEncoder _network;
    private bool _disposed;

    private protected NetworkTransformer(IHost host, PretrainedEncoder network)
    {
        Host = host;
        _network = network.Share();
        CutTexts = network.Manifest.Input.TextPart is { } texts ? new CutTexts(texts.Encoder, message => Log(channel => channel.Warning(message))) : null;
    }

    /// <summary>Name of the column that the network takes; of several, the first.</summary>
    public string InputColumnName => Manifest.InputColumn;

    /// <summary>How it was trained, as JSON: method and settings, steps, rows, seed, and what a classifier started from.</summary>
    public string TrainingRecord => Manifest.Training?.ToJsonString() ?? "{}";

    bool ITransformer.IsRowToRowMapper => true;

    private protected IHost Host { get; }

    /// <summary>What it knows without its network, and so after disposal too.</summary>
    private protected EncoderManifest Manifest => _network.Manifest;

    /// <summary>The same, also after disposal: for what binds columns and computes nothing.</summary>
    private protected PretrainedEncoder Network => _network;

    /// <summary>Is told of texts that are too long; null where there are none.</summary>
    private protected CutTexts? CutTexts { get; }

    internal PretrainedEncoder Weights
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _network;
        }
    }

    /// <summary>The columns of the input and those that are added.</summary>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return RowToRowMapperTransform.GetOutputSchema(inputSchema, CreateMapper(inputSchema));
    }

    /// <summary>Lazy: rows are read and computed when an output column is read.</summary>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        int rowsTogether = Weights.RowsTogether; // a disposed one says so before it looks at the schema
        return new BatchedDataView(Host, input, CreateMapper(input.Schema), rowsTogether);
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema)
        => new RowToRowMapperTransform(Host, new EmptyDataView(Host, inputSchema), CreateMapper(inputSchema), CreateMapper);

    /// <summary>Frees the network unless another transformer shares it.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _network.Release();
        GC.SuppressFinalize(this);
    }

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        PretrainedEncoder network = Weights;
        ctx.CheckAtModel();
        ctx.SetVersionInfo(SavedVersion);
        ctx.SaveTextStream(ManifestEntry, writer => writer.Write(network.Manifest.ToJson()));
        SaveMore(ctx);
        ctx.SaveBinaryStream(WeightsEntry, writer => SafeTensors.Save(writer.BaseStream, network.Module));
    }

    /// <summary>Names the kind of model and its loader.</summary>
    private protected abstract VersionInfo SavedVersion { get; }

    /// <summary>Binds the network to one input schema.</summary>
    private protected abstract IBatchMapper CreateMapper(DataViewSchema schema);

    /// <summary>Entries beside manifest and weights: the tokenizer, where the network takes texts.</summary>
    private protected virtual void SaveMore(ModelSaveContext ctx)
    {
        if (Weights.Tokenizer is { } tokenizer)
            TokenizerFiles.Write(tokenizer, (name, bytes) => ctx.SaveBinaryStream(name, writer => writer.Write(bytes)));
    }

    /// <summary>Reads the entries that the base writes.</summary>
    /// <returns>The network, and what is to be said of the choice of the device, or null.</returns>
    private protected static (PretrainedEncoder Network, string? Warning) Read(IHostEnvironment environment, ModelLoadContext ctx, VersionInfo version)
    {
        ModelEntries.CheckVersion(ctx, version);
        EncoderManifest manifest = null!;
        ModelEntries.Read(ctx, ManifestEntry, stream => manifest = EncoderManifest.Read(new StreamReader(stream)));
        Tokenizer? tokenizer = manifest.Input.TextPart is null ? null : ModelEntries.ReadTokenizer(ctx);
        manifest.Input.TextPart?.CheckVocabulary(tokenizer!);
        (Device device, string? warning) = ContextSettings.ChooseDevice(environment);
        nn.Module<Tensor, Tensor> module = null!;
        ModelEntries.Read(ctx, WeightsEntry, stream => module = ModelEntries.ReadModule(
            stream, WeightsEntry, manifest.Input.CountWeights(), () => manifest.Input.CreateModule(seed: 0), device));
        return (new PretrainedEncoder(manifest, module, device, tokenizer), warning);
    }

    /// <summary>Says something in the context's log.</summary>
    private protected void Log(Action<IChannel> write)
    {
        using IChannel channel = Host.Start("Transform");
        write(channel);
    }

    // The simple assembly name lets any version of the library load the file, without registration.
    private protected static VersionInfo Version(string modelSignature, string loaderSignature) => new(
        modelSignature, verWrittenCur: 0x00010001, verReadableCur: 0x00010001, verWeCanReadBack: 0x00010001,
        loaderSignature: loaderSignature, loaderAssemblyName: typeof(NetworkTransformer).Assembly.GetName().Name);
}
