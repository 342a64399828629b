using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>Columns by their names. Where there is none, the error says which there are.</summary>
internal static class ColumnByName
{
    /// <exception cref="ArgumentException">There is no such column.</exception>
    public static DataViewSchema.Column Find(this DataViewSchema schema, string name, string argument = "name")
        => schema.GetColumnOrNull(name) ?? throw Missing(name, schema.Where(column => !column.IsHidden).Select(column => column.Name), argument);

    /// <exception cref="ArgumentException">There is no such column.</exception>
    public static SchemaShape.Column Find(this SchemaShape schema, string name, string argument = "inputSchema")
        => schema.TryFindColumn(name, out SchemaShape.Column column) ? column : throw Missing(name, schema.Select(column => column.Name), argument);

    private static ArgumentException Missing(string name, IEnumerable<string> names, string argument)
        => new($"The data has no column '{name}'. It has: {string.Join(", ", names)}.", argument);
}
