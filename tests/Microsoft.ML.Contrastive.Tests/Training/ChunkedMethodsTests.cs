using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Training;

/// <summary>The methods that may be trained in chunks, on real networks: 512 rows in chunks of 64, in double precision.</summary>
public sealed class ChunkedMethodsTests
{
    private const int Rows = 512, Chunk = 64, Side = 8;

    public ChunkedMethodsTests() => NativeTorch.EnsureLoaded();

    public static TheoryData<string> Methods => ["SimClrV1", "SimClrV1 one by one", "SimClrV2", "MoCoV3", "Dino"];

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_vision_transformer_gets_the_gradient_of_the_whole_batch(string method)
        => AssertSame(method, new VisionTransformer { Width = 16, Depth = 2, Heads = 2, Patch = 4 }, learner => learner.eval());

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_residual_network_with_its_batch_norm_in_evaluation_mode_gets_the_gradient_of_the_whole_batch(string method)
        => AssertSame(method, new ResNet { Width = 8, Stem = Stem.Small }, learner => learner.eval());

    [Theory]
    [MemberData(nameof(Methods))]
    public void Batch_norm_in_training_gives_what_norms_split_into_the_chunks_give(string method)
        => AssertSame(method, new ResNet { Width = 8, Stem = Stem.Small }, learner => learner.train(), split: true);

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    public void A_text_encoder_gets_the_gradient_of_the_whole_batch_and_its_dropout_again(double dropout)
    {
        using var scope = NewDisposeScope();
        var shape = new TextTransformer { VocabularySize = 50, Width = 16, Depth = 2, Heads = 2, TokenLimit = 6, Dropout = dropout, AttentionDropout = dropout };
        var facts = new RunFacts(Rows, Rows, 10, 0, 0, 0, shape.FeatureSize) { Encoder = shape, TextsPerExample = 2 };
        var method = (SimCse)new SimCse().Resolve(facts);
        using var generator = new Generator(1);
        var views = new Views(Ids(), Ids());
        Learner whole = Create(), chunked = Create();
        chunked.load_state_dict(whole.state_dict());

        // With dropout the chunks have masks of their own: put together with their graphs they are the whole batch.
        var representing = (IChunkedLearner)whole;
        Tensor[][] parts = dropout == 0
            ? [[.. representing.Represent(views, Step(), 0)]]
            : [.. Enumerable.Range(0, Rows / Chunk).Select(chunk => representing.Represent(views.Narrow(chunk * Chunk, Chunk), Step(), chunk).ToArray())];
        Tensor loss = representing.Contrast([.. Enumerable.Range(0, 2).Select(view => cat([.. parts.Select(part => part[view])], 0))], views, Step());
        loss.backward();
        AssertSame(loss, whole, GradientCache.Backward((IChunkedLearner)chunked, views, Step(), Chunk), chunked);

        Tensor Ids() => randint(0, 50, [Rows, 6], ScalarType.Int64, generator: generator);

        Learner Create()
        {
            Learner made = method.CreateLearner(new LearnerSetup(() => shape.Build(generator), shape.FeatureSize, generator, facts));
            made.to(ScalarType.Float64).train();
            return made;
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public void Batch_norm_in_training_needs_chunks_of_one_size(int chunk)
    {
        using var scope = NewDisposeScope();
        (Learner learner, _, Views views) = Setup("SimClrV1", new ResNet { Width = 8, Stem = Stem.Small });
        learner.train();
        ArgumentException refused = Assert.Throws<ArgumentException>(() => GradientCache.Backward((IChunkedLearner)learner, views, Step(), chunk));
        Assert.Contains("Choose a ChunkSize that divides the BatchSize", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SimClrV2")]
    [InlineData("Dino")]
    public void What_a_loss_leaves_for_the_end_of_the_step_is_there(string method)
    {
        using var scope = NewDisposeScope();
        (Learner whole, Learner chunked, Views views) = Setup(method, new VisionTransformer { Width = 16, Depth = 1, Heads = 2, Patch = 4 });
        whole.eval();
        chunked.eval();
        using var one = new StepRunner(whole, new Sgd());
        using var other = new StepRunner(chunked, new Sgd(), chunkSize: Chunk);
        for (int step = 0; step < 2; step++)
            Assert.Equal(one.Run(views, new Step(step, 10, 5), 0.1, 0.1).Loss, other.Run(views, new Step(step, 10, 5), 0.1, 0.1).Loss, 1e-5);
        foreach ((string name, Tensor value) in whole.state_dict())
            TensorAssert.Equal(value, chunked.state_dict()[name], 1e-5);
    }

    private static void AssertSame(string method, ImageEncoder shape, Action<Learner> mode, bool split = false)
    {
        using var scope = NewDisposeScope();
        (Learner whole, Learner chunked, Views views) = Setup(method, shape);
        mode(whole);
        mode(chunked);
        Views dealt = views;
        if (split)
        {
            // Splits deals row i to group i modulo their number; chunks are rows that follow each other.
            BatchNorm.SplitAll(whole, Rows / Chunk);
            Tensor order = arange(Rows).view(Rows / Chunk, Chunk).t().reshape(-1);
            dealt = new Views([.. Enumerable.Range(0, views.Count).Select(view => views[view].index_select(0, order))]);
        }
        Tensor loss = whole.Loss(dealt, Step());
        loss.backward();
        AssertSame(loss, whole, GradientCache.Backward((IChunkedLearner)chunked, views, Step(), Chunk), chunked);
    }

    private static void AssertSame(Tensor loss, Learner whole, double chunkedLoss, Learner chunked)
    {
        Assert.Equal(loss.item<double>(), chunkedLoss, 1e-9);
        Assert.NotEmpty(whole.parameters());
        foreach (((string name, TorchSharp.Modules.Parameter one), TorchSharp.Modules.Parameter other) in whole.named_parameters().Zip(chunked.parameters()))
        {
            Assert.Equal(one.grad is null, other.grad is null);
            if (one.grad is { } gradient)
                TensorAssert.Equal(gradient, other.grad!, 1e-9);
        }
        foreach ((string name, Tensor statistic) in whole.named_buffers())
            TensorAssert.Equal(statistic, chunked.state_dict()[name], 1e-9);
    }

    private static Step Step() => new(0, 10, seed: 5);

    private static (Learner Whole, Learner Chunked, Views Views) Setup(string name, ImageEncoder shape)
    {
        ContrastiveMethod chosen = name switch
        {
            "SimClrV1" => new SimClrV1 { ProjectionSize = 16 },
            "SimClrV1 one by one" => new SimClrV1 { ProjectionSize = 16, JointForward = false },
            "SimClrV2" => new SimClrV2 { ProjectionSize = 16, MemoryLength = 2 * Rows },
            "MoCoV3" => new MoCoV3 { ProjectionSize = 16, HiddenSize = 16 },
            _ => new Dino { ProjectionSize = 16, HiddenSize = 16, OutputSize = 32 },
        };
        var facts = new RunFacts(Rows, Rows, 10, Side, Side, 3, shape.FeatureSize) { Encoder = shape };
        ContrastiveMethod method = chosen.Resolve(facts);
        using var generator = new Generator(1);
        Learner whole = Create(), chunked = Create();
        foreach (MomentumPair pair in whole.MomentumPairs.Concat(chunked.MomentumPairs))
            pair.CopyToTarget();
        chunked.load_state_dict(whole.state_dict());
        return (whole, chunked, new Views([.. method.Augmentations!.Select(_ => empty(Rows, 3, Side, Side, ScalarType.Float64).normal_(0, 1, generator))]));

        Learner Create()
        {
            Learner made = method.CreateLearner(new LearnerSetup(() => shape.Build(3, Side, Side, generator), shape.FeatureSize, generator, facts));
            made.to(ScalarType.Float64);
            return made;
        }
    }
}
