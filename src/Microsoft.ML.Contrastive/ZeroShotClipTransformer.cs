using System.Runtime.InteropServices;
using Microsoft.ML;
using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

[assembly: LoadableClass(
    typeof(ZeroShotClipTransformer), null, typeof(SignatureLoadModel),
    "Zero-shot classifier of pictures", ZeroShotClipTransformer.LoaderSignature)]

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Sorts pictures into classes that are only words. It adds what ML.NET's multiclass trainers add: a key PredictedLabel with the words as values, and a vector Score with them
/// as slot names; true labels get the same keys. So Evaluate, MapKeyToValue and PredictionEngine take it as they take those.
/// </summary>
public sealed class ZeroShotClipTransformer : NetworkTransformer
{
    internal const string LoaderSignature = "ContrastiveZeroShot";
    private const string ClassesEntry = "classes.json", SettingsEntry = "zeroshot.json", VectorsEntry = "classes.safetensors", VectorsName = "vectors";
    private readonly ZeroShotClasses _classes;
    private readonly ZeroShotVectors _vectors;

    private ZeroShotClipTransformer(IHostEnvironment environment, PretrainedEncoder network, ZeroShotClasses classes, ZeroShotVectors vectors)
        : base(environment.Register(nameof(ZeroShotClipTransformer)), network)
        => (_classes, _vectors) = (classes, vectors);

    /// <summary>The classes, in the order of their keys.</summary>
    public IReadOnlyList<string> Labels => _classes.Labels.Values!;

    /// <summary>Sentences that the labels are put into.</summary>
    public PromptTemplates Templates => new(_classes.Settings.Templates);

    /// <summary>Name of the column of the likeliest class.</summary>
    public string PredictedLabelColumnName => _classes.Labels.PredictedLabelColumn;

    /// <summary>Name of the column of scores.</summary>
    public string ScoreColumnName => Manifest.OutputColumn;

    private protected override VersionInfo SavedVersion => Version();

    /// <summary>The same model, whose networks are shared, for other words. Vectors of the last few sets of words are remembered.</summary>
    /// <param name="labels">The classes: at least one, each once.</param>
    /// <param name="templates">Sentences that they are put into. Null: as they are.</param>
    /// <exception cref="ArgumentException">There are no labels, or one is empty or comes twice.</exception>
    public ZeroShotClipTransformer WithLabels(IReadOnlyList<string> labels, PromptTemplates? templates = null)
    {
        ZeroShotClasses.Check(labels);
        return Create(
            Host, Weights, _classes.Labels with { Count = labels.Count, Values = [.. labels] },
            templates is null ? _classes.Settings : _classes.Settings with { Templates = templates.Templates }, _vectors);
    }

    /// <summary>The networks without the words, which are shared, under the names of columns that <see cref="ClipLoadOptions"/> has.</summary>
    internal ImageTextTransformer Model() => new(Host, Weights.With(Manifest with { OutputColumn = new ClipLoadOptions { Path = "" }.ImageOutputColumnName }));

    /// <summary>Makes the words' vectors, and says how many sentences were cut and which words are one to the network.</summary>
    internal static ZeroShotClipTransformer Create(
        IHostEnvironment environment, PretrainedEncoder network, ClassLabels labels, ZeroShotSettings settings, ZeroShotVectors known)
    {
        // What a model can't be loaded with is refused before it is made. Other letters than English ones take six characters each in its files.
        if (labels.ToJson().Length > ClassLabels.MaxLength)
            throw new ArgumentException($"The labels are too long for a model: {ClassLabels.MaxLength} characters of all together are the limit, six for a letter that is not English.", nameof(labels));
        if (settings.ToJson().Length > ZeroShotSettings.MaxLength)
            throw new ArgumentException($"The templates are too long for a model: {ZeroShotSettings.MaxLength} characters of all together are the limit, six for a letter that is not English.", nameof(settings));
        (float[] vectors, int cut, (string First, string Second)? alike) = known.Of(network, labels.Values!, new PromptTemplates(settings.Templates));
        var transformer = new ZeroShotClipTransformer(environment, network, new ZeroShotClasses(labels, settings, vectors), known);
        if (alike is var (first, second))
            transformer.Log(channel => channel.Warning($"The labels '{first}' and '{second}' are the same tokens to the model, which can't tell them apart: the first is always chosen. Give each class words of its own."));
        if (cut > 0)
            transformer.Log(channel => channel.Warning($"{cut} of {labels.Count * settings.Templates.Count} sentences about the labels were longer than the model's {network.Manifest.Pairs().Texts.Encoder.MaxTokens} tokens, and were cut."));
        return transformer;
    }

    private protected override IBatchMapper CreateMapper(DataViewSchema schema) => new Mapper(this, schema);

