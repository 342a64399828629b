namespace Microsoft.ML.Contrastive;

/// <summary>Left becomes right.</summary>
internal static class HorizontalFlip
{
    /// <summary>Reverses each row of <paramref name="width"/> numbers, in place.</summary>
    public static void Apply(Span<float> planes, int width)
    {
        for (; planes.Length > 0; planes = planes[width..])
            planes[..width].Reverse();
    }
}
