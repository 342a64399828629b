using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>A column of texts.</summary>
internal sealed class TextColumn
{
    private readonly string _name;

    /// <exception cref="ArgumentException">The column is missing or holds no text: the message names it.</exception>
    public TextColumn(DataViewSchema schema, string name)
    {
        _name = name;
        DataViewSchema.Column column = schema.Find(name);
        Index = column.Index;
        if (column.Type is not TextDataViewType)
            throw new ArgumentException($"Column '{name}' is {column.Type}: expected text, one to a row.", nameof(name));
    }

    public int Index { get; }

    /// <summary>Reads the current row's text, which is valid until the next is read; not for several threads.</summary>
    /// <param name="row">The row that moves.</param>
    /// <param name="emptyTexts">What is done with blank ones.</param>
    /// <returns>Given the row's number: its text, empty where it is blank or null, or an <see cref="InvalidOperationException"/>.</returns>
    public Func<long, ReadOnlyMemory<char>> CreateReader(DataViewRow row, EmptyTexts emptyTexts)
    {
        ValueGetter<ReadOnlyMemory<char>> get = row.GetGetter<ReadOnlyMemory<char>>(row.Schema[Index]);
        ReadOnlyMemory<char> value = default;
        return position =>
        {
            get(ref value);
            if (!value.Span.IsWhiteSpace())
                return value;
            return emptyTexts == EmptyTexts.Encode ? ReadOnlyMemory<char>.Empty
                : throw new InvalidOperationException($"Row {position} of column '{_name}' has no text. Filter such rows out, or set EmptyTexts to EmptyTexts.Encode.");
        };
    }
}
