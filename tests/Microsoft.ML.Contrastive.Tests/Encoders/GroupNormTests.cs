using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Encoders;

/// <summary>Networks without batch statistics: the formulas, and that no row knows of another.</summary>
public sealed class GroupNormTests : IDisposable
{
    private static readonly SmallConvNet s_net = new() { Width = 6, Norm = EncoderNorm.GroupWithStandardizedWeights };
    private readonly DisposeScope _scope;
    private readonly Generator _generator;

    public GroupNormTests()
    {
        NativeTorch.EnsureLoaded();
        (_scope, _generator) = (NewDisposeScope(), new Generator(4));
    }

    public void Dispose()
    {
        _generator.Dispose();
        _scope.Dispose();
    }

    [Theory]
    [InlineData(32, 16)]
    [InlineData(24, 8)]
    [InlineData(6, 2)]
    [InlineData(5, 1)]
    public void Each_group_of_each_row_gets_mean_0_and_deviation_1(int channels, int groups)
    {
        using var norm = new GroupNorm(channels);
        Tensor maps = Random(3, channels, 4, 5), rows = Random(3, channels);
        foreach (Tensor input in new[] { maps, rows })
        {
            Tensor grouped = input.reshape(3, groups, -1), centred = grouped - grouped.mean([2], keepdim: true);
            Tensor expected = (centred / (centred.pow(2).mean([2], keepdim: true) + 1e-5).sqrt()).reshape(input.shape);
            TensorAssert.Equal(expected, norm.forward(input).detach(), 1e-5);
        }
    }

    [Fact]
    public void A_standardised_convolution_uses_weights_of_mean_0_and_deviation_1()
    {
        using var convolution = new Convolution(3, 8, 3, 2, _generator) { Standardizes = true };
        Tensor input = Random(2, 3, 9, 9), weight = convolution.state_dict()["weight"];
        Tensor flat = weight.reshape(8, 27), standard = ((flat - flat.mean([1], keepdim: true)) / flat.std(1, unbiased: false, keepdim: true)).reshape(weight.shape);
        TensorAssert.Equal(nn.functional.conv2d(input, standard.detach(), null, [2, 2], [1, 1]), convolution.forward(input).detach(), 1e-4);

        // So its length and mean do not matter, and its gradient is orthogonal to both.
        convolution.forward(input).pow(3).sum().backward();
        Tensor gradient = weight.grad!;
        Assert.True(gradient.abs().max().ToDouble() > 0);
        TensorAssert.Equal(zeros(8), (gradient * weight).sum([1, 2, 3]).detach() / gradient.norm(), 1e-4);
        TensorAssert.Equal(zeros(8), gradient.sum([1, 2, 3]) / gradient.norm(), 1e-4);
    }

    public static TheoryData<ImageEncoder> Networks =>
    [
        s_net,
        new ResNet { Stem = Stem.Small, Width = 8, Norm = EncoderNorm.GroupWithStandardizedWeights },
        new ResNet { Depth = 34, Width = 8, Norm = EncoderNorm.GroupWithStandardizedWeights, ZeroInitResidual = true },
        new ResNet { Depth = 50, Stem = Stem.Small, Width = 8, Norm = EncoderNorm.GroupWithStandardizedWeights },
        new ResNet { Depth = 101, Stem = Stem.Small, Width = 8, Norm = EncoderNorm.GroupWithStandardizedWeights },
        new ResNet { Depth = 152, Width = 8, Norm = EncoderNorm.GroupWithStandardizedWeights, SelectiveKernels = true },
    ];

    [Theory]
    [MemberData(nameof(Networks))]
    public void In_training_no_picture_knows_of_another(ImageEncoder network)
    {
        Assert.True(Differs(network switch { ResNet net => net with { Norm = EncoderNorm.Batch, ZeroInitResidual = false }, SmallConvNet net => net with { Norm = EncoderNorm.Batch }, _ => network }));
        Assert.False(Differs(network));
        using nn.Module<Tensor, Tensor> built = network.CreateModule(1, seed: 1, imageSize: 32);
        Assert.Empty(built.modules().OfType<BatchNorm>());
        Assert.All(built.modules().OfType<Convolution>().Where(each => network is ResNet && !IsGate(built, each)), each => Assert.True(each.Standardizes));
        Assert.Equal(network.CountWeights(1, 32, 32), built.state_dict().Values.Sum(value => value.numel()));

        static bool Differs(ImageEncoder encoder)
        {
            using nn.Module<Tensor, Tensor> module = encoder.CreateModule(1, seed: 1, imageSize: 32);
            module.train();
            module.to(ScalarType.Float64); // untrained, the deepest makes 2 out of a rounding of 1e-7
            using var generator = new Generator(5);
            Tensor pictures = rand(4, 1, 32, 32, generator: generator).to(ScalarType.Float64);
            return (module.forward(pictures)[0] - module.forward(pictures[..2])[0]).abs().max().ToDouble() > 1e-4;
        }
    }

