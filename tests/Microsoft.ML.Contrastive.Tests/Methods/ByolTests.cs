using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class ByolTests
{
    [Theory]
    [InlineData(HeadNorm.Batch)]
    [InlineData(HeadNorm.None)]
    public void No_gradient_reaches_the_target_and_every_online_weight_has_one(HeadNorm norm)
    {
        using var run = new MethodRun(new Byol { HeadNorm = norm, OutputBias = true });
        Dictionary<string, Tensor> gradients = run.Gradients();
        Assert.Equal(
            run.Learner.named_parameters().Select(entry => entry.name).Where(name => !name.StartsWith("target_", StringComparison.Ordinal)).Order(),
            gradients.Keys.Order());
        bool hasNorm = run.State().Keys.Any(name => name.StartsWith("projector.1.running", StringComparison.Ordinal));
        Assert.Equal(norm == HeadNorm.Batch, hasNorm);
    }

    [Fact]
    public void The_target_follows_the_step_with_a_momentum_that_rises_to_one()
    {
        const int steps = 4;
        using var run = new MethodRun(new Byol { Momentum = 0.5 }, steps: steps);
        Dictionary<string, Tensor> expected = run.State();
        for (int step = 0; step < steps; step++)
        {
            run.Step();
            Dictionary<string, Tensor> now = run.State();
            double momentum = 1 - 0.5 * (Math.Cos(Math.PI * step / steps) + 1) / 2;
            foreach (string name in now.Keys.Where(name => name.StartsWith("target_", StringComparison.Ordinal) && !name.Contains("running_", StringComparison.Ordinal)))
            {
                expected[name] = momentum * expected[name] + (1 - momentum) * now[name["target_".Length..]];
                TensorAssert.Equal(expected[name], now[name]);
            }
        }
    }

    [Fact]
    public void The_target_starts_as_a_copy_or_with_weights_of_its_own_that_need_no_gradient()
    {
        foreach (bool asCopy in new[] { true, false })
        {
            using var run = new MethodRun(new Byol { TargetStartsAsCopy = asCopy });
            Dictionary<string, Tensor> state = run.State();
            Assert.Equal(asCopy, state["projector.0.weight"].equal(state["target_projector.0.weight"]).all().item<bool>());
            Assert.All(run.Learner.MomentumPairs, pair => Assert.All(pair.Target.parameters(), parameter => Assert.False(parameter.requires_grad)));
        }
    }

    [Theory]
    [InlineData(1_000, 0.97)]
    [InlineData(20_000, 0.99)]
    [InlineData(300_000, 0.996)]
    public void A_shorter_run_has_a_quicker_target(long steps, double momentum)
        => Assert.Equal(momentum, ((Byol)new Byol().Resolve(new RunFacts(50_000, 256, steps, 32, 32, 3, 512))).Momentum);

    [Fact]
    public void Its_views_differ_and_have_no_blur_when_small()
    {
        IReadOnlyList<ImageAugmentation> small = Resolve(32), large = Resolve(224);
        Assert.Equal([ImageAugmentations.ByolFirst, ImageAugmentations.ByolSecond], large);
        Assert.All(small, view => Assert.Null(view.Blur));
        Assert.Equal([null, 0.2], small.Select(view => view.Solarize?.Probability));

        static IReadOnlyList<ImageAugmentation> Resolve(int size) => new Byol().Resolve(new RunFacts(1000, 32, 100, size, size, 3, 64)).Augmentations!;
    }

    [Fact]
    public void Batches_of_one_are_refused_where_batch_norm_needs_more()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Byol().Validate(1));
        new Byol { HeadNorm = HeadNorm.None }.Validate(1);
    }
}
