using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Residual networks of 18, 34 or 50 layers (He et al. 2016, table 1), without the classifier: the mean over the last
/// stage's positions is the representation. In the bottleneck form the 3x3 convolution has the stride, as in all later
/// work. Tensor names are torchvision's.
/// </summary>
public sealed record ResNet : ImageEncoder
{
    /// <summary>18, 34 or 50. The default value is 18.</summary>
    public int Depth { get; init; } = 18;

    /// <summary>The first layers. The default value is <see cref="Stem.ImageNet"/>.</summary>
    public Stem Stem { get; init; } = Stem.ImageNet;

    /// <summary>Channels of the first stage, 8 to 64; the others have 2, 4 and 8 times as many. The default value is 64, the published one.</summary>
    public int Width { get; init; } = 64;

    /// <summary>
    /// The last batch norm of each block starts at zero, so that a block starts as the identity (Goyal et al. 2017). The
    /// default value is false.
    /// </summary>
    public bool ZeroInitResidual { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => (Depth == 50 ? 32 : 8) * Width;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int MinImageSize => Stem == Stem.Small ? 8 : 32;

    internal override void Validate()
    {
        if (Depth is not (18 or 34 or 50))
            throw new ArgumentOutOfRangeException(nameof(Depth), Depth, "A ResNet here has 18, 34 or 50 layers.");
        if (Width is < 8 or > 64)
            throw new ArgumentOutOfRangeException(nameof(Width), Width, "The width of a ResNet must be from 8 to 64.");
        if (!Enum.IsDefined(Stem))
            throw new ArgumentOutOfRangeException(nameof(Stem), Stem, "Choose Stem.ImageNet or Stem.Small.");
    }

    internal override ImageEncoder HalfWidth() => this with { Width = Math.Max(8, Width / 2) };

    /// <summary>Residual blocks of the four stages.</summary>
    internal int[] Blocks => Depth == 18 ? [2, 2, 2, 2] : [3, 4, 6, 3];

    internal override long CountWeights(int channels, int height, int width)
    {
        long count = Layer(channels, Width, Stem == Stem.ImageNet ? 7 : 3), inputs = Width;
        for (int stage = 0; stage < 4; stage++)
        {
            long planes = (long)Width << stage, outputs = Depth >= 50 ? 4 * planes : planes;
            for (int block = 0; block < Blocks[stage]; block++)
            {
                count += Depth >= 50
                    ? Layer(inputs, planes, 1) + Layer(planes, planes, 3) + Layer(planes, outputs, 1)
                    : Layer(inputs, planes, 3) + Layer(planes, planes, 3);
                if (block == 0 && (stage > 0 || inputs != outputs))
                    count += Layer(inputs, outputs, 1); // of the shortcut
                inputs = outputs;
            }
        }
        return count;

        static long Layer(long inputs, long outputs, int kernel) => inputs * outputs * kernel * kernel + BatchNorm.CountWeights(outputs);
    }

    internal override nn.Module<Tensor, Tensor> Build(int channels, int height, int width, Generator generator) => new ResNetModule(this, channels, generator);
}

internal sealed class ResNetModule : nn.Module<Tensor, Tensor>
{
    private readonly Convolution conv1;
    private readonly BatchNorm bn1;
    private readonly nn.Module<Tensor, Tensor> layer1, layer2, layer3, layer4;
    private readonly bool _pools;

    public ResNetModule(ResNet shape, int channels, Generator generator)
        : base(nameof(ResNet))
    {
        int[] blocks = shape.Blocks;
        _pools = shape.Stem == Stem.ImageNet;
        conv1 = _pools ? new Convolution(channels, shape.Width, 7, 2, generator) : new Convolution(channels, shape.Width, 3, 1, generator);
        bn1 = new BatchNorm(shape.Width);
        int inputs = shape.Width;
        layer1 = Stage(shape.Width, blocks[0], 1);
        layer2 = Stage(2 * shape.Width, blocks[1], 2);
        layer3 = Stage(4 * shape.Width, blocks[2], 2);
        layer4 = Stage(8 * shape.Width, blocks[3], 2);
        RegisterComponents();

        nn.Module<Tensor, Tensor> Stage(int width, int count, int stride)
        {
            var stage = new List<nn.Module<Tensor, Tensor>>();
            for (int i = 0; i < count; i++)
            {
                var block = new ResidualBlock(inputs, width, i == 0 ? stride : 1, shape.Depth >= 50, shape.ZeroInitResidual, generator);
                inputs = block.Outputs;
                stage.Add(block);
            }
            return nn.Sequential(stage);
        }
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor x = nn.functional.relu(bn1.forward(conv1.forward(input)), inplace: true);
        if (_pools)
            x = nn.functional.max_pool2d(x, 3, 2, 1);
        x = layer4.forward(layer3.forward(layer2.forward(layer1.forward(x))));
        return x.mean([2, 3]).MoveToOuterDisposeScope();
    }
}

/// <summary>Two 3x3 convolutions (18, 34), or 1x1, 3x3 and 1x1 with four times the channels at the end (50), around a shortcut.</summary>
internal sealed class ResidualBlock : nn.Module<Tensor, Tensor>
{
    private readonly Convolution conv1, conv2;
    private readonly Convolution? conv3;
    private readonly BatchNorm bn1, bn2;
    private readonly BatchNorm? bn3;
    private readonly nn.Module<Tensor, Tensor>? downsample;

    public ResidualBlock(int inputs, int width, int stride, bool bottleneck, bool zeroInit, Generator generator)
        : base(nameof(ResidualBlock))
    {
        double lastStart = zeroInit ? 0 : 1;
        Outputs = bottleneck ? 4 * width : width;
        conv1 = bottleneck ? new(inputs, width, 1, 1, generator) : new(inputs, width, 3, stride, generator);
        bn1 = new BatchNorm(width);
        conv2 = new(width, width, 3, bottleneck ? stride : 1, generator);
        bn2 = new BatchNorm(width, weightStart: bottleneck ? 1 : lastStart);
        if (bottleneck)
        {
            conv3 = new(width, Outputs, 1, 1, generator);
            bn3 = new BatchNorm(Outputs, weightStart: lastStart);
        }
        if (stride != 1 || inputs != Outputs)
            downsample = nn.Sequential(new Convolution(inputs, Outputs, 1, stride, generator), new BatchNorm(Outputs));
        RegisterComponents();
    }

    public int Outputs { get; }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor x = nn.functional.relu(bn1.forward(conv1.forward(input)), inplace: true);
        x = bn2.forward(conv2.forward(x));
        if (conv3 is not null)
            x = bn3!.forward(conv3.forward(nn.functional.relu(x, inplace: true)));
        x = x.add_(downsample?.forward(input) ?? input);
        return nn.functional.relu(x, inplace: true).MoveToOuterDisposeScope();
    }
}
