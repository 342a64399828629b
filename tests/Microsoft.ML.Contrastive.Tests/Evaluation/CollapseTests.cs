using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Evaluation;

public sealed class CollapseTests
{
    [Theory]
    [InlineData(8, 3)] // as many rows as directions decide
    [InlineData(3, 8)]
    public void Effective_rank_counts_directions_of_equal_weight(int rows, int width)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(3, Collapse.EffectiveRank(eye(rows, width, ScalarType.Float64)), 6);
        Assert.Equal(1, Collapse.EffectiveRank(ones(rows, width, ScalarType.Float64)), 4);
        Assert.Equal(1, Collapse.EffectiveRank(zeros(rows, width)));
    }

    [Fact]
    public void Effective_rank_is_the_exponential_of_the_entropy_of_the_singular_values()
    {
        using var scope = NewDisposeScope();
        double[] shares = [0.5, 0.25, 0.25];
        double expected = Math.Exp(-shares.Sum(share => share * Math.Log(share)));
        Assert.Equal(expected, Collapse.EffectiveRank(diag(tensor(new double[] { 2, -1, 1 }))), 9);
    }

    [Fact]
    public void Uniformity_in_chunks_is_uniformity_over_all_pairs()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        Tensor rows = randn([5_000, 3], ScalarType.Float32, generator: generator); // more pairs than one chunk takes
        Tensor unit = nn.functional.normalize(rows.to(ScalarType.Float64));
        Tensor squared = unit.mm(unit.t()).mul(-2).add(2);
        double expected = Math.Log((squared.mul(-2).exp().sum().item<double>() - 5_000) / (5_000.0 * 4_999));
        Assert.Equal(expected, UnitSphere.Uniformity(rows).item<double>(), 5);
    }
}
