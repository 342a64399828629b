namespace Microsoft.ML.Contrastive;

/// <summary>Ranges of settings that several methods have under the same names, which are the exceptions' parameter names.</summary>
internal static class SettingChecks
{
    /// <summary>A projector of <paramref name="layers"/> linear layers; null is a size that is filled later.</summary>
    public static void Projector(int? layers, int? hiddenSize, int? projectionSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers ?? 1, 1, "ProjectorLayers");
        ArgumentOutOfRangeException.ThrowIfLessThan(hiddenSize ?? 1, 1, "HiddenSize");
        ArgumentOutOfRangeException.ThrowIfLessThan(projectionSize ?? 2, 2, "ProjectionSize");
    }

    /// <summary>m of a momentum target; null is filled later.</summary>
    public static void Momentum(double? momentum, string name = nameof(Momentum))
    {
        if (momentum is < 0 or > 1 or double.NaN)
            throw new ArgumentOutOfRangeException(name, momentum, "The momentum must be from 0 to 1.");
    }
}
