using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>The columns that a classifier's estimator reads and adds, and what of them its schema promises.</summary>
internal sealed class ClassifierColumns
{
    private readonly string? _label;
    private readonly string _predictedLabel;

    /// <exception cref="ArgumentException">A name is empty, or two are the same.</exception>
    public ClassifierColumns(EncoderManifest manifest, string? image, string? label, string predictedLabel, string score)
    {
        foreach ((string? name, string option) in new[] { (image, "ImageColumnName"), (label, "LabelColumnName") })
            if (name is not null)
                ArgumentException.ThrowIfNullOrEmpty(name, option);
        ArgumentException.ThrowIfNullOrEmpty(predictedLabel, "PredictedLabelColumnName");
        ArgumentException.ThrowIfNullOrEmpty(score, "ScoreColumnName");
        if (predictedLabel == score)
            throw new ArgumentException($"PredictedLabelColumnName and ScoreColumnName are both '{score}': they need names of their own.", nameof(score));
        (_label, _predictedLabel) = (label, predictedLabel);
        Manifest = manifest with { InputColumn = image ?? manifest.InputColumn, OutputColumn = score, Library = LibraryVersion.Current };
    }

    /// <summary>That of the classifier, but for its training.</summary>
    public EncoderManifest Manifest { get; }

    /// <summary>The schema of what the fitted transformer gives.</summary>
    /// <param name="inputSchema">The input's.</param>
    /// <param name="teacher">Whose classes it has; null: the label column's.</param>
    public SchemaShape Promise(SchemaShape inputSchema, ClassLabels? teacher)
    {
        SchemaShape withScore = ContrastivePretrainEstimator.AddFeatures(inputSchema, Manifest.OutputColumn, Manifest.InputColumn, Manifest.Input.Kind());
        SchemaShape.Column label = default;
        if (_label is not null)
        {
            label = inputSchema.Find(_label);
            if (!label.IsKey || label.Kind != SchemaShape.Column.VectorKind.Scalar)
                throw new ArgumentException($"Column '{_label}' is {label.GetTypeString()}: expected a key. Put mlContext.Transforms.Conversion.MapValueToKey(\"{_label}\") before the trainer.", nameof(inputSchema));
        }
        DataViewType? values = teacher is { Kind: { } kind } ? ClassValues.TypeOf(kind)
            : teacher is null && label.Annotations is { } annotations && annotations.TryFindColumn(AnnotationUtils.Kinds.KeyValues, out SchemaShape.Column found) ? found.ItemType
            : null;
        var columns = withScore.ToDictionary(column => column.Name);
        foreach (SchemaShape.Column column in ClassColumns.Promise(_predictedLabel, Manifest.OutputColumn, values))
            columns[column.Name] = column;
        return new SchemaShape(columns.Values);
    }
}
