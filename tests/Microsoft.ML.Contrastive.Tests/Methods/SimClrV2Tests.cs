using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class SimClrV2Tests
{
    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    public void Every_online_weight_has_a_gradient_and_nothing_of_the_memory(int memory)
    {
        using var run = new MethodRun(new SimClrV2 { MemoryLength = memory });
        Assert.Equal(
            run.Learner.named_parameters().Select(entry => entry.name).Where(name => !name.StartsWith("target_", StringComparison.Ordinal)).Order(),
            run.Gradients().Keys.Order());
        Assert.Equal(memory > 0, run.State().ContainsKey("queue.keys"));
        Assert.Equal(Math.Log(2 * MethodRun.BatchSize - 1 + memory), run.Learner.FlatLoss(MethodRun.BatchSize)!.Value, 12);
    }

    [Fact]
    public void The_projectors_first_layer_belongs_to_the_encoder_and_the_others_are_thrown_away()
    {
        using var run = new MethodRun(new SimClrV2());
        string[] linear = [.. run.State().Where(entry => entry.Value.dim() == 2).Select(entry => entry.Key)];
        Assert.Equal(["encoder.head.0.weight", "projector.0.weight", "projector.3.weight"], linear);
    }

    [Fact]
    public void The_memory_takes_both_views_keys_after_the_step_and_wraps()
    {
        using var run = new MethodRun(new SimClrV2 { MemoryLength = 20, Momentum = 0.9 });
        Dictionary<string, Tensor> expected = run.State(), before = expected;
        for (int step = 0; step < 2; step++)
        {
            foreach (string name in Targets(expected))
                expected[name] = 0.9 * expected[name] + 0.1 * before[name["target_".Length..]];
            run.Step();
            before = run.State();
        }
        Assert.All(Targets(before), name => TensorAssert.Equal(expected[name], before[name]));
        Assert.Equal(2 * 2 * MethodRun.BatchSize - 20, before["queue.pointer"].item<long>());
        TensorAssert.Equal(ones(20, ScalarType.Float64), before["queue.keys"].norm(1), 1e-6);

        static IEnumerable<string> Targets(Dictionary<string, Tensor> state)
            => [.. state.Keys.Where(name => name.StartsWith("target_", StringComparison.Ordinal) && !name.Contains("running_", StringComparison.Ordinal))];
    }

    [Fact]
    public void An_empty_memory_changes_nothing_and_equal_similarities_give_the_flat_loss()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        Tensor same = ones(4, 3, ScalarType.Float64);
        TensorAssert.Equal(tensor(NtXent.FlatLoss(4, 5)), NtXent.Loss(same, same, 0.2, ones(5, 3, ScalarType.Float64).div(Math.Sqrt(3))));
        using var generator = new Generator(1);
        Tensor first = empty(4, 3, ScalarType.Float64).normal_(0, 1, generator), second = empty(4, 3, ScalarType.Float64).normal_(0, 1, generator);
        TensorAssert.Equal(NtXent.Loss(first, second, 0.2), NtXent.Loss(first, second, 0.2, empty(0, 3, ScalarType.Float64)));
    }

    [Theory]
    [InlineData(FeatureLayer.Backbone, 32)]
    [InlineData(FeatureLayer.Middle, 24)]
    public void Its_features_come_from_the_layer_that_was_chosen_and_the_zip_keeps_both(FeatureLayer layer, int size)
    {
        var ml = new MLContext(5);
        IDataView data = ml.View(Pictures.Make(64));
        using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", new SimClrV2 { FeaturesFrom = layer, HiddenSize = 24 }, ImageEncoder.SmallConvNet(4),
            new TrainingOptions { Steps = 2, BatchSize = 32 }, Pictures.Shape()).Fit(data);
        Assert.Equal(size, encoder.FeatureSize);
        using var stream = new MemoryStream();
        ml.Model.Save(encoder, data.Schema, stream);
        stream.Position = 0;
        using var loaded = (ContrastivePretrainTransformer)new MLContext().Model.Load(stream, out _);
        Assert.Equal(new EncoderWithHead(ImageEncoder.SmallConvNet(4), 24) { FeaturesFrom = layer }, loaded.Encoder);
        TensorAssert.Equal(encoder.Weights.Module.state_dict()["head.0.weight"], loaded.Weights.Module.state_dict()["head.0.weight"], 0);
        Assert.Equal(encoder.Transform(data).Features(), loaded.Transform(data).Features());
    }

    [Fact]
    public void Settings_that_leave_nothing_to_keep_or_are_out_of_range_are_refused()
    {
        Assert.Contains("SimClrV1", Assert.Throws<ArgumentOutOfRangeException>(() => new SimClrV2 { ProjectorLayers = 1 }.Validate(8)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new SimClrV2 { MemoryLength = -1 }.Validate(8));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SimClrV2 { Momentum = 1.1 }.Validate(8));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SimClrV2 { FeaturesFrom = (FeatureLayer)7 }.Validate(8));
        Assert.Equal("HiddenSize", Assert.Throws<ArgumentOutOfRangeException>(() => new SimClrV2 { HiddenSize = 6145 }.Validate(8)).ParamName);
    }

    [Fact]
    public void The_head_that_it_gives_an_encoder_is_one_that_loads_and_one_that_is_there_is_kept()
    {
        ImageEncoder wide = ImageEncoder.SmallConvNet(64, grid: 4); // 8,192 features, more than a head may have
        ImageEncoder chosen = new SimClrV2().EncoderFor(wide);
        chosen.Validate();
        Assert.Equal(6144, ((EncoderWithHead)chosen).HeadSize);

        var given = new EncoderWithHead(ImageEncoder.SmallConvNet(4), 24);
        Assert.Same(given, new SimClrV2().EncoderFor(given));
        Assert.Same(given, new SimClrV2 { HiddenSize = 24 }.EncoderFor(given));
        Assert.Contains("24 wide, but HiddenSize of SimClrV2 is 32", Assert.Throws<ArgumentException>(() => new SimClrV2 { HiddenSize = 32 }.EncoderFor(given)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Large_batches_get_the_published_optimizer_and_rate()
    {
        var large = (SimClrV2)new SimClrV2().Resolve(new RunFacts(1_000_000, 4096, 200_000, 224, 224, 3, 2048));
        Assert.Equal(new Lars { WeightDecay = 1e-4 }, large.Optimizer);
        Assert.Equal(6.4, large.LearningRate!.Peak(4096), 12);
        Assert.IsType<Sgd>(new SimClrV2().Resolve(new RunFacts(1000, 256, 100, 32, 32, 3, 64)).Optimizer);
    }
}
