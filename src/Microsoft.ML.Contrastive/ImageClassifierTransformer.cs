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
/// they take those. A missing picture, where
/// <see cref="MissingImages.Skip"/> allows one, has the missing key and scores of NaN.
/// </summary>
public sealed class ImageClassifierTransformer : NetworkTransformer
{
    internal const string LoaderSignature = "ContrastiveImgClassifier";
    private const string ClassesEntry = "classes.json";

    internal ImageClassifierTransformer(IHostEnvironment environment, PretrainedEncoder network, ClassLabels classes)
        : base(environment.Register(nameof(ImageClassifierTransformer)), network)
    {
        Classes = classes;
    }

    /// <summary>Name of the column of the likeliest class.</summary>
    public string PredictedLabelColumnName => Classes.PredictedLabelColumn;

    /// <summary>Name of the column of probabilities.</summary>
    public string ScoreColumnName => Manifest.OutputColumn;

    /// <summary>C, how many classes there are.</summary>
    public int ClassCount => Classes.Count;

    /// <summary>The network's shape, without the classifier's own layer.</summary>
    public ImageEncoder Encoder => Manifest.Pictures().Encoder;

    internal ClassLabels Classes { get; }

    private protected override VersionInfo SavedVersion => Version();

    private protected override IBatchMapper CreateMapper(DataViewSchema schema) => new Mapper(this, schema);

    private protected override void SaveMore(ModelSaveContext ctx) => ctx.SaveTextStream(ClassesEntry, writer => writer.Write(Classes.ToJson()));

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
            using (IChannel channel = transformer.Host.Start("Load"))
                channel.Warning(warning);
        return transformer;
    }

    private static VersionInfo Version() => Version("CONTRCLS", LoaderSignature);

    /// <summary>Binds the classifier to one input schema.</summary>
    private sealed class Mapper(ImageClassifierTransformer owner, DataViewSchema schema) : IBatchMapper
    {
        private readonly InputColumn _column = InputColumn.Bind(owner.Network, schema);

        public DataViewSchema.DetachedColumn[] GetOutputColumns() => ClassColumns.Create(owner.Classes, owner.ScoreColumnName);

        public Func<int, bool> GetDependencies(Func<int, bool> activeOutput) => column => column == _column.Index && (activeOutput(0) || activeOutput(1));

        public ITransformer GetTransformer() => owner;

        public IBatchWorker CreateWorker(DataViewRow input, Func<int, bool> activeOutput, int slots)
            => new Worker(new NetworkWorker(owner.Weights, input, _column, slots, owner.ClassCount), slots);

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
