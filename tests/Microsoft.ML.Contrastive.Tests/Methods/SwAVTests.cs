using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class SwAVTests
{
    private static readonly SwAV s_plain = new() { Prototypes = 6, QueueLength = 0, FrozenPrototypeSteps = 0 };

    [Fact]
    public void Prototypes_are_unit_in_each_loss_and_move_only_when_they_are_let_go()
    {
        using var run = new MethodRun(s_plain with { FrozenPrototypeSteps = 2, Optimizer = new AdamW { WeightDecay = 0.5 } }, optimizer: new AdamW { WeightDecay = 0.5 });
        Tensor before = run.State()["prototypes.weight"], encoder = run.State()["encoder.0.weight"];
        TensorAssert.Equal(ones(6, ScalarType.Float64), before.norm(1), 1e-6);
        for (int step = 0; step < 2; step++)
        {
            run.Step();
            TensorAssert.Equal(before, run.State()["prototypes.weight"], 1e-6); // made unit again, without decay
        }
        Assert.False(encoder.equal(run.State()["encoder.0.weight"]).all().item<bool>());

        run.Step();
        Tensor moved = run.State()["prototypes.weight"];
        Assert.True((moved - before).abs().max().item<double>() > 1e-3);
        run.Learner.Loss(run.RandomViews(), new Step(3, 10, seed: 1));
        TensorAssert.Equal(nn.functional.normalize(moved), run.State()["prototypes.weight"]);
    }

    [Fact]
    public void Every_weight_has_a_gradient_that_of_the_prototypes_included()
    {
        using var run = new MethodRun(s_plain);
        Assert.Equal(run.Learner.named_parameters().Select(entry => entry.name).Where(name => !IsBiasBeforeNorm(name)).Order(), run.Gradients().Keys.Where(name => !IsBiasBeforeNorm(name)).Order());

        // Batch norm takes the mean away, and a bias before it with the mean.
        static bool IsBiasBeforeNorm(string name) => name == "projector.0.bias";
    }

    [Fact]
    public void The_queue_is_used_from_its_step_once_it_is_full_and_what_enters_is_unit()
    {
        using var run = new MethodRun(s_plain with { QueueLength = 2 * MethodRun.BatchSize, QueueStartStep = 3 });
        using var without = new MethodRun(s_plain);
        CopyTo(run, without);
        for (int step = 0; step < 5; step++)
        {
            Contrastive.Views views = run.RandomViews();
            Tensor newest = run.State()["queue1.keys"];
            Assert.Equal(step < 3, Math.Abs(run.Step(views) - without.Step(views)) < 1e-9);
            Tensor now = run.State()["queue1.keys"];
            TensorAssert.Equal(ones(16, ScalarType.Float64), now.norm(1), 1e-6);
            Assert.False(newest.equal(now).all().item<bool>());
            Assert.False(now.equal(run.State()["queue2.keys"]).all().item<bool>());
        }

        // Never before it holds projections alone.
        using var early = new MethodRun(s_plain with { QueueLength = 2 * MethodRun.BatchSize, QueueStartStep = 0 });
        using var plain = new MethodRun(s_plain);
        CopyTo(early, plain);
        for (int step = 0; step < 4; step++)
        {
            Contrastive.Views views = early.RandomViews();
            Assert.Equal(step < 2, Math.Abs(early.Step(views) - plain.Step(views)) < 1e-9);
        }
    }

    [Fact]
    public void Small_views_are_predicted_and_never_assigned()
    {
        using var run = new MethodRun(s_plain);
        using var same = new MethodRun(s_plain);
        CopyTo(run, same);
        Tensor large = run.RandomViews()[0], other = run.RandomViews()[0], small = run.RandomViews()[0].narrow(2, 0, 4).narrow(3, 0, 4);
        double two = run.Learner.Loss(new Contrastive.Views(large, other), new Step(0, 10, 1)).item<double>();
        double three = same.Learner.Loss(new Contrastive.Views(large, other, small), new Step(0, 10, 1)).item<double>();
        Assert.NotEqual(two, three);

        // Two pairs of large views and two predictions from the small one: taking the small one twice adds its part once more.
        using var again = new MethodRun(s_plain);
        CopyTo(run, again);
        double alone = again.Learner.Loss(new Contrastive.Views(large, other, small, small), new Step(0, 10, 1)).item<double>();
        double part = 4 * three - 2 * two;
        Assert.Equal((2 * two + 2 * part) / 6, alone, 1e-9);
    }

    [Theory]
    [InlineData(60_000, 256, 300, 256)]
    [InlineData(20_000, 256, 100, 0)]
    [InlineData(64, 32, 10, 0)]
    [InlineData(5, 4, 5, 4)]
    [InlineData(1_281_167, 256, 3000, 3584)]
    public void Prototypes_and_queue_fit_the_rows_and_the_batch(long rows, int batch, int prototypes, int queue)
    {
        var method = (SwAV)new SwAV().ResolveFully(new RunFacts(rows, batch, 1000, 32, 32, 3, 64));
        Assert.Equal((prototypes, queue), (method.Prototypes, method.QueueLength));
    }

    [Fact]
    public void Its_first_steps_are_an_epoch_and_fifteen_or_a_tenth_of_a_short_run()
    {
        Assert.Equal((100L, 1500L), Steps(100_000));
        Assert.Equal((50L, 50L), Steps(500));

        static (long?, long?) Steps(long total)
        {
            var method = (SwAV)new SwAV().Resolve(new RunFacts(25_600, 256, total, 32, 32, 3, 64));
            return (method.FrozenPrototypeSteps, method.QueueStartStep);
        }
    }

    [Fact]
    public void More_prototypes_than_rows_are_refused_before_training()
    {
        var error = Assert.Throws<ArgumentException>("Prototypes", () => new SwAV { Prototypes = 65 }.Resolve(new RunFacts(64, 32, 10, 32, 32, 3, 64)));
        Assert.Contains("64 rows", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void It_trains_through_the_estimator_on_views_of_three_sizes()
    {
        var ml = new MLContext(1);
        IDataView data = ml.View(Pictures.Make(64));
        ImageAugmentation global = ImageAugmentations.SwavGlobal with { Blur = null }, local = ImageAugmentations.SwavLocal with { Blur = null };
        var method = new SwAV { Augmentations = [global, global, .. Enumerable.Repeat(local with { Size = 8 }, 3), local with { Size = 9 }] };
        using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", method, ImageEncoder.SmallConvNet(4), new TrainingOptions { Steps = 4, BatchSize = 32 }, Pictures.Shape()).Fit(data);
        Assert.All(encoder.Transform(data).Features(), row => Assert.All(row, number => Assert.True(float.IsFinite(number))));
    }

    private static void CopyTo(MethodRun from, MethodRun to)
    {
        using var noGradient = no_grad();
        Dictionary<string, Tensor> state = from.State();
        foreach ((string name, Tensor value) in to.Learner.state_dict())
            value.copy_(state[name]);
    }
}
