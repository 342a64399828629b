using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>A view's features, and its labels where they are asked for, as tensors in the scope of the moment.</summary>
/// <param name="Features">[N, D] in single precision.</param>
/// <param name="Labels">[N], places in <paramref name="Classes"/>.</param>
/// <param name="Classes">All classes that have been met.</param>
internal sealed record FeatureRows(Tensor Features, Tensor? Labels, List<string> Classes)
{
    private const int RowsAtOnce = 4096;

    /// <summary>Reads the columns once; classes that <paramref name="classes"/> lacks are added to it.</summary>
    /// <exception cref="ArgumentException">A column is missing or of another type, or there are too few rows.</exception>
    /// <exception cref="InvalidOperationException">A row has no label, or a feature that is no finite number.</exception>
    public static FeatureRows Read(MLContext ml, IDataView data, string argument, string features, string? label, List<string> classes, int atLeast)
    {
        ArgumentNullException.ThrowIfNull(data, argument);
        ArgumentException.ThrowIfNullOrEmpty(features);
        DataViewSchema.Column featureColumn = data.Schema.Find(features, argument);
        if (featureColumn.Type is not VectorDataViewType { IsKnownSize: true } vector || vector.ItemType != NumberDataViewType.Single)
            throw new ArgumentException($"Column '{features}' is {featureColumn.Type}: expected a known-size vector of Single.", argument);
        LabelColumn? labelColumn = label is null ? null : new LabelColumn(ml, data, argument, label, classes);
        IDataView view = labelColumn?.View ?? data;
        DataViewSchema.Column[] columns = labelColumn is null ? [view.Schema[featureColumn.Index]] : [view.Schema[featureColumn.Index], labelColumn.Column];
        int size = vector.Size;
        var chunks = new List<Tensor>();
        var labels = new List<long>();
        var chunk = new float[RowsAtOnce * size];
        int rows = 0;

        using DataViewRowCursor cursor = view.GetRowCursor(columns);
        ValueGetter<VBuffer<float>> getFeatures = cursor.GetGetter<VBuffer<float>>(columns[0]);
        Func<long, long>? readLabel = labelColumn?.CreateReader(cursor);
        VBuffer<float> buffer = default;
        for (; cursor.MoveNext(); rows++)
        {
            int slot = rows % RowsAtOnce;
            if (slot == 0 && rows > 0)
                chunks.Add(tensor(chunk, RowsAtOnce, size));
            getFeatures(ref buffer);
            Span<float> row = chunk.AsSpan(slot * size, size);
            buffer.CopyTo(row);
            foreach (float value in row)
                if (!float.IsFinite(value))
                    throw new InvalidOperationException($"Column '{features}' holds {value} in row {rows} of {argument}: filter out rows whose picture is missing.");
            if (readLabel is not null)
                labels.Add(readLabel(rows));
        }
        if (rows < atLeast)
            throw new ArgumentException($"Column '{features}' has {rows} row(s): at least {atLeast} are needed.", argument);
        int left = (rows - 1) % RowsAtOnce + 1;
        chunks.Add(tensor(chunk[..(left * size)], left, size));
        return new FeatureRows(cat(chunks, 0), label is null ? null : tensor(labels.ToArray()), classes);
    }
}
