using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What representations must be, checked by name before native code sees them.</summary>
internal static class RowCheck
{
    public static void Matrix(Tensor rows, long atLeast, [CallerArgumentExpression(nameof(rows))] string name = "")
    {
        ArgumentNullException.ThrowIfNull(rows, name);
        if (rows.dim() != 2 || rows.shape[0] < atLeast || rows.shape[1] == 0)
            throw new ArgumentException($"{name} must be [N, D] with at least {atLeast} row(s), not [{string.Join(", ", rows.shape)}].", name);
        if (!rows.is_floating_point())
            throw new ArgumentException($"{name} must hold floating point numbers, not {rows.dtype}.", name);
    }

    public static void SameWidth(
        Tensor first, Tensor second,
        [CallerArgumentExpression(nameof(first))] string firstName = "", [CallerArgumentExpression(nameof(second))] string secondName = "")
    {
        if (first.shape[1] != second.shape[1] || first.dtype != second.dtype)
            throw new ArgumentException($"{secondName} must be [N, {first.shape[1]}] of {first.dtype} like {firstName}, not [{string.Join(", ", second.shape)}] of {second.dtype}.", secondName);
    }

    public static void Labels(Tensor labels, Tensor rows, int classes, [CallerArgumentExpression(nameof(labels))] string name = "")
    {
        ArgumentNullException.ThrowIfNull(labels, name);
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        if (labels.dtype != ScalarType.Int64 || labels.dim() != 1 || labels.shape[0] != rows.shape[0])
            throw new ArgumentException($"{name} must be [{rows.shape[0]}] of Int64, not [{string.Join(", ", labels.shape)}] of {labels.dtype}.", name);
        using var scope = NewDisposeScope();
        if (labels.min().item<long>() < 0 || labels.max().item<long>() >= classes)
            throw new ArgumentException($"{name} must be classes from 0 to {classes - 1}.", name);
    }

    public static void Positive(double value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!(value > 0 && double.IsFinite(value)))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be above 0 and finite.");
    }
}
