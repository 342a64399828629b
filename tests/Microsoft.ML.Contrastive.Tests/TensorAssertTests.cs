using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests;

public sealed class TensorAssertTests
{
    [Fact]
    public void Close_numbers_of_the_same_shape_and_type_are_equal()
    {
        TensorAssert.Equal(tensor(new[] { 1f, 1000f }), tensor(new[] { 1.000001f, 1000.001f }));
        TensorAssert.Equal(tensor(new[] { 1L, 2L }), tensor(new[] { 1L, 2L }));
        TensorAssert.Equal(tensor(double.PositiveInfinity), tensor(double.PositiveInfinity));
    }

    [Fact]
    public void The_first_difference_is_named_by_its_index()
    {
        using Tensor expected = zeros(2, 3, 4, ScalarType.Float64), actual = zeros(2, 3, 4, ScalarType.Float64);
        actual[1, 2, 0] = tensor(1e-3);
        actual[1, 2, 3] = tensor(double.NaN);
        string message = Failure(() => TensorAssert.Equal(expected, actual));
        Assert.Contains("2 of 24 numbers", message, StringComparison.Ordinal);
        Assert.Contains("[1, 2, 0]: expected 0, got 0.001", message, StringComparison.Ordinal);
        Assert.Contains("1 of 24", Failure(() => TensorAssert.Equal(expected, actual, tolerance: 0.01)), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_shape_or_type_is_a_difference()
    {
        Assert.Contains("[2, 1]", Failure(() => TensorAssert.Equal(zeros(2), zeros(2, 1))), StringComparison.Ordinal);
        Assert.Contains("Float64", Failure(() => TensorAssert.Equal(zeros(2), zeros(2, ScalarType.Float64))), StringComparison.Ordinal);
    }

    private static string Failure(Action action) => Assert.ThrowsAny<Xunit.Sdk.XunitException>(action).Message;
}