    private protected override void SaveMore(ModelSaveContext ctx)
    {
        base.SaveMore(ctx);
        ctx.SaveTextStream(ClassesEntry, writer => writer.Write(_classes.Labels.ToJson()));
        ctx.SaveTextStream(SettingsEntry, writer => writer.Write(_classes.Settings.ToJson()));
        using Tensor vectors = tensor(_classes.Vectors, Labels.Count, _classes.Vectors.Length / Labels.Count);
        ctx.SaveBinaryStream(VectorsEntry, writer => SafeTensors.Save(writer.BaseStream, [(VectorsName, vectors)]));
    }

    // Called by ML.NET's loader, through the LoadableClass attribute above.
    private static ZeroShotClipTransformer Create(IHostEnvironment environment, ModelLoadContext ctx)
    {
        (PretrainedEncoder network, string? warning) = Read(environment, ctx, Version());
        if (network.Manifest.Input is not PairInput)
            throw new InvalidDataException($"The model's {ManifestEntry} describes no networks of pictures and texts: it is damaged or was edited.");
        ClassLabels labels = null!;
        ZeroShotSettings settings = null!;
        float[] vectors = [];
        ModelEntries.Read(ctx, ClassesEntry, stream => labels = ClassLabels.Read(new StreamReader(stream)));
        ModelEntries.Read(ctx, SettingsEntry, stream => settings = ZeroShotSettings.Read(new StreamReader(stream)));
        try
        {
            if (labels.Kind != ClassValueKind.Text)
                throw new ArgumentException("its labels are no words.");
            ZeroShotClasses.Check(labels.Values!);
            _ = new PromptTemplates(settings.Templates);
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"The model's {ClassesEntry} or {SettingsEntry} is damaged or edited: {Printable.Message(error.Message)}", error);
        }
        ModelEntries.Read(ctx, VectorsEntry, stream => vectors = ReadVectors(stream, labels.Count, network.Manifest.Input.Network.FeatureSize));
        var known = new ZeroShotVectors();
        known.Keep(labels.Values!, settings.Templates, vectors);
        var transformer = new ZeroShotClipTransformer(environment, network, new ZeroShotClasses(labels, settings, vectors), known);
        if (warning is not null)
            transformer.Log(channel => channel.Warning(warning));
        return transformer;
    }

    private static float[] ReadVectors(Stream stream, int classes, int size)
    {
        using var scope = NewDisposeScope();
        var reader = new SafeTensorsReader(stream, VectorsEntry, ModelEntries.LongestWeightsHeader);
        SafeTensors.CheckEnough(reader, (long)classes * size);
        Tensor vectors = zeros(classes, size);
        SafeTensors.LoadInto(reader, new Dictionary<string, Tensor> { [VectorsName] = vectors });
        float[] numbers = MemoryMarshal.Cast<byte, float>(vectors.bytes).ToArray();
        return Array.TrueForAll(numbers, float.IsFinite) ? numbers : throw new InvalidDataException($"{VectorsEntry} holds values that are no numbers.");
    }

    private static VersionInfo Version() => Version("ZEROSHOT", LoaderSignature);

    /// <summary>Which of the added columns one is.</summary>
    private enum Output
    {
        PredictedLabel,
        Score,
        Label,
        BoxLabels,
        BoxScores,
    }

    /// <summary>Binds the classifier to one input schema.</summary>
    private sealed class Mapper : IBatchMapper
    {
        private readonly ZeroShotClipTransformer _owner;
        private readonly PictureInput _pictures;
        private readonly PictureInputColumn _column;
        private readonly ZeroShotLabel? _label;
        private readonly BoxColumn? _boxes;
        private readonly List<Output> _outputs = [Output.PredictedLabel, Output.Score];

        public Mapper(ZeroShotClipTransformer owner, DataViewSchema schema)
        {
            _owner = owner;
            _pictures = owner.Manifest.Pairs().Pictures;
            if (schema.GetColumnOrNull(owner.InputColumnName)?.Type is Transforms.Image.ImageDataViewType)
                _pictures = _pictures with { ImageShape = null }; // of any model, however its pictures came in training
            _column = new PictureInputColumn(_pictures, owner.InputColumnName, schema);
            if (owner._classes.Labels.LabelColumn is { } label && schema.GetColumnOrNull(label) is { } labels)
            {
                _label = new ZeroShotLabel(labels, owner.Labels);
                _outputs.Add(Output.Label);
            }
            if (owner._classes.Settings.Boxes is { } boxes)
            {
                _boxes = new BoxColumn(schema, boxes.Boxes);
                _outputs.AddRange([Output.BoxLabels, Output.BoxScores]);
            }
        }

        public DataViewSchema.DetachedColumn[] GetOutputColumns()
        {
            DataViewSchema.DetachedColumn[] whole = ClassColumns.Create(_owner._classes.Labels, _owner.ScoreColumnName);
            return [.. _outputs.Select(output => output switch
            {
                Output.PredictedLabel => whole[0],
                Output.Score => whole[1],
                Output.Label => new(_label!.Name, new KeyDataViewType(typeof(uint), _owner.Labels.Count), Values()),
                Output.BoxLabels => new(_owner._classes.Settings.Boxes!.Labels, new VectorDataViewType(new KeyDataViewType(typeof(uint), _owner.Labels.Count)), Values()),
                _ => new DataViewSchema.DetachedColumn(_owner._classes.Settings.Boxes!.Scores, new VectorDataViewType(NumberDataViewType.Single)),
            })];

            DataViewSchema.Annotations Values()
            {
                var annotations = new DataViewSchema.Annotations.Builder();
                annotations.AddValues(AnnotationUtils.Kinds.KeyValues, ClassValueKind.Text, _owner.Labels);
                return annotations.ToAnnotations();
            }
        }

        public Func<int, bool> GetDependencies(Func<int, bool> activeOutput) => column
            => (column == _column.Index && _outputs.Index().Any(output => output.Item != Output.Label && activeOutput(output.Index)))
                || (column == _label?.Index && IsActive(Output.Label, activeOutput))
                || (column == _boxes?.Index && IsActive(Output.BoxLabels, activeOutput));

        public ITransformer GetTransformer() => _owner;

        public IBatchWorker CreateWorker(DataViewRow input, Func<int, bool> activeOutput, int slots)
        {
            PretrainedEncoder network = _owner.Weights;
            Tensor classes = tensor(_owner._classes.Vectors, _owner.Labels.Count, _owner._classes.Vectors.Length / _owner.Labels.Count).to(network.Device).DetachFromDisposeScope();
            Func<Tensor, Tensor> logits = pictures => ZeroShotClasses.Logits(network.Module.forward(pictures), classes, _owner._classes.Settings);
            return new Worker(_owner, _outputs, slots, classes)
            {
                Pictures = IsActive(Output.PredictedLabel, activeOutput) ? new NetworkWorker(network, input, _column, slots, _owner.Labels.Count, logits) : null,
                Label = IsActive(Output.Label, activeOutput) ? _label!.CreateReader(input) : null,
                EndLabels = IsActive(Output.Label, activeOutput) ? _label!.End : null,
                Boxes = IsActive(Output.BoxLabels, activeOutput)
                    ? new BoxWorker(network, _pictures, _column.Pictures, _boxes!, input, _owner._classes, slots, logits) : null,
            };
        }

        void ICanSaveModel.Save(ModelSaveContext ctx) => ((ICanSaveModel)_owner).Save(ctx);

        /// <summary>Whether one of the two columns that are made together is asked for.</summary>
        private bool IsActive(Output first, Func<int, bool> activeOutput) => _outputs.Index().Any(output => activeOutput(output.Index)
            && (output.Item == first || (output.Item == first + 1 && first != Output.Label)));
    }

    private sealed class Worker(ZeroShotClipTransformer owner, List<Output> outputs, int slots, Tensor classVectors) : IBatchWorker
    {
        private readonly float[] _keys = new float[slots], _labels = new float[slots];

        public NetworkWorker? Pictures { get; init; }

        public Func<int>? Label { get; init; }

        public Func<string?>? EndLabels { get; set; }

        public BoxWorker? Boxes { get; init; }

        public void Read(int slot)
        {
            Pictures?.Read(slot);
            if (Label is not null)
                _labels[slot] = Label();
            Boxes?.Read(slot);
        }

        public void Compute(int rows)
        {
            Pictures?.Compute(rows);
            for (int slot = 0; slot < rows && Pictures is not null; slot++)
                _keys[slot] = owner._classes.Decide(Pictures.Numbers(slot));
            Boxes?.Compute();
        }

        public ReadOnlySpan<float> Output(int output, int slot) => outputs[output] switch
        {
            ZeroShotClipTransformer.Output.PredictedLabel => _keys.AsSpan(slot, 1),
            ZeroShotClipTransformer.Output.Score => Pictures!.Output(0, slot),
            ZeroShotClipTransformer.Output.Label => _labels.AsSpan(slot, 1),
            ZeroShotClipTransformer.Output.BoxLabels => Boxes!.Keys(slot),
            _ => Boxes!.Scores(slot),
        };

        public void Dispose()
        {
            if (EndLabels?.Invoke() is { } warning)
                owner.Log(channel => channel.Warning(warning));
            EndLabels = null;
            Pictures?.Dispose();
            classVectors.Dispose();
        }
    }
}
