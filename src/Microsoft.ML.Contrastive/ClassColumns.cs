using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>The two columns of a classifier, with the annotations that ML.NET's multiclass trainers give theirs.</summary>
internal static class ClassColumns
{
    private const string Kind = AnnotationUtils.Const.ScoreColumnKind.MulticlassClassification;

    /// <summary>What an estimator promises of them: the predicted label, then the scores.</summary>
    /// <param name="predictedLabel">The one's name.</param>
    /// <param name="score">The other's.</param>
    /// <param name="values">The label's values as the input's schema has them; null where its keys stand for none.</param>
    public static SchemaShape.Column[] Promise(string predictedLabel, string score, DataViewType? values)
    {
        SchemaShape.Column[] trainer = [.. AnnotationUtils.GetTrainerOutputAnnotation()];
        SchemaShape.Column[] label = values is null ? [] : [Vector(AnnotationUtils.Kinds.KeyValues, values)];
        SchemaShape.Column[] slots = values is null ? []
            : values is TextDataViewType ? [Vector(AnnotationUtils.Kinds.SlotNames, values), Vector(AnnotationUtils.Kinds.TrainingLabelValues, values)]
            : [Vector(AnnotationUtils.Kinds.TrainingLabelValues, values)];
        return
        [
            new(predictedLabel, SchemaShape.Column.VectorKind.Scalar, NumberDataViewType.UInt32, isKey: true, new SchemaShape([.. label, .. trainer])),
            new(score, SchemaShape.Column.VectorKind.Vector, NumberDataViewType.Single, isKey: false, new SchemaShape([.. slots, .. trainer])),
        ];

        static SchemaShape.Column Vector(string name, DataViewType type) => new(name, SchemaShape.Column.VectorKind.Vector, type, false);
    }

    /// <summary>The columns themselves, in the same order.</summary>
    public static DataViewSchema.DetachedColumn[] Create(ClassLabels classes, string score)
    {
        DataViewSchema.Annotations.Builder label = new(), scores = new();
        if (classes.Kind is { } kind)
        {
            label.AddValues(AnnotationUtils.Kinds.KeyValues, kind, classes.Values!);
            if (kind == ClassValueKind.Text)
                scores.AddValues(AnnotationUtils.Kinds.SlotNames, kind, classes.Values!);
            scores.AddValues(AnnotationUtils.Kinds.TrainingLabelValues, kind, classes.Values!);
        }
        AddRole(label, AnnotationUtils.Const.ScoreValueKind.PredictedLabel);
        AddRole(scores, AnnotationUtils.Const.ScoreValueKind.Score);
        return
        [
            new(classes.PredictedLabelColumn, new KeyDataViewType(typeof(uint), classes.Count), label.ToAnnotations()),
            new(score, new VectorDataViewType(NumberDataViewType.Single, classes.Count), scores.ToAnnotations()),
        ];
    }

    /// <summary>Turns logits into probabilities, in place, and gives the likeliest class's key, from 1; 0 where they are NaN.</summary>
    public static int Decide(Span<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
            if (logits[i] > logits[best])
                best = i;
        float highest = logits[best];
        double sum = 0;
        foreach (ref float value in logits)
            sum += value = MathF.Exp(value - highest);
        foreach (ref float value in logits)
            value = (float)(value / sum);
        return float.IsNaN(logits[best]) ? 0 : best + 1;
    }

    private static void AddRole(DataViewSchema.Annotations.Builder builder, string valueKind)
    {
        builder.AddPrimitiveValue(AnnotationUtils.Kinds.ScoreColumnSetId, AnnotationUtils.ScoreColumnSetIdType, 1u);
        builder.AddPrimitiveValue(AnnotationUtils.Kinds.ScoreColumnKind, TextDataViewType.Instance, Kind.AsMemory());
        builder.AddPrimitiveValue(AnnotationUtils.Kinds.ScoreValueKind, TextDataViewType.Instance, valueKind.AsMemory());
    }
}
