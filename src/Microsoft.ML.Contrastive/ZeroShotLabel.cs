using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>A column of true labels, by the keys of a zero-shot classifier.</summary>
internal sealed class ZeroShotLabel
{
    private readonly DataViewSchema.Column _column;
    private readonly Dictionary<string, int> _keys;
    private readonly int[]? _ofKeys;
    private readonly ReaderTally _unknown = new();

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

    /// <summary>Gives the current row's key, from 1; 0 for a label that is none of the classes, which is counted, or where there is none. <see cref="End"/> ends it.</summary>
    public Func<int> CreateReader(DataViewRow row)
    {
        _unknown.Begin();
        if (_ofKeys is { } known)
        {
            ValueGetter<uint> getKey = row.GetGetter<uint>(row.Schema[Index]);
            uint key = 0;
            return () =>
            {
                getKey(ref key);
                return key == 0 ? 0 : Counted(key < known.Length ? known[key] : 0);
            };
        }
        ValueGetter<ReadOnlyMemory<char>> getText = row.GetGetter<ReadOnlyMemory<char>>(row.Schema[Index]);
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> keys = _keys.GetAlternateLookup<ReadOnlySpan<char>>();
        ReadOnlyMemory<char> text = default;
        return () =>
        {
            getText(ref text);
            return text.IsEmpty ? 0 : Counted(keys.TryGetValue(text.Span, out int place) ? place : 0);
        };
    }

    /// <summary>Ends a reader.</summary>
    /// <returns>With the last of them, what to say of labels that are none of the classes: measures would leave their rows out. Null where all are.</returns>
    public string? End()
    {
        (long unknown, long labels) = _unknown.End();
        return unknown == 0 ? null
            : $"{(unknown == labels ? "None" : $"{unknown}")} of the {labels} labels in column '{Name}' {(unknown == labels ? "is one" : "are none")} of the classes: they count as missing, and measures leave their rows out. Labels must be spelt as the classes are; WithLabels changes the classes, not the column.";
    }

    private int Counted(int key)
    {
        _unknown.Count(key == 0);
        return key;
    }

    private static ArgumentException Wrong(string name, string type)
        => new($"Column '{name}' is {type}: expected labels as text, or as a key of text as MapValueToKey makes it.", nameof(name));
}
