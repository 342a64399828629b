using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Encoders;

/// <summary>Our convolutions against libtorch's in double precision, in both layouts: in single precision it is wrong on some machines (docs/platform.md).</summary>
public sealed class ConvolutionTests
{
    public static TheoryData<int, int, int, int, bool> Shapes
    {
        get
        {
            var shapes = new TheoryData<int, int, int, int, bool>();
            foreach ((int inputs, int outputs, int kernel, int stride) in new[]
            {
                (64, 512, 1, 1), (256, 512, 1, 2), (256, 1024, 1, 1), (512, 1024, 1, 2), (1024, 2048, 1, 2), (3, 8, 1, 2), (4, 24, 1, 2), (8, 16, 1, 2), // ResNets', wide and narrow
                (64, 128, 3, 2), (3, 64, 7, 2), (8, 16, 3, 1),
            })
                foreach (bool channelsLast in inputs <= 8 && kernel > 1 ? new[] { true } : [true, false]) // the others: libtorch's own fault, which training avoids by its layout
                    shapes.Add(inputs, outputs, kernel, stride, channelsLast);
            return shapes;
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Outputs_and_gradients_are_those_of_double_precision(int inputs, int outputs, int kernel, int stride, bool channelsLast)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        using var convolution = new Convolution(inputs, outputs, kernel, stride, generator);
        Tensor pictures = randn(4, inputs, 14, 14, generator: generator);
        if (channelsLast)
            pictures = pictures.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);
        (Tensor output, Tensor ofPictures, Tensor ofWeight) = Run(convolution, pictures);
        using nn.Module exact = convolution.to(ScalarType.Float64);
        (Tensor expected, Tensor expectedOfPictures, Tensor expectedOfWeight) = Run(convolution, pictures.to(ScalarType.Float64));
        TensorAssert.Equal(expected, output.to(ScalarType.Float64), 1e-4);
        TensorAssert.Equal(expectedOfPictures, ofPictures.to(ScalarType.Float64), 1e-4);
        TensorAssert.Equal(expectedOfWeight, ofWeight.to(ScalarType.Float64), 1e-3);
    }

    private static (Tensor Output, Tensor OfPictures, Tensor OfWeight) Run(Convolution convolution, Tensor pictures)
    {
        Tensor input = pictures.detach().requires_grad_(), output = convolution.forward(input);
        convolution.zero_grad();
        output.pow(2).mean().mul(100).backward();
        return (output.detach(), input.grad!.clone(), convolution.parameters().Single().grad!.clone());
    }
}
