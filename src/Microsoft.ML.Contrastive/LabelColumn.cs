using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A column of classes, by what its values read as, so that keys of two views that number the same values differently agree. Classes that
/// have not been met are added to the list that was given.
/// </summary>
internal sealed class LabelColumn
{
    private const string Text = "Label as text"; // no view's own column: ours comes last and hides none
    private readonly string _argument, _name;
    private readonly List<string> _classes;
    private readonly Dictionary<string, int> _places;

    /// <exception cref="ArgumentException">The column is missing or of another type.</exception>
    public LabelColumn(IHostEnvironment environment, IDataView data, string argument, string name, List<string> classes)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        (_argument, _name, _classes) = (argument, name, classes);
        _places = classes.Index().ToDictionary(entry => entry.Item, entry => entry.Index);
        DataViewSchema.Column column = data.Schema.Find(name, argument);
        if (column.Type is VectorDataViewType or not (KeyDataViewType or TextDataViewType or NumberDataViewType or BooleanDataViewType))
            throw new ArgumentException($"Column '{name}' is {column.Type}: expected a key, text, a number or a truth value.", argument);
        string source = name;
        if (column.Type is KeyDataViewType && column.HasKeyValues())
        {
            data = new KeyToValueMappingEstimator(environment, Text, name).Fit(data).Transform(data);
            source = Text;
        }
        View = new TypeConvertingEstimator(environment, Text, source, DataKind.String).Fit(data).Transform(data);
    }

    /// <summary>The data with the text of the label as one more column.</summary>
    public IDataView View { get; }

    /// <summary>That column.</summary>
    public DataViewSchema.Column Column => View.Schema[Text];

    /// <summary>Each row's place among the classes; a row without a label is an error.</summary>
    public RowLabels Rows => new(_name, Column, IsNeeded: false, CreateReader);

    /// <summary>The current row's place among the classes; give the row's number, for messages.</summary>
    /// <exception cref="InvalidOperationException">The row has no label.</exception>
    public Func<long, long> CreateReader(DataViewRow row)
    {
        ValueGetter<ReadOnlyMemory<char>> getText = row.GetGetter<ReadOnlyMemory<char>>(Column);
        ReadOnlyMemory<char> text = default;
        return number =>
        {
            getText(ref text);
            if (text.IsEmpty)
                throw new InvalidOperationException($"Column '{_name}' has no value in row {number} of {_argument}: filter such rows out.");
            return Place(text.ToString());
        };
    }

    private int Place(string name)
    {
        if (!_places.TryGetValue(name, out int place))
        {
            place = _places[name] = _classes.Count;
            _classes.Add(name);
        }
        return place;
    }
}
