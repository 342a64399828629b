using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests.Evaluation;

/// <summary>Features with a class in the forms that a view may have it.</summary>
internal sealed class RepresentationRow
{
    public float[] Features { get; set; } = [];

    public float[] Partner { get; set; } = [];

    public string Label { get; set; } = "";

    public int Number { get; set; }
}

internal static class RepresentationRows
{
    public const int Size = 6;

    /// <summary>Clouds around one place for each class; distance 0 leaves no class to be told.</summary>
    public static RepresentationRow[] Clouds(int count, double distance, int seed, int classes = 3)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(id =>
        {
            int kind = random.Next(classes);
            var features = new float[Size];
            for (int channel = 0; channel < Size; channel++)
                features[channel] = (float)(random.NextDouble() - 0.5 + (channel == kind ? distance : 0));
            return new RepresentationRow
            {
                Features = features, Partner = [.. features.Select(value => 2 * value)], Label = $"class {kind}", Number = kind,
            };
        })];
    }

    public static IDataView View(MLContext ml, IEnumerable<RepresentationRow> rows)
    {
        SchemaDefinition schema = SchemaDefinition.Create(typeof(RepresentationRow));
        foreach (string column in new[] { nameof(RepresentationRow.Features), nameof(RepresentationRow.Partner) })
            schema[column].ColumnType = new VectorDataViewType(NumberDataViewType.Single, Size);
        return ml.Data.LoadFromEnumerable(rows, schema);
    }
}
