using Microsoft.ML.Contrastive.Tests.KnownAnswers;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Training;

public sealed class GradientCacheTests
{
    public GradientCacheTests() => NativeTorch.EnsureLoaded();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(50)]
    public void Chunks_of_any_size_give_the_gradient_of_the_whole_batch(int chunk)
    {
        using var scope = NewDisposeScope();
        (TanhLearner whole, TanhLearner chunked, Views views) = Setup(dropped: 0);
        Tensor loss = whole.Loss(views, Step());
        loss.backward();
        Assert.Equal(loss.item<double>(), GradientCache.Backward(chunked, views, Step(), chunk), 1e-12);
        TensorAssert.Equal(whole.Weight.grad!, chunked.Weight.grad!, 1e-12);
    }

    [Fact]
    public void What_a_chunk_draws_is_drawn_again_in_the_second_pass()
    {
        using var scope = NewDisposeScope();
        (TanhLearner whole, TanhLearner chunked, Views views) = Setup(dropped: 0.4);
        // The whole batch with each chunk's own mask: chunks put together with their graphs.
        Tensor[][] parts = [.. Enumerable.Range(0, 4).Select(chunk => whole.Represent(views.Narrow(2 * chunk, chunk == 3 ? 1 : 2), Step(), chunk).ToArray())];
        whole.Contrast([cat([.. parts.Select(part => part[0])], 0), cat([.. parts.Select(part => part[1])], 0)], views, Step()).backward();
        GradientCache.Backward(chunked, views, Step(), 2);
        TensorAssert.Equal(whole.Weight.grad!, chunked.Weight.grad!, 1e-12);
    }

    [Fact]
    public void A_step_in_chunks_is_the_step_of_the_whole_batch()
    {
        using var scope = NewDisposeScope();
        (TanhLearner whole, TanhLearner chunked, Views views) = Setup(dropped: 0);
        using var one = new StepRunner(whole, new Sgd { Momentum = 0 });
        using var other = new StepRunner(chunked, new Sgd { Momentum = 0 }, chunkSize: 3);
        for (int step = 0; step < 3; step++)
            Assert.Equal(one.Run(views, Step(step), 0.1, 0.1).Loss, other.Run(views, Step(step), 0.1, 0.1).Loss, 1e-12);
        TensorAssert.Equal(whole.Weight, chunked.Weight, 1e-12);
    }

    [Fact]
    public void A_method_that_sees_its_batch_as_a_whole_is_refused()
    {
        var ml = new MLContext(1);
        IDataView data = ml.View(Pictures.Make(16));
        ArgumentException refused = Assert.Throws<ArgumentException>(() => ml.Transforms.ContrastivePretrain(
            "Features", "Image", new Byol(), training: new TrainingOptions { Steps = 1, BatchSize = 8, ChunkSize = 4 }, imageShape: Pictures.Shape()).Fit(data));
        Assert.Contains("Byol looks at a batch as a whole", refused.Message, StringComparison.Ordinal);

        Assert.Throws<ArgumentOutOfRangeException>("ChunkSize", () => ml.Transforms.ContrastivePretrain("Features", "Image", training: new TrainingOptions { ChunkSize = 0 }));
    }

    private static Step Step(long index = 0) => new(index, 10, seed: 5);

    private static (TanhLearner Whole, TanhLearner Chunked, Views Views) Setup(double dropped)
    {
        using var generator = new Generator(1);
        Tensor weight = empty(3, 4, ScalarType.Float64).normal_(0, 1, generator);
        var views = new Views(empty(7, 3, ScalarType.Float64).normal_(0, 1, generator), empty(7, 3, ScalarType.Float64).normal_(0, 1, generator));
        return (new TanhLearner(weight, 0.3, dropped), new TanhLearner(weight, 0.3, dropped), views);
    }
}
