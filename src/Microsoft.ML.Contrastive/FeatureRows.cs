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
    private const string LabelText = "Label as text"; // no view's own column: ours comes last and hides none

    /// <summary>Reads the columns once; classes that <paramref name="classes"/> lacks are added to it.</summary>
    /// <exception cref="ArgumentException">A column is missing or of another type, or there are too few rows.</exception>
    /// <exception cref="InvalidOperationException">A row has no label, or a feature that is no finite number.</exception>
    public static FeatureRows Read(MLContext ml, IDataView data, string argument, string features, string? label, List<string> classes, int atLeast)
    {
        ArgumentNullException.ThrowIfNull(data, argument);
        ArgumentException.ThrowIfNullOrEmpty(features);
        if (data.Schema.GetColumnOrNull(features) is not { } featureColumn)
            throw new ArgumentException($"The data has no column '{features}'.", argument);
        if (featureColumn.Type is not VectorDataViewType { IsKnownSize: true } vector || vector.ItemType != NumberDataViewType.Single)
            throw new ArgumentException($"Column '{features}' is {featureColumn.Type}: expected a known-size vector of Single.", argument);
        IDataView view = label is null ? data : WithLabelText(ml, data, argument, label);
        DataViewSchema.Column[] columns = label is null ? [view.Schema[featureColumn.Index]] : [view.Schema[featureColumn.Index], view.Schema[LabelText]];
        int size = vector.Size;
        var chunks = new List<Tensor>();
        var labels = new List<long>();
        Dictionary<string, int> places = classes.Index().ToDictionary(entry => entry.Item, entry => entry.Index);
        var chunk = new float[RowsAtOnce * size];
        int rows = 0;

        using DataViewRowCursor cursor = view.GetRowCursor(columns);
        ValueGetter<VBuffer<float>> getFeatures = cursor.GetGetter<VBuffer<float>>(columns[0]);
        ValueGetter<ReadOnlyMemory<char>>? getLabel = label is null ? null : cursor.GetGetter<ReadOnlyMemory<char>>(columns[1]);
        VBuffer<float> buffer = default;
        ReadOnlyMemory<char> text = default;
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
            if (getLabel is null)
                continue;
            getLabel(ref text);
            if (text.IsEmpty)
                throw new InvalidOperationException($"Column '{label}' has no value in row {rows} of {argument}: filter such rows out.");
            labels.Add(Place(text.ToString()));
        }
        if (rows < atLeast)
            throw new ArgumentException($"Column '{features}' has {rows} row(s): at least {atLeast} are needed.", argument);
        int left = (rows - 1) % RowsAtOnce + 1;
        chunks.Add(tensor(chunk[..(left * size)], left, size));
        return new FeatureRows(cat(chunks, 0), label is null ? null : tensor(labels.ToArray()), classes);

        long Place(string name)
        {
            if (!places.TryGetValue(name, out int place))
            {
                place = places[name] = classes.Count;
                classes.Add(name);
            }
            return place;
        }
    }

    /// <summary>Labels by what they read as, so that keys of two views that number the same values differently agree.</summary>
    private static IDataView WithLabelText(MLContext ml, IDataView data, string argument, string label)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        if (data.Schema.GetColumnOrNull(label) is not { } column)
            throw new ArgumentException($"The data has no column '{label}'.", argument);
        if (column.Type is VectorDataViewType or not (KeyDataViewType or TextDataViewType or NumberDataViewType or BooleanDataViewType))
            throw new ArgumentException($"Column '{label}' is {column.Type}: expected a key, text, a number or a truth value.", argument);
        IDataView view = data;
        string source = label;
        if (column.Type is KeyDataViewType && column.HasKeyValues())
        {
            view = ml.Transforms.Conversion.MapKeyToValue(LabelText, label).Fit(view).Transform(view);
            source = LabelText;
        }
        return ml.Transforms.Conversion.ConvertType(LabelText, source, DataKind.String).Fit(view).Transform(view);
    }
}
