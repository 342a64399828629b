using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Contrastive;

/// <summary>How likeness to words becomes scores.</summary>
public enum ZeroShotScores
{
    /// <summary>The classes are alternatives, and their scores add up to 1.</summary>
    Softmax,

    /// <summary>Each class by itself, from 0 to 1: several may fit a picture, or none.</summary>
    Sigmoid,
}

/// <summary>
/// Sorts pictures into classes that are only words, by a model that compares pictures with texts (Radford et al. 2021, section 3.1). Nothing is trained: Fit looks at the
/// schema, and makes the words' vectors.
/// </summary>
public sealed class ZeroShotClipEstimator : IEstimator<ZeroShotClipTransformer>
{
    private readonly IHostEnvironment _environment;
    private readonly Options _options;
    private readonly PretrainedEncoder _network;
    private readonly ZeroShotVectors _vectors = new();

    /// <summary>All settings of the estimator.</summary>
    public sealed record Options
    {
        /// <summary>Name of the column of pictures: MLImage of any sizes, or vectors as the model's <see cref="ImageShape"/> says. The default value is "Image".</summary>
        public string ImageColumnName { get; init; } = "Image";

        /// <summary>The classes: at least one word and at most 65,536, each once.</summary>
        public required IReadOnlyList<string> Labels { get; init; }

        /// <summary>What compares pictures with words. It stays as it is.</summary>
        public required ImageTextTransformer Model { get; init; }

        /// <summary>Sentences that the labels are put into. The default value is <see cref="PromptTemplates.Simple"/>.</summary>
        public PromptTemplates Templates { get; init; } = PromptTemplates.Simple;

        /// <summary>
        /// Name of a column of true labels, text or a key of text. In the output it has the keys of the predictions, so that Evaluate compares like with like whatever the labels'
        /// order; a label that is none of the classes has the missing key. Data without the column are taken as they are. Null, the default, for none.
        /// </summary>
        public string? LabelColumnName { get; init; }

        /// <summary>Name of the column of the likeliest class to add. The default value is "PredictedLabel".</summary>
        public string PredictedLabelColumnName { get; init; } = "PredictedLabel";

        /// <summary>Name of the column of scores to add. The default value is "Score".</summary>
        public string ScoreColumnName { get; init; } = "Score";

        /// <summary>How likeness becomes scores. The default value is <see cref="ZeroShotScores.Softmax"/>.</summary>
        public ZeroShotScores Scores { get; init; }

        /// <summary>What cosines are multiplied with, above 0. Null, the default: what the model has learned, 100 in the published ones.</summary>
        public double? Scale { get; init; }

        /// <summary>
        /// What is added to the products, which <see cref="ZeroShotScores.Sigmoid"/> needs. Null, the default: what a model trained by the pairwise sigmoid objective has learned; CLIP's own
        /// has nothing to learn one by, so that it must be said: the negative of the scale times the cosine from which on a word is to count as fitting.
        /// </summary>
        public double? Bias { get; init; }

        /// <summary>
        /// Name of a column of boxes: a vector of Single of left, top, right and bottom of each, in pixels of the picture. Each box's cut-out is scored as a picture of its own. Null, the
        /// default, for none.
        /// </summary>
        public string? BoxesColumnName { get; init; }

        /// <summary>Name of the column to add of each box's likeliest class, a vector of keys. The default value is "BoxLabels".</summary>
        public string BoxLabelsColumnName { get; init; } = "BoxLabels";

        /// <summary>Name of the column to add of each box's scores, one box behind the other: a vector of boxes times classes. The default value is "BoxScores".</summary>
        public string BoxScoresColumnName { get; init; } = "BoxScores";

        /// <summary>What is done with null and undecodable pictures. The default value is <see cref="MissingImages.Fail"/>; <see cref="MissingImages.Skip"/> gives the missing key and scores of NaN.</summary>
        public MissingImages MissingImages { get; init; } = MissingImages.Fail;
    }