    /// <summary>The last convolution of a selective kernel's gate, which no norm follows.</summary>
    private static bool IsGate(nn.Module built, Convolution convolution)
        => built.named_modules().Any(entry => ReferenceEquals(entry.module, convolution) && entry.name.EndsWith("fc2", StringComparison.Ordinal));

    [Fact]
    public void A_resnets_norm_is_kept_in_the_manifest_and_older_ones_have_batch_norm()
    {
        var ml = new MLContext(1);
        IDataView data = ml.View(Pictures.Make(64));
        var network = new ResNet { Stem = Stem.Small, Width = 8, Norm = EncoderNorm.GroupWithStandardizedWeights };
        using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", new Byol { HeadNorm = HeadNorm.Group }, network, new TrainingOptions { Steps = 2, BatchSize = 16 }, Pictures.Shape()).Fit(data);
        using var stream = new MemoryStream();
        ml.Model.Save(encoder, data.Schema, stream);
        stream.Position = 0;
        using var loaded = (ContrastivePretrainTransformer)new MLContext().Model.Load(stream, out _);
        Assert.Equal(network, loaded.Encoder);
        Assert.Equal(encoder.Transform(data).Features(), loaded.Transform(data).Features());
        var manifest = System.Text.Json.Nodes.JsonNode.Parse(encoder.Weights.Manifest.ToJson())!;
        Assert.True(manifest["input"]!["encoder"]!.AsObject().Remove("norm"));
        Assert.Equal(network with { Norm = EncoderNorm.Batch }, EncoderManifest.Parse(manifest.ToJsonString()).Input.Network);
        Assert.Throws<ArgumentOutOfRangeException>(() => (network with { Norm = (EncoderNorm)7 }).Validate());
    }

    [Fact]
    public void It_has_the_number_of_weights_that_it_tells()
    {
        using nn.Module<Tensor, Tensor> module = s_net.CreateModule(3, seed: 1);
        Assert.Equal(s_net.CountWeights(3, 16, 16), module.state_dict().Values.Sum(value => value.numel()));
        Assert.Throws<ArgumentOutOfRangeException>(() => (s_net with { Norm = (EncoderNorm)7 }).CreateModule(3, seed: 1));
    }

    [Fact]
    public void Byol_without_batch_statistics_trains_and_loads_from_a_zip()
    {
        var ml = new MLContext(1);
        IDataView data = ml.View(Pictures.Make(64));
        var reports = new List<TrainingProgress>();
        using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", new Byol { HeadNorm = HeadNorm.Group }, s_net,
            new TrainingOptions { Steps = 30, BatchSize = 32, Progress = new OnProgress(reports.Add) }, Pictures.Shape()).Fit(data);
        Assert.True(reports[^1].Loss < reports[0].Loss);
        Assert.DoesNotContain(encoder.Weights.Module.state_dict().Keys, name => name.Contains("running", StringComparison.Ordinal));
        using var stream = new MemoryStream();
        ml.Model.Save(encoder, data.Schema, stream);
        stream.Position = 0;
        Assert.Equal(encoder.Transform(data).Features(), new MLContext().Model.Load(stream, out _).Transform(data).Features());
    }

    [Fact]
    public void The_heads_of_byol_have_the_norm_that_was_chosen()
    {
        Assert.Equal((3, 0), Norms(HeadNorm.Batch));
        Assert.Equal((0, 3), Norms(HeadNorm.Group));
        Assert.Equal((0, 0), Norms(HeadNorm.None));

        (int Batch, int Group) Norms(HeadNorm norm)
        {
            using var generator = new Generator(1);
            using Learner learner = new Byol { HeadNorm = norm, HiddenSize = 8, Momentum = 0.9 }.CreateLearner(
                new LearnerSetup(() => nn.Flatten(), 4, generator, new RunFacts(64, 8, 10, 16, 16, 1, 4)));
            return (learner.modules().OfType<BatchNorm>().Count(), learner.modules().OfType<GroupNorm>().Count());
        }
    }

    private Tensor Random(params long[] shape) => empty(shape).normal_(0.3, 2, _generator);
}
