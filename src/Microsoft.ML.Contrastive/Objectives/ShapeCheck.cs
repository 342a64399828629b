using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Shapes are checked here, by name, before they reach native code.</summary>
internal static class ShapeCheck
{
    public static void Matrix(Tensor rows, [CallerArgumentExpression(nameof(rows))] string name = "")
    {
        if (rows.dim() != 2 || rows.numel() == 0)
            throw new ArgumentException($"{name} must be [N, D] with at least one number, not {Print(rows)}.", name);
    }

    public static void Scalar(Tensor value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (value.numel() != 1)
            throw new ArgumentException($"{name} must be one number, not {Print(value)}.", name);
    }

    public static void SameMatrices(
        Tensor first, Tensor second,
        [CallerArgumentExpression(nameof(first))] string firstName = "", [CallerArgumentExpression(nameof(second))] string secondName = "")
    {
        if (first.dim() != 2 || !first.shape.AsSpan().SequenceEqual(second.shape))
            throw new ArgumentException($"{firstName} and {secondName} must both be [N, D], not {Print(first)} and {Print(second)}.", secondName);
        if (first.shape[0] == 0)
            throw new ArgumentException($"{firstName} has no rows.", firstName);
    }

    public static void SameWidth(
        Tensor first, Tensor second,
        [CallerArgumentExpression(nameof(first))] string firstName = "", [CallerArgumentExpression(nameof(second))] string secondName = "")
    {
        if (first.dim() != 2 || first.shape[0] == 0)
            throw new ArgumentException($"{firstName} must be [N, D] with rows, not {Print(first)}.", firstName);
        if (second.dim() != 2 || second.shape[1] != first.shape[1])
            throw new ArgumentException($"{secondName} must be [K, {first.shape[1]}] like {firstName}, not {Print(second)}.", secondName);
    }

    /// <summary>[rows] of int64, or [rows, 2 and more].</summary>
    public static void Indices(Tensor indices, long rows, bool columns = false, [CallerArgumentExpression(nameof(indices))] string name = "")
    {
        bool fits = columns ? indices.dim() == 2 && indices.shape[1] >= 2 : indices.dim() == 1;
        if (!fits || indices.shape[0] != rows || indices.dtype != ScalarType.Int64)
            throw new ArgumentException($"{name} must be [{rows}{(columns ? ", 1 + m" : "")}] of int64, not {Print(indices)} of {indices.dtype}.", name);
    }

    public static void Positive(double temperature, [CallerArgumentExpression(nameof(temperature))] string name = "")
    {
        if (!(temperature > 0 && double.IsFinite(temperature)))
            throw new ArgumentOutOfRangeException(name, temperature, "A temperature must be above 0.");
    }

    private static string Print(Tensor tensor) => $"[{string.Join(", ", tensor.shape)}]";
}
