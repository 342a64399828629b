using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>A column of true labels, by the keys of a zero-shot classifier.</summary>
internal sealed class ZeroShotLabel
{
    private readonly DataViewSchema.Column _column;
    private readonly Dictionary<string, int> _keys;
    private readonly int[]? _ofKeys;
    private long _labels, _unknown;
    private int _readers;

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
        Interlocked.Increment(ref _readers);
        if (_ofKeys is { } known)
        {
            ValueGetter<uint> getKey = row.GetGetter<uint>(row.Schema[Index]);
            uint key = 0;
            return new(this, () =>
            {
                getKey(ref key);
                return key == 0 ? null : key < known.Length ? known[key] : 0;
            });
        }
        ValueGetter<ReadOnlyMemory<char>> getText = row.GetGetter<ReadOnlyMemory<char>>(row.Schema[Index]);
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> keys = _keys.GetAlternateLookup<ReadOnlySpan<char>>();
        ReadOnlyMemory<char> text = default;
        return new(this, () =>
        {
            getText(ref text);
            return text.IsEmpty ? null : keys.TryGetValue(text.Span, out int place) ? place : 0;
        });
    }

    /// <param name="key">What a reader read.</param>
    public void Count(int? key)
    {
        if (key is null)
            return;
        Interlocked.Increment(ref _labels);
        if (key == 0)
            Interlocked.Increment(ref _unknown);
    }

    /// <summary>Ends a reader; a cursor has two.</summary>
    /// <returns>With the last of them, what to say of labels that are none of the classes: measures would leave their rows out. Null where all are.</returns>
    public string? End()
    {
        if (Interlocked.Decrement(ref _readers) > 0)
            return null;
        long labels = Interlocked.Exchange(ref _labels, 0), unknown = Interlocked.Exchange(ref _unknown, 0);
        return unknown == 0 ? null
            : $"{(unknown == labels ? "None" : $"{unknown}")} of the {labels} labels in column '{Name}' {(unknown == labels ? "is one" : "are none")} of the classes: they count as missing, and measures leave their rows out. Labels must be spelt as the classes are; WithLabels changes the classes, not the column.";
    }

    private static ArgumentException Wrong(string name, string type)
        => new($"Column '{name}' is {type}: expected labels as text, or as a key of text as MapValueToKey makes it.", nameof(name));
}

/// <summary>One reader of a column of true labels.</summary>
/// <param name="label">The column, which counts for all its readers.</param>
/// <param name="read">The current row's key, from 1; 0 for a label that is none of the classes, null where there is no label.</param>
internal sealed class ZeroShotLabelReader(ZeroShotLabel label, Func<int?> read)
{
    /// <summary>The current row's key, from 1; 0 for a label that is none of the classes or missing.</summary>
    public int Read()
    {
        int? key = read();
        label.Count(key);
        return key ?? 0;
    }
}
