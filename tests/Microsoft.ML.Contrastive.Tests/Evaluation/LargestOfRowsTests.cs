using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Evaluation;

public sealed class LargestOfRowsTests
{
    public LargestOfRowsTests() => NativeTorch.EnsureLoaded();

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 7)]
    [InlineData(31, 3)]
    [InlineData(1000, 1)]
    [InlineData(1000, 20)]
    [InlineData(1003, 200)]
    [InlineData(1000, 999)]
    [InlineData(5000, 64)]
    public void The_scan_finds_what_the_native_sort_finds(int length, int k)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)length);
        Tensor numbers = empty(9, length).normal_(0, 1, generator);
        AssertSame(numbers, k);
        AssertSame(numbers.sort(1).Values, k); // each number displaces another
        AssertSame(numbers.sort(1, descending: true).Values, k); // none does
        AssertSame(numbers.mul(3).round_(), k); // many are equal, of which the earlier count; some are -0
        AssertSame(zeros_like(numbers), k);
    }

    [Fact]
    public void What_is_no_number_comes_last()
    {
        using var scope = NewDisposeScope();
        float[] numbers = [.. Enumerable.Range(0, 500).Select(i => i % 3 == 0 ? float.NaN : (float)(i * 37 % 500))];
        (Tensor values, Tensor places) = LargestOfRows.Of(tensor(numbers).unsqueeze(0), 400);
        float[] expected = [.. numbers.Where(number => !float.IsNaN(number)).OrderDescending()];
        Assert.Equal(expected, values[0].narrow(0, 0, expected.Length).data<float>().ToArray());
        Assert.All(Enumerable.Range(expected.Length, 400 - expected.Length), i => Assert.True(float.IsNaN(values[0, i].item<float>())));
        Assert.Equal(400, places[0].data<long>().Distinct().Count());
    }

    [Fact]
    public void Rows_that_do_not_lie_together_and_other_numbers_take_the_plain_way()
    {
        using var scope = NewDisposeScope();
        Tensor numbers = arange(60, ScalarType.Float32).fmod(7).view(12, 5);
        AssertSame(numbers.t(), 3);
        AssertSame(numbers.to(ScalarType.Float64), 3);
    }

    private static void AssertSame(Tensor numbers, int k)
    {
        (Tensor values, Tensor places) = LargestOfRows.Plain(numbers, k);
        (Tensor foundValues, Tensor foundPlaces) = LargestOfRows.Of(numbers, k);
        TensorAssert.Equal(values, foundValues, 0);
        TensorAssert.Equal(places, foundPlaces);
    }
}
