using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>A column of numbers that people gave.</summary>
internal static class ScoreColumn
{
    /// <exception cref="ArgumentException">The column is missing, or holds no single numbers.</exception>
    /// <exception cref="InvalidOperationException">A number is missing or infinite.</exception>
    public static double[] Read(IDataView data, string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        DataViewSchema.Column column = data.Schema.Find(name);
        var scores = new List<double>();
        using DataViewRowCursor cursor = data.GetRowCursor([column]);
        Func<double> read = column.Type switch
        {
            NumberDataViewType { RawType: var type } when type == typeof(float) => Reader<float>(cursor, column, value => value),
            NumberDataViewType { RawType: var type } when type == typeof(double) => Reader<double>(cursor, column, value => value),
            NumberDataViewType { RawType: var type } when type == typeof(int) => Reader<int>(cursor, column, value => value),
            _ => throw new ArgumentException($"Column '{name}' is {column.Type}: expected Single, Double or Int32.", nameof(name)),
        };
        while (cursor.MoveNext())
        {
            double score = read();
            if (!double.IsFinite(score))
                throw new InvalidOperationException($"Row {scores.Count} of column '{name}' is {score}: filter such rows out.");
            scores.Add(score);
        }
        return [.. scores];
    }

    private static Func<double> Reader<T>(DataViewRow row, DataViewSchema.Column column, Func<T, double> convert)
    {
        ValueGetter<T> get = row.GetGetter<T>(column);
        T value = default!;
        return () =>
        {
            get(ref value);
            return convert(value);
        };
    }
}
