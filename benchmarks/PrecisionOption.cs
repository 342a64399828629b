namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>--precision, which several benchmarks take.</summary>
internal static class PrecisionOption
{
    /// <param name="text">What was given; null for single precision.</param>
    /// <param name="error">Makes the benchmark's own error.</param>
    public static Precision Parse(string? text, Func<string, Exception> error) => text is null ? Precision.Single
        : Enum.TryParse(text, ignoreCase: true, out Precision precision) && Enum.IsDefined(precision) ? precision
        : throw error($"--precision is single or bfloat16, not '{text}'.");
}
