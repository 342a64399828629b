using Microsoft.ML;
using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using static TorchSharp.torch;

[assembly: LoadableClass(
    typeof(ImageTextTransformer), null, typeof(SignatureLoadModel),
    "Contrastive encoder of pictures and texts", ImageTextTransformer.LoaderSignature)]

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Pictures and texts as vectors of one space, trained or from a CLIP checkpoint: it adds a known-size vector of Single of length 1 for each row's picture, one for its
/// text, or both; where they belong together they point the same way.
/// </summary>
public sealed class ImageTextTransformer : NetworkTransformer
{
    internal const string LoaderSignature = "ContrastiveImageText";

    internal ImageTextTransformer(IHostEnvironment environment, PretrainedEncoder network)
        : base(environment.Register(nameof(ImageTextTransformer)), network)
    {
    }

    /// <summary>Name of the column of pictures' vectors.</summary>
    public string ImageOutputColumnName => Manifest.OutputColumn;

    /// <summary>Name of the column of texts.</summary>
    public string TextColumnName => Pairs.TextColumn;

    /// <summary>Name of the column of texts' vectors.</summary>
    public string TextOutputColumnName => Pairs.TextOutput;

    /// <summary>E, the vectors' length.</summary>
    public int EmbeddingSize => Encoder.FeatureSize;

    /// <summary>The networks' shapes.</summary>
    public ImageTextEncoder Encoder => Pairs.Encoder;

    /// <summary>What cosines are multiplied with before they become probabilities.</summary>
    public double LogitScale
    {
        get
        {
            using var scope = NewDisposeScope();
            return Towers.LogScale.detach().exp().cpu().to(ScalarType.Float64).item<double>();
        }
    }

    /// <summary>What is added to the products; null where it was not learned.</summary>
    public double? LogitBias
    {
        get
        {
            using var scope = NewDisposeScope();
            return Towers.Bias?.detach().cpu().to(ScalarType.Float64).item<double>();
        }
    }

    private PairInput Pairs => Manifest.Pairs();

    private ImageTextModule Towers => (ImageTextModule)Weights.Module;

    private protected override VersionInfo SavedVersion => Version();

    /// <summary>The same networks, which are shared, with one of the two columns: Transform then needs no more than its input.</summary>
    /// <param name="outputColumnName"><see cref="ImageOutputColumnName"/> or <see cref="TextOutputColumnName"/>.</param>
    /// <exception cref="ArgumentException">It is neither.</exception>
    public ImageTextTransformer Only(string outputColumnName)
    {
        PairOutputs outputs = outputColumnName == ImageOutputColumnName ? PairOutputs.Image
            : outputColumnName == TextOutputColumnName ? PairOutputs.Text
            : throw new ArgumentException($"The model gives '{ImageOutputColumnName}' and '{TextOutputColumnName}', not '{outputColumnName}'.", nameof(outputColumnName));
        return new ImageTextTransformer(Host, Weights.With(Manifest with { Input = Pairs with { Outputs = outputs } }));
    }

    /// <summary>
    /// The pictures' network alone, which is shared, as an encoder with the same preprocessing: to be fine-tuned or distilled into, or for its features. They are what the pictures' network
    /// gives before it is made unit: CLIP's own vectors, or of other networks the features before the matrix.
    /// </summary>
    /// <param name="outputColumnName">Name of the column of features to add.</param>
    public ContrastivePretrainTransformer AsImageEncoder(string outputColumnName = "Features")
    {
        ArgumentException.ThrowIfNullOrEmpty(outputColumnName);
        return new ContrastivePretrainTransformer(Host, Weights.With(Manifest with { OutputColumn = outputColumnName, Input = Pairs.Pictures }, Towers.ImageTower));
    }

    /// <summary>The vectors of some texts, without a data view: [E] of length 1 each, in their order. Safe for use by many threads.</summary>
    /// <param name="texts">Any; null and blank ones have the vector of the empty text, unless the model fails on them in Transform too.</param>
    /// <param name="cancellationToken">Is asked between batches.</param>
    /// <exception cref="InvalidOperationException">A text is blank, and the model was made with <see cref="EmptyTexts.Fail"/>.</exception>
    public float[][] EmbedTexts(IEnumerable<string?> texts, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        (float[][] vectors, int cut) = Weights.EmbedTexts(texts, cancellationToken);
        CutTexts!.Tell(cut, vectors.Length);
        return vectors;
    }

