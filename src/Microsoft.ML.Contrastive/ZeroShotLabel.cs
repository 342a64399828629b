using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>A column of true labels, by the keys of a zero-shot classifier.</summary>
internal sealed class ZeroShotLabel
{
    private readonly DataViewSchema.Column _column;
    private readonly Dictionary<string, int> _keys;
    private readonly int[]? _ofKeys;

    /// <exception cref="ArgumentException">The column is neither text nor a key of text.</exception>
    public ZeroShotLabel(DataViewSchema.Column column, IReadOnlyList<string> classes)
    {
        _column = column;
        _keys = classes.Index().ToDictionary(entry => entry.Item, entry => entry.Index + 1, StringComparer.Ordinal);
        if (column.Type is TextDataViewType)
            return;
        if (column.Type is not KeyDataViewType { RawType: var raw } || raw != typeof(uint) || ClassValues.Of(column) is not (ClassValueKind.Text, { } values))
            throw Wrong(column.Name, $"{column.Type}");
        _ofKeys = [0, .. values.Select(value => _keys.GetValueOrDefault(value))];
    }

    public string Name => _column.Name;

    public int Index => _column.Index;

    /// <summary>The check that needs no data.</summary>
    /// <exception cref="ArgumentException">The column is neither text nor a key.</exception>
    public static void Check(SchemaShape.Column column)
    {
        if (column.Kind != SchemaShape.Column.VectorKind.Scalar || !(column.IsKey || column.ItemType == TextDataViewType.Instance))
            throw Wrong(column.Name, column.GetTypeString());
    }

    /// <summary>Reads the rows' keys.</summary>
    public ZeroShotLabelReader CreateReader(DataViewRow row)
    {
        if (_ofKeys is { } known)
        {
            ValueGetter<uint> getKey = row.GetGetter<uint>(row.Schema[Index]);
            uint key = 0;
            return new(Name, () =>
            {
                getKey(ref key);
                return key == 0 ? null : key < known.Length ? known[key] : 0;
            });
        }
        ValueGetter<ReadOnlyMemory<char>> getText = row.GetGetter<ReadOnlyMemory<char>>(row.Schema[Index]);
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> keys = _keys.GetAlternateLookup<ReadOnlySpan<char>>();
        ReadOnlyMemory<char> text = default;
        return new(Name, () =>
        {
            getText(ref text);
            return text.IsEmpty ? null : keys.TryGetValue(text.Span, out int place) ? place : 0;
        });
    }

    private static ArgumentException Wrong(string name, string type)
        => new($"Column '{name}' is {type}: expected labels as text, or as a key of text as MapValueToKey makes it.", nameof(name));
}

/// <summary>One pass over a column of true labels.</summary>
/// <param name="column">Its name.</param>
/// <param name="read">The current row's key, from 1; 0 for a label that is none of the classes, null where there is no label.</param>
internal sealed class ZeroShotLabelReader(string column, Func<int?> read)
{
    private long _labels, _unknown;

    /// <summary>What to say of the rows read so far where labels are none of the classes: measures would leave these rows out. Null where all are.</summary>
    public string? Warning => _unknown == 0 ? null
        : $"{(_unknown == _labels ? "None" : $"{_unknown}")} of the {_labels} labels in column '{column}' {(_unknown == _labels ? "is one" : "are none")} of the classes: they count as missing, and measures leave their rows out. Labels must be spelt as the classes are; WithLabels changes the classes, not the column.";

    /// <summary>The current row's key, from 1; 0 for a label that is none of the classes or missing.</summary>
    public int Read()
    {
        int? key = read();
        _labels += key is null ? 0 : 1;
        _unknown += key == 0 ? 1 : 0;
        return key ?? 0;
    }
}
