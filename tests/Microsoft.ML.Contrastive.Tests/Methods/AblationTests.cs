using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

/// <summary>What papers leave out to show what it is for.</summary>
public sealed class AblationTests
{
    [Fact]
    public void Without_its_stop_SimSiam_sends_a_gradient_into_both_sides()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        foreach (bool stops in new[] { true, false })
        {
            using var random = new Generator(1);
            Tensor prediction = empty(4, 3).normal_(0, 1, random).requires_grad_(), target = empty(4, 3).normal_(0, 1, random).requires_grad_();
            NegativeCosine.Loss(prediction, target, stops).backward();
            Assert.Equal(stops, target.grad is null);
            Assert.True(prediction.grad!.abs().sum().item<float>() > 0);
        }
    }

    [Fact]
    public void The_same_step_of_SimSiam_has_the_same_loss_but_another_gradient_without_the_stop()
    {
        Dictionary<string, Tensor>[] gradients = [.. new[] { true, false }.Select(stops =>
        {
            using var run = new MethodRun(new SimSiam { StopsGradient = stops });
            return run.Gradients().ToDictionary(entry => entry.Key, entry => entry.Value.clone().DetachFromDisposeScope());
        })];
        Assert.Equal(gradients[0].Keys.Order(), gradients[1].Keys.Order());
        Assert.True(gradients[0]["predictor.0.weight"].allclose(gradients[1]["predictor.0.weight"])); // it lies in front of no stop
        Assert.False(gradients[0]["encoder.0.weight"].allclose(gradients[1]["encoder.0.weight"]));
        foreach (Tensor gradient in gradients.SelectMany(each => each.Values))
            gradient.Dispose();
    }

    [Fact]
    public void SimClr_without_projector_contrasts_the_features_themselves()
    {
        using var run = new MethodRun(new SimClrV1 { ProjectorLayers = 0 });
        Assert.All(run.State().Keys, name => Assert.StartsWith("encoder.", name, StringComparison.Ordinal));
        Contrastive.Views views = run.RandomViews();
        Tensor both = run.Learner.Encoder.forward(cat([views[0], views[1]], 0));
        Tensor[] features = both.chunk(2, 0);
        TensorAssert.Equal(NtXent.Loss(features[0], features[1], 0.2), run.Learner.Loss(views, new Step(0, 1, 1)));
    }

    [Fact]
    public void Heads_of_the_first_batch_start_as_batch_norm_would_and_then_stay_their_own()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var random = new Generator(1);
        using var norm = new FirstBatchNorm(5);
        norm.train();
        Tensor first = empty(32, 5, ScalarType.Float64).normal_(3, 2, random), second = empty(32, 5, ScalarType.Float64).normal_(-1, 4, random);
        norm.to(ScalarType.Float64);
        Tensor expected = first.sub(first.mean([0])).div(first.var([0L], unbiased: false).add(1e-5).sqrt());
        TensorAssert.Equal(expected, norm.forward(first));
        TensorAssert.Equal(second.sub(first.mean([0])).div(first.var([0L], unbiased: false).add(1e-5).sqrt()), norm.forward(second));
        Assert.Equal(2, norm.parameters().Count());
    }

    [Fact]
    public void Byol_trains_from_heads_of_the_first_batch_and_moves_them()
    {
        using var run = new MethodRun(new Byol { HeadNorm = HeadNorm.FirstBatch });
        run.Step();
        Tensor started = run.State()["projector.1.weight"];
        Assert.False(started.allclose(ones_like(started)));
        run.Step();
        Assert.False(run.State()["projector.1.weight"].equal(started).all().item<bool>());
        Assert.Equal(0, run.State().Keys.Count(name => name.StartsWith("projector.1.running", StringComparison.Ordinal)));
    }
}
