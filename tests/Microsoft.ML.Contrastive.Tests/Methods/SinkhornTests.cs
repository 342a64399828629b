using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class SinkhornTests
{
    public SinkhornTests() => NativeTorch.EnsureLoaded();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(200)]
    public void Rows_sum_to_one_after_any_iteration_and_columns_tend_to_their_share(int iterations)
    {
        using var scope = NewDisposeScope();
        Tensor assigned = Sinkhorn.Assign(Scores(12, 5), 0.2, iterations);
        TensorAssert.Equal(ones(12, ScalarType.Float64), assigned.sum(1));
        Tensor columns = assigned.sum([0]);
        Assert.Equal(12, columns.sum().item<double>(), 1e-9);
        if (iterations == 200)
            TensorAssert.Equal(full(5, 12.0 / 5, ScalarType.Float64), columns, 1e-6);
    }

    [Fact]
    public void It_does_what_the_paper_does_without_logarithms()
    {
        using var scope = NewDisposeScope();
        Tensor scores = Scores(6, 4);
        Tensor q = scores.div(0.3).exp().t(); // [K, N], as published
        q = q / q.sum();
        for (int iteration = 0; iteration < 3; iteration++)
        {
            q = q / q.sum(1, keepdim: true) / 4;
            q = q / q.sum(0, keepdim: true) / 6;
        }
        TensorAssert.Equal((q * 6).t(), Sinkhorn.Assign(scores, 0.3, 3));
    }

    [Fact]
    public void Scores_far_from_a_cosine_stay_finite_in_single_precision_and_no_gradient_flows()
    {
        using var scope = NewDisposeScope();
        Tensor scores = Scores(8, 3).to(ScalarType.Float32).mul(100).detach().requires_grad_();
        Tensor assigned = Sinkhorn.Assign(scores, 0.05, 3);
        Assert.True(assigned.isfinite().all().item<bool>());
        Assert.False(assigned.requires_grad);
        TensorAssert.Equal(ones(8), assigned.sum(1));
    }

    [Fact]
    public void Further_rows_take_part_in_the_balance_and_get_no_assignment()
    {
        using var scope = NewDisposeScope();
        Tensor scores = Scores(4, 3), further = Scores(9, 3, seed: 2);
        Tensor both = Sinkhorn.Assign(cat([scores, further], 0), 0.3, 3), assigned = Sinkhorn.Assign(scores, 0.3, 3, further);
        TensorAssert.Equal(both[..4], assigned);
        Assert.True((assigned - Sinkhorn.Assign(scores, 0.3, 3)).abs().max().item<double>() > 1e-3);
    }

    [Fact]
    public void Bad_shapes_and_numbers_are_refused_by_name()
    {
        using var scope = NewDisposeScope();
        Assert.Throws<ArgumentException>("scores", () => Sinkhorn.Assign(zeros(3), 0.05, 3));
        Assert.Throws<ArgumentException>("scores", () => Sinkhorn.Assign(zeros(0, 3), 0.05, 3));
        Assert.Throws<ArgumentException>("further", () => Sinkhorn.Assign(zeros(2, 3), 0.05, 3, zeros(2, 4)));
        Assert.Throws<ArgumentOutOfRangeException>("epsilon", () => Sinkhorn.Assign(zeros(2, 3), 0, 3));
        Assert.Throws<ArgumentOutOfRangeException>("iterations", () => Sinkhorn.Assign(zeros(2, 3), 0.05, 0));
    }

    private static Tensor Scores(long rows, long prototypes, ulong seed = 1)
    {
        using var generator = new Generator(seed);
        return empty(rows, prototypes, ScalarType.Float64).uniform_(-1, 1, generator);
    }
}
