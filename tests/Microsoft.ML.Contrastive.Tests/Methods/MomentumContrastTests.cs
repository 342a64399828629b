using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class MomentumContrastTests
{
    public static TheoryData<ContrastiveMethod> Versions =>
    [
        new MoCoV1 { QueueLength = 20, Momentum = 0.9 },
        new MoCoV2 { QueueLength = 20, Momentum = 0.9 },
    ];

    [Fact]
    public void Version_1_has_one_linear_layer_a_lower_temperature_and_views_without_blur()
    {
        using var run = new MethodRun(new MoCoV1());
        Assert.Equal(["projector.0.weight", "projector.0.bias"], run.State().Keys.Where(name => name.StartsWith("projector.", StringComparison.Ordinal)));
        Assert.Equal((0.07, 0.2), (new MoCoV1().Temperature, new MoCoV2().Temperature));
        Assert.All(run.Method.Augmentations!, view => Assert.Equal(ImageAugmentations.MoCoV1, view));
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void No_gradient_reaches_keys_or_queue_and_every_online_weight_has_one(ContrastiveMethod method)
    {
        using var run = new MethodRun(method);
        string[] reached = [.. run.Gradients().Keys];
        Assert.DoesNotContain(reached, name => name.StartsWith("target_", StringComparison.Ordinal) || name.StartsWith("queue", StringComparison.Ordinal));
        Assert.Equal(run.Learner.named_parameters().Select(entry => entry.name).Where(name => !name.StartsWith("target_", StringComparison.Ordinal)).Order(), reached.Order());
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void The_momentum_network_follows_before_the_loss_and_its_keys_enter_the_queue_after_it(ContrastiveMethod method)
    {
        using var run = new MethodRun(method);
        Dictionary<string, Tensor> expected = run.State(), before = expected;
        for (int step = 0; step < 3; step++)
        {
            foreach (string name in expected.Keys.Where(name => name.StartsWith("target_", StringComparison.Ordinal) && IsWeight(name)))
                expected[name] = 0.9 * expected[name] + 0.1 * before[name["target_".Length..]];
            run.Step();
            before = run.State();
        }
        Assert.All(
            before.Where(entry => entry.Key.StartsWith("target_", StringComparison.Ordinal) && IsWeight(entry.Key)),
            entry => TensorAssert.Equal(expected[entry.Key], entry.Value));

        // Three batches of 8 keys in 20 places: the third has wrapped, and only what nobody overwrote is still random.
        Assert.Equal(4, before["queue.pointer"].item<long>());
        TensorAssert.Equal(ones(20, ScalarType.Float64), before["queue.keys"].norm(1), 1e-6);
        Assert.Equal(20, run.Learner.FlatLoss(MethodRun.BatchSize) is { } flat ? Math.Round(Math.Exp(flat)) - 1 : 0);

        static bool IsWeight(string name) => !name.Contains("running_", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(256, 8)]
    [InlineData(64, 4)]
    [InlineData(33, 2 + 1)] // groups of 11: none leaves 16 rows
    [InlineData(24, 6)]
    [InlineData(255, 5)]
    [InlineData(8, 2)]
    [InlineData(7, 1)]
    [InlineData(31, 1)]
    public void Statistics_are_of_groups_wherever_the_batch_has_a_divisor(int batch, int groups)
        => Assert.Equal(groups, ((MoCoV2)new MoCoV2().Resolve(new RunFacts(1000, batch, 100, 32, 32, 3, 8))).NormGroups);

    [Fact]
    public void Both_directions_meet_the_queue_as_it_was_and_both_views_keys_enter_it()
    {
        var method = new MoCoV2 { QueueLength = 20, Momentum = 0.9, NormGroups = 1 }; // each direction has a shuffle of its own
        using var one = new MethodRun(method);
        using var both = new MethodRun(method with { Symmetric = true });
        Contrastive.Views views = one.RandomViews();
        var turned = new Contrastive.Views(views[1], views[0]) { RowIndices = views.RowIndices };
        Tensor there = one.Learner.Loss(views, new Step(0, 10, seed: 1)), back = one.Learner.Loss(turned, new Step(0, 10, seed: 1));
        TensorAssert.Equal(there.Plus(back).Over(2), both.Learner.Loss(views, new Step(0, 10, seed: 1)), 1e-12);
        both.Step(views);
        Assert.Equal(16, both.State()["queue.pointer"].item<long>());
        Assert.Equal(0, one.State()["queue.pointer"].item<long>());
    }
}
