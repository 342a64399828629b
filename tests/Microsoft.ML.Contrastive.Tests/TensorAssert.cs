using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>The one way in which tests compare tensors.</summary>
internal static class TensorAssert
{
    /// <summary>Same type of number, same shape, and every number within a tolerance relative to max(1, |expected|); NaN equals nothing.</summary>
    /// <param name="expected">Of any device.</param>
    /// <param name="actual">Of any device.</param>
    /// <param name="tolerance">Null: 1e-10 in double precision, 1e-5 in single, 1e-2 in half; whole numbers and truth values must be equal.</param>
    public static void Equal(Tensor expected, Tensor actual, double? tolerance = null)
    {
        Assert.True(expected.dtype == actual.dtype, $"Expected {expected.dtype}, got {actual.dtype}.");
        Assert.True(expected.shape.AsSpan().SequenceEqual(actual.shape), $"Expected shape {Show(expected.shape)}, got {Show(actual.shape)}.");
        double limit = tolerance ?? DefaultTolerance(expected.dtype);
        double[] wanted = Numbers(expected), given = Numbers(actual);
        int[] wrong = [.. Enumerable.Range(0, wanted.Length)
            .Where(i => !(wanted[i] == given[i] || Math.Abs(wanted[i] - given[i]) <= limit * Math.Max(1, Math.Abs(wanted[i]))))];
        if (wrong.Length > 0)
            Assert.Fail(string.Create(CultureInfo.InvariantCulture,
                $"{wrong.Length} of {wanted.Length} numbers differ by more than {limit}; first at {Show(Index(wrong[0], expected.shape))}: expected {wanted[wrong[0]]}, got {given[wrong[0]]}."));
    }

    private static double DefaultTolerance(ScalarType type) => type switch
    {
        ScalarType.Float64 => 1e-10,
        ScalarType.Float32 => 1e-5,
        ScalarType.Float16 or ScalarType.BFloat16 => 1e-2,
        _ => 0,
    };

    private static double[] Numbers(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().cpu().to(ScalarType.Float64).contiguous().data<double>().ToArray();
    }

    private static long[] Index(long offset, long[] shape)
    {
        var index = new long[shape.Length];
        for (int axis = shape.Length - 1; axis >= 0; offset /= shape[axis--])
            index[axis] = offset % shape[axis];
        return index;
    }

    private static string Show(long[] numbers) => $"[{string.Join(", ", numbers)}]";
}
