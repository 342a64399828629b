namespace Microsoft.ML.Contrastive.Tests;

public sealed class SeededRandomTests
{
    [Fact]
    public void The_same_keys_give_the_same_stream_and_other_keys_another()
    {
        var first = new SeededRandom(1, 2, 3, 4);
        var again = new SeededRandom(1, 2, 3, 4);
        var other = new SeededRandom(1, 2, 4, 3);
        ulong value = first.NextBits();
        Assert.Equal(value, again.NextBits());
        Assert.NotEqual(value, other.NextBits());
    }

    [Fact]
    public void Doubles_are_uniform_in_zero_to_one()
    {
        var random = new SeededRandom(7);
        double[] draws = [.. Enumerable.Range(0, 100_000).Select(_ => random.NextDouble())];
        Assert.All(draws, draw => Assert.InRange(draw, 0, 1 - double.Epsilon));
        Assert.Equal(0.5, draws.Average(), 0.005);
        Assert.Equal(1.0 / 12, draws.Average(draw => (draw - 0.5) * (draw - 0.5)), 0.002);
    }
}
