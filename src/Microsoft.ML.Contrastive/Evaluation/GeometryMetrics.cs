namespace Microsoft.ML.Contrastive;

/// <summary>How representations lie in space: measured without labels.</summary>
public sealed class GeometryMetrics
{
    internal GeometryMetrics()
    {
    }

    /// <summary>See <see cref="UnitSphere.Uniformity"/>: 0 where all rows are equal, towards -4 where they spread evenly.</summary>
    public required double Uniformity { get; init; }

    /// <summary>See <see cref="UnitSphere.Alignment"/>: 0 where partners coincide. Null where no column of partners was named.</summary>
    public required double? Alignment { get; init; }

    /// <summary>See <see cref="Collapse.EmbeddingDeviation"/>: near 1 is healthy, near 0 is collapsed.</summary>
    public required double EmbeddingDeviation { get; init; }

    /// <summary>See <see cref="Collapse.EffectiveRank"/>: from 1 to <see cref="FeatureSize"/>.</summary>
    public required double EffectiveRank { get; init; }

    /// <summary>D.</summary>
    public required int FeatureSize { get; init; }

    /// <summary>Rows that were measured.</summary>
    public required int Rows { get; init; }
}
