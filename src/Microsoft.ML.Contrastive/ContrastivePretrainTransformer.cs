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

/// <summary>A fitted encoder: adds a known-size vector of Single, the representation of each row's picture or sequence.</summary>
public sealed class ContrastivePretrainTransformer : NetworkTransformer
{
    internal const string LoaderSignature = "ContrastiveEncoder";
    private const int PassesBeforeHint = 20;

    private int _passes;

    internal ContrastivePretrainTransformer(IHostEnvironment environment, PretrainedEncoder encoder)
        : base(environment.Register(nameof(ContrastivePretrainTransformer)), encoder)
    {
    }

    /// <summary>Name of the column of features.</summary>
    public string OutputColumnName => Manifest.OutputColumn;

    /// <summary>D, the length of the feature vector.</summary>
    public int FeatureSize => Encoder.FeatureSize;

    /// <summary>The network's shape.</summary>
    public Encoder Encoder => Manifest.Input.Network;

    private protected override VersionInfo SavedVersion => Version();

    /// <summary>
    /// This encoder as an estimator that does not train again, so that a chain with a trainer behind it can be fitted many
    /// times, by cross-validation for instance.
    /// </summary>
    public IEstimator<ContrastivePretrainTransformer> AsEstimator() => new FittedEncoderEstimator(Host, Weights);

    private protected override IBatchMapper CreateMapper(DataViewSchema schema) => new Mapper(this, schema);

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

    private static VersionInfo Version() => Version("CONTRENC", LoaderSignature);

    private void Log(Action<IChannel> write)
    {
        using IChannel channel = Host.Start("Transform");
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
        private readonly InputColumn _column = InputColumn.Bind(owner.Manifest, schema);

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
