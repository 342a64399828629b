using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A small encoder for pictures of 28 to 64 pixels: four 3x3 convolutions of 1, 2, 4 and 8 times <see cref="Width"/>
/// channels with strides 2, 2, 2 and 1, each with batch norm and ReLU, then the mean over positions. The early stride is
/// what makes it quick on a CPU: work at full resolution costs more than the rest together.
/// </summary>
public sealed record SmallConvNet : ImageEncoder
{
    /// <summary>Channels of the first convolution, at least 1. The default value is 32.</summary>
    public int Width { get; init; } = 32;

    /// <inheritdoc/>
    public override int FeatureSize => 8 * Width;

    /// <inheritdoc/>
    public override int MinImageSize => 8;

    internal override void Validate() => ArgumentOutOfRangeException.ThrowIfLessThan(Width, 1);

    internal override nn.Module<Tensor, Tensor> Build(int channels, Generator generator)
    {
        var layers = new List<nn.Module<Tensor, Tensor>>();
        int inputs = channels;
        foreach ((int factor, int stride) in new[] { (1, 2), (2, 2), (4, 2), (8, 1) })
        {
            layers.Add(new Convolution(inputs, factor * Width, 3, stride, generator));
            layers.Add(new BatchNorm(factor * Width));
            layers.Add(new Relu());
            inputs = factor * Width;
        }
        layers.Add(new MeanOverPositions());
        return nn.Sequential(layers);
    }
}

/// <summary>[N, C, H, W] to [N, C].</summary>
internal sealed class MeanOverPositions() : nn.Module<Tensor, Tensor>(nameof(MeanOverPositions))
{
    private static readonly long[] Positions = [2, 3];

    public override Tensor forward(Tensor input) => input.mean(Positions);
}
