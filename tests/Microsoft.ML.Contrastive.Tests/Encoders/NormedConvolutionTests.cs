using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Encoders;

/// <summary>Where nothing is learned, a convolution takes the batch norm behind it into its weights: the same numbers as both one after the other.</summary>
public sealed class NormedConvolutionTests
{
    [Theory]
    [InlineData(3, 16, 7, 2, false)]
    [InlineData(16, 8, 3, 1, true)]
    [InlineData(8, 24, 1, 1, false)]
    [InlineData(8, 24, 1, 2, true)]
    [InlineData(64, 8, 3, 2, false)] // more weights than places: one after the other
    public void Equals_convolution_then_norm(int inputs, int outputs, int kernel, int stride, bool standardizes)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        nn.Module<Tensor, Tensor> convolution = new Convolution(inputs, outputs, kernel, stride, generator) { Standardizes = standardizes }.to(ScalarType.Float64), norm = new BatchNorm(outputs).to(ScalarType.Float64);
        Randomize(norm, generator);
        norm.eval();
        Tensor pictures = randn(2, inputs, 12, 10, generator: generator, dtype: ScalarType.Float64);
        Tensor expected = norm.forward(convolution.forward(pictures)).detach();
        using (no_grad())
            TensorAssert.Equal(expected, ((Convolution)convolution).Normed(pictures, norm), 1e-12);
    }

    [Fact]
    public void Training_takes_its_own_statistics_also_without_gradients()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        using var noGradient = no_grad();
        var convolution = new Convolution(3, 4, 3, 1, generator);
        (BatchNorm norm, BatchNorm other) = (new BatchNorm(4), new BatchNorm(4));
        Tensor pictures = randn(8, 3, 9, 9, generator: generator).add(1);
        TensorAssert.Equal(norm.forward(convolution.forward(pictures)), convolution.Normed(pictures, other), 0);
        TensorAssert.Equal(norm.state_dict()["running_mean"], other.state_dict()["running_mean"], 0);
        Assert.NotEqual(0, other.state_dict()["running_mean"].abs().max().item<float>());
    }

    public static TheoryData<ImageEncoder> Encoders =>
    [
        ImageEncoder.SmallConvNet(8), ImageEncoder.ResNet18(Stem.Small) with { Width = 8 }, new ResNet { Depth = 50, Width = 8, SelectiveKernels = true },
        new ResNet { Depth = 50, Width = 8 }, new ClipResNet { Width = 8, Blocks = new(1, 1, 1, 1), Heads = 4, EmbeddingSize = 16 },
    ];

    [Theory]
    [MemberData(nameof(Encoders))]
    public void Features_are_those_of_the_plain_network(ImageEncoder shape)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(7);
        using nn.Module<Tensor, Tensor> network = shape.Build(3, 64, 64, generator).to(ScalarType.Float64);
        Randomize(network, generator);
        network.eval();
        Tensor pictures = randn(3, 3, 64, 64, generator: generator, dtype: ScalarType.Float64), plain = network.forward(pictures).detach();
        using var noGradient = no_grad();
        TensorAssert.Equal(plain, network.forward(pictures), 1e-9);
    }

    /// <summary>Statistics and scales that an untrained norm doesn't have.</summary>
    private static void Randomize(nn.Module network, Generator generator)
    {
        using var noGradient = no_grad();
        foreach (BatchNorm norm in network.modules().OfType<BatchNorm>().Concat(network is BatchNorm own ? [own] : []))
        {
            foreach ((string name, Tensor value) in norm.state_dict())
            {
                if (name == "running_var")
                    value.uniform_(0.5, 2, generator);
                else
                    value.uniform_(-1, 1, generator);
            }
        }
    }
}
