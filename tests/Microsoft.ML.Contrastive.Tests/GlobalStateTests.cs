namespace Microsoft.ML.Contrastive.Tests;

/// <summary>Runs alone: other tests may move what this one watches.</summary>
[CollectionDefinition(nameof(GlobalStateTests), DisableParallelization = true)]
[Collection(nameof(GlobalStateTests))]
public sealed class GlobalStateTests
{
    [Theory]
    [MemberData(nameof(AllMethods.Data), MemberType = typeof(AllMethods))]
    public void Fit_leaves_the_global_generator_and_the_thread_count_alone(ContrastiveMethod method)
    {
        var ml = new MLContext(5);
        IDataView data = ml.ViewFor(method, 64);
        NativeTorch.EnsureLoaded();
        int threads = TorchSharp.torch.get_num_threads();
        using TorchSharp.torch.Tensor before = TorchSharp.torch.get_rng_state();
        using (ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", method, ImageEncoder.SmallConvNet(8), new TrainingOptions { Steps = 6, BatchSize = 32 }, Pictures.ShapeFor(method)).Fit(data))
            _ = encoder.Transform(data).Features();
        using TorchSharp.torch.Tensor after = TorchSharp.torch.get_rng_state();
        Assert.Equal(before.bytes.ToArray(), after.bytes.ToArray());
        Assert.Equal(threads, TorchSharp.torch.get_num_threads());
    }
}
