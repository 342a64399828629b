using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>A column of classes: a key, as MapValueToKey makes it.</summary>
internal sealed class KeyLabelColumn
{
    private readonly DataViewSchema.Column _column;

    /// <exception cref="ArgumentException">The column is missing, no key, or has more classes than a model keeps.</exception>
    public KeyLabelColumn(DataViewSchema schema, string name, bool isNeeded)
    {
        _column = schema.Find(name);
        if (_column.Type is not KeyDataViewType { Count: > 0 } key)
            throw new ArgumentException($"Column '{name}' is {_column.Type}: expected a key of known size. Put mlContext.Transforms.Conversion.MapValueToKey(\"{name}\") before the trainer.", nameof(name));
        if (key.Count > ClassLabels.MaxCount)
            throw new ArgumentException($"Column '{name}' has {key.Count} classes, {ClassLabels.MaxCount} are the limit.", nameof(name));
        (Name, Count) = (name, (int)key.Count);
        Rows = new RowLabels(name, _column, isNeeded, CreateReader);
    }

    public string Name { get; }

    /// <summary>How many classes there are.</summary>
    public int Count { get; }

    /// <summary>Each row's class, from 0.</summary>
    public RowLabels Rows { get; }

    /// <summary>The classes as a model keeps them.</summary>
    public ClassLabels Classes(string predictedLabelColumn)
    {
        (ClassValueKind? kind, IReadOnlyList<string>? values) = ClassValues.Of(_column);
        var classes = new ClassLabels { LabelColumn = Name, PredictedLabelColumn = predictedLabelColumn, Count = Count, Kind = kind, Values = values };
        return classes.ToJson().Length <= ClassLabels.MaxLength
            ? classes
            : throw new ArgumentException($"The values of column '{Name}' are too long for a model: {ClassLabels.MaxLength} characters of all together are the limit.", nameof(Name));
    }

    private Func<long, long> CreateReader(DataViewRow row)
    {
        DataViewSchema.Column column = row.Schema[_column.Index];
        return Type.GetTypeCode(column.Type.RawType) switch
        {
            TypeCode.Byte => Reader<byte>(key => key),
            TypeCode.UInt16 => Reader<ushort>(key => key),
            TypeCode.UInt32 => Reader<uint>(key => key),
            _ => Reader<ulong>(key => (long)key),
        };

        Func<long, long> Reader<T>(Func<T, long> number)
        {
            ValueGetter<T> getter = row.GetGetter<T>(column);
            T key = default!;
            return _ =>
            {
                getter(ref key);
                return number(key) - 1;
            };
        }
    }
}