    internal ZeroShotClipEstimator(IHostEnvironment environment, Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ZeroShotClasses.Check(options.Labels);
        ArgumentNullException.ThrowIfNull(options.Model, nameof(options.Model));
        ArgumentNullException.ThrowIfNull(options.Templates, nameof(options.Templates));
        string[] added = [options.PredictedLabelColumnName, options.ScoreColumnName, .. options.BoxesColumnName is null ? Array.Empty<string>() : [options.BoxLabelsColumnName, options.BoxScoresColumnName]];
        foreach (string? name in added.Append(options.ImageColumnName))
            ArgumentException.ThrowIfNullOrEmpty(name, nameof(options));
        if (added.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1)?.Key is { } twice)
            throw new ArgumentException($"Two of the added columns are called '{twice}': they need names of their own.", nameof(options));
        if (options.LabelColumnName is { } label && (label.Length == 0 || added.Contains(label)))
            throw new ArgumentException($"LabelColumnName is '{label}': it must be the name of a column of the data, and none of those that are added.", nameof(options.LabelColumnName));
        if (!Enum.IsDefined(options.Scores))
            throw new ArgumentOutOfRangeException(nameof(options.Scores), options.Scores, "Choose ZeroShotScores.Softmax or ZeroShotScores.Sigmoid.");
        if (!Enum.IsDefined(options.MissingImages))
            throw new ArgumentOutOfRangeException(nameof(options.MissingImages), options.MissingImages, "Choose MissingImages.Fail or MissingImages.Skip.");
        if (options.Scale is { } scale && !(scale > 0 && double.IsFinite(scale)))
            throw new ArgumentOutOfRangeException(nameof(options.Scale), scale, "Scale must be above 0 and finite.");
        if (options.Bias is { } bias && !double.IsFinite(bias))
            throw new ArgumentOutOfRangeException(nameof(options.Bias), bias, "Bias must be finite.");
        if (options.Scores == ZeroShotScores.Sigmoid && options.Bias is null && options.Model.LogitBias is null)
            throw new ArgumentException("The model was not trained with a bias, without which sigmoid scores mean nothing: set Bias, to -0.25 times the scale for instance, so that words count from a cosine of 0.25 on; or take ZeroShotScores.Softmax.", nameof(options.Bias));
        (_environment, _options) = (environment, options);
        EncoderManifest manifest = options.Model.Weights.Manifest;
        PairInput pairs = manifest.Pairs();
        _network = options.Model.Weights.With(manifest with
        {
            InputColumn = options.ImageColumnName,
            OutputColumn = options.ScoreColumnName,
            Input = pairs with { Pictures = pairs.Pictures with { MissingImages = options.MissingImages } },
        });
    }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        SchemaShape.Column image = inputSchema.Find(_options.ImageColumnName);
        PictureInput pictures = _network.Manifest.Pairs().Pictures;
        InputColumn.CheckShape(image, image.ItemType is Transforms.Image.ImageDataViewType ? ColumnKind.Pictures : pictures.Kind());
        var columns = inputSchema.ToDictionary(column => column.Name);
        var values = new SchemaShape([new SchemaShape.Column(AnnotationUtils.Kinds.KeyValues, SchemaShape.Column.VectorKind.Vector, TextDataViewType.Instance, false)]);
        foreach (SchemaShape.Column column in ClassColumns.Promise(_options.PredictedLabelColumnName, _options.ScoreColumnName, TextDataViewType.Instance))
            columns[column.Name] = column;
        if (_options.LabelColumnName is { } label)
        {
            ZeroShotLabel.Check(inputSchema.Find(label));
            columns[label] = new(label, SchemaShape.Column.VectorKind.Scalar, NumberDataViewType.UInt32, isKey: true, values);
        }
        if (_options.BoxesColumnName is { } boxes)
        {
            BoxColumn.Check(inputSchema.Find(boxes));
            columns[_options.BoxLabelsColumnName] = new(_options.BoxLabelsColumnName, SchemaShape.Column.VectorKind.VariableVector, NumberDataViewType.UInt32, isKey: true, values);
            columns[_options.BoxScoresColumnName] = new(_options.BoxScoresColumnName, SchemaShape.Column.VectorKind.VariableVector, NumberDataViewType.Single, isKey: false);
        }
        return new SchemaShape(columns.Values);
    }

    /// <summary>Makes the words' vectors, once for each set of labels and templates.</summary>
    /// <exception cref="ArgumentException">A column is missing or of another type; it is named.</exception>
    public ZeroShotClipTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        _ = GetOutputSchema(SchemaShape.Create(input.Schema));
        var labels = new ClassLabels
        {
            LabelColumn = _options.LabelColumnName,
            PredictedLabelColumn = _options.PredictedLabelColumnName,
            Count = _options.Labels.Count,
            Kind = ClassValueKind.Text,
            Values = [.. _options.Labels],
        };
        var settings = new ZeroShotSettings
        {
            Templates = _options.Templates.Templates,
            IsSigmoid = _options.Scores == ZeroShotScores.Sigmoid,
            Scale = _options.Scale ?? _options.Model.LogitScale,
            Bias = _options.Bias ?? _options.Model.LogitBias ?? 0,
            Boxes = _options.BoxesColumnName is { } boxes ? new(boxes, _options.BoxLabelsColumnName, _options.BoxScoresColumnName) : null,
        };
        return ZeroShotClipTransformer.Create(_environment, _network, labels, settings, _vectors);
    }
}
