using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class CrossViewEntropyTests
{
    private const double Temperature = 0.3;

    public CrossViewEntropyTests() => NativeTorch.EnsureLoaded();

    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 2)]
    [InlineData(2, 5)]
    public void It_is_the_mean_over_all_pairs_of_a_target_and_another_view(int targets, int views)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        Tensor[] scores = [.. Enumerable.Range(0, views).Select(_ => Random())];
        Tensor[] said = [.. Enumerable.Range(0, targets).Select(_ => nn.functional.softmax(Random(), 1))];
        double sum = 0;
        int terms = 0;
        for (int target = 0; target < targets; target++)
            for (int view = 0; view < views; view++)
                if (view != target)
                {
                    sum -= (said[target] * nn.functional.log_softmax(scores[view] / Temperature, 1)).sum(1).mean().item<double>();
                    terms++;
                }
        Assert.Equal(terms, CrossViewEntropy.Terms(targets, views));
        Assert.Equal(sum / terms, CrossViewEntropy.Loss(said, scores, Temperature).item<double>(), 1e-12);

        Tensor Random() => empty(4, 5, ScalarType.Float64).normal_(0, 1, generator);
    }

    [Fact]
    public void No_term_pairs_a_view_with_itself_and_targets_get_no_gradient()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(2);
        Tensor[] scores = [.. Enumerable.Range(0, 3).Select(_ => empty(4, 5, ScalarType.Float64).normal_(0, 1, generator).requires_grad_())];
        Tensor target = nn.functional.softmax(scores[0], 1);
        CrossViewEntropy.Loss([target], scores, Temperature).backward();
        Assert.Null(scores[0].grad); // neither as a prediction of its own target nor through the target
        Assert.All(scores[1..], view => Assert.True(view.grad!.abs().max().item<double>() > 0));
    }

    [Fact]
    public void Equal_scores_give_the_flat_loss()
    {
        using var scope = NewDisposeScope();
        Tensor[] scores = [zeros(3, 7, ScalarType.Float64), zeros(3, 7, ScalarType.Float64)];
        Tensor[] targets = [.. scores.Select(view => Sinkhorn.Assign(view, 0.05, 3))];
        Assert.Equal(CrossViewEntropy.FlatLoss(7), CrossViewEntropy.Loss(targets, scores, 0.1).item<double>(), 1e-12);
        Assert.Equal(8.006368, CrossViewEntropy.FlatLoss(3000), 1e-6);
    }

    [Fact]
    public void What_makes_no_pair_is_refused()
    {
        using var scope = NewDisposeScope();
        Tensor one = ones(2, 3), other = ones(2, 4);
        Assert.Throws<ArgumentException>(() => CrossViewEntropy.Loss([one], [one], 0.1));
        Assert.Throws<ArgumentException>(() => CrossViewEntropy.Loss([], [one, one], 0.1));
        Assert.Throws<ArgumentException>(() => CrossViewEntropy.Loss([one, one, one], [one, one], 0.1));
        Assert.Throws<ArgumentException>(() => CrossViewEntropy.Loss([one], [one, other], 0.1));
        Assert.Throws<ArgumentOutOfRangeException>(() => CrossViewEntropy.Loss([one], [one, one], 0));
    }
}