    private protected override IBatchMapper CreateMapper(DataViewSchema schema) => new Mapper(this, schema);

    /// <summary>
    /// The same network computing in other numbers, which a model zip keeps. With <see cref="Precision.BFloat16"/> vectors differ in the third digit. It shares the weights:
    /// dispose both.
    /// </summary>
    /// <param name="precision">In which numbers.</param>
    public ImageTextTransformer WithPrecision(Precision precision) => new(Host, Weights.With(precision));

    // Called by ML.NET's loader, through the LoadableClass attribute above.
    private static ImageTextTransformer Create(IHostEnvironment environment, ModelLoadContext ctx)
    {
        (PretrainedEncoder network, string? warning) = Read(environment, ctx, Version());
        if (network.Manifest.Input is not PairInput)
            throw new InvalidDataException($"The model's {ManifestEntry} describes no networks of pictures and texts: it is damaged or was edited.");
        var transformer = new ImageTextTransformer(environment, network);
        if (warning is not null)
            transformer.Log(channel => channel.Warning(warning));
        return transformer;
    }

    private static VersionInfo Version() => Version("IMAGTEXT", LoaderSignature);

    /// <summary>One output: its input's column, its name, and what examples pass.</summary>
    private sealed record Part(InputColumn Column, string Output, Func<Tensor, Tensor>? Forward);

    /// <summary>Binds what is asked for to one input schema.</summary>
    private sealed class Mapper : IBatchMapper
    {
        private readonly ImageTextTransformer _owner;
        private readonly List<Part> _parts = [];

        public Mapper(ImageTextTransformer owner, DataViewSchema schema)
        {
            _owner = owner;
            PairInput pairs = owner.Pairs;
            if (pairs.Outputs.HasFlag(PairOutputs.Image))
                _parts.Add(new(new PictureInputColumn(pairs.Pictures, owner.Manifest.InputColumn, schema), owner.Manifest.OutputColumn, null));
            if (pairs.Outputs.HasFlag(PairOutputs.Text))
                _parts.Add(new(new TextInputColumn(pairs.Texts, owner.Network.Tokenizer!, pairs.TextColumn, schema, owner.CutTexts), pairs.TextOutput, owner.Network.Texts()));
        }

        public DataViewSchema.DetachedColumn[] GetOutputColumns()
            => [.. _parts.Select(part => new DataViewSchema.DetachedColumn(part.Output, new VectorDataViewType(NumberDataViewType.Single, _owner.EmbeddingSize)))];

        public Func<int, bool> GetDependencies(Func<int, bool> activeOutput)
            => column => _parts.Index().Any(part => activeOutput(part.Index) && part.Item.Column.Index == column);

        public ITransformer GetTransformer() => _owner;

        public IBatchWorker CreateWorker(DataViewRow input, Func<int, bool> activeOutput, int slots) => new Worker(
            [.. _parts.Select((part, output) => activeOutput(output) ? new NetworkWorker(_owner.Weights, input, part.Column, slots, _owner.EmbeddingSize, part.Forward) : null)]);

        void ICanSaveModel.Save(ModelSaveContext ctx) => ((ICanSaveModel)_owner).Save(ctx);
    }

    /// <summary>One worker for each output; null where it is not asked for.</summary>
    private sealed class Worker(NetworkWorker?[] parts) : IBatchWorker
    {
        public void Read(int slot)
        {
            foreach (NetworkWorker? part in parts)
                part?.Read(slot);
        }

        public void Compute(int rows)
        {
            foreach (NetworkWorker? part in parts)
                part?.Compute(rows);
        }

        public ReadOnlySpan<float> Output(int output, int slot) => parts[output]!.Output(0, slot);

        public void Dispose()
        {
            foreach (NetworkWorker? part in parts)
                part?.Dispose();
        }
    }
}
