using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Residual networks of 18 to 152 layers (He et al. 2016, table 1), without the classifier: the mean over the last
/// stage's positions is the representation. In the bottleneck form (50 and more) the 3x3 convolution has the stride, as in
/// all later work. Tensor names are torchvision's.
/// </summary>
public sealed record ResNet : ImageEncoder
{
    /// <summary>18, 34, 50, 101 or 152. The default value is 18.</summary>
    public int Depth { get; init; } = 18;

    /// <summary>The first layers. The default value is <see cref="Stem.ImageNet"/>.</summary>
    public Stem Stem { get; init; } = Stem.ImageNet;

    /// <summary>
    /// Channels of the first stage, 8 to 192; the others have 2, 4 and 8 times as many. The default value is 64, the published one; the
    /// "2x" and "3x" of SimCLR v2 are 128 and 192.
    /// </summary>
    public int Width { get; init; } = 64;

    /// <summary>
    /// Selective kernels (Li et al. 2019) in place of the 3x3 convolutions, as SimCLR v2 has them, for 50 layers and more: two such convolutions, of
    /// which each channel takes a mixture that the whole picture decides. With them come the changes of ResNet-D (He et al. 2019): three
    /// 3x3 convolutions instead of one 7x7 in <see cref="Stem.ImageNet"/>, and shortcuts that average instead of skipping. The default value is false.
    /// </summary>
    public bool SelectiveKernels { get; init; }

    /// <summary>
    /// What stands behind the convolutions. The default value is <see cref="EncoderNorm.Batch"/>; with <see cref="EncoderNorm.GroupWithStandardizedWeights"/> no picture knows of
    /// another, as in BYOL's run without batch statistics (Richemond et al. 2020).
    /// </summary>
    public EncoderNorm Norm { get; init; }

    /// <summary>
    /// The last norm of each block starts at zero, so that a block starts as the identity (Goyal et al. 2017). The
    /// default value is false.
    /// </summary>
    public bool ZeroInitResidual { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => (IsBottleneck ? 32 : 8) * Width;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int MinImageSize => Stem == Stem.Small ? 8 : 32;

    internal override void Validate()
    {
        if (Depth is not (18 or 34 or 50 or 101 or 152))
            throw new ArgumentOutOfRangeException(nameof(Depth), Depth, "A ResNet here has 18, 34, 50, 101 or 152 layers.");
        if (Width is < 8 or > 192)
            throw new ArgumentOutOfRangeException(nameof(Width), Width, "The width of a ResNet must be from 8 to 192.");
        if (SelectiveKernels && !IsBottleneck)
            throw new ArgumentException($"A ResNet of {Depth} layers has no bottleneck to put selective kernels in: choose 50 layers or more, or leave SelectiveKernels off.", nameof(SelectiveKernels));
        if (!Enum.IsDefined(Stem))
            throw new ArgumentOutOfRangeException(nameof(Stem), Stem, "Choose Stem.ImageNet or Stem.Small.");
        if (!Enum.IsDefined(Norm))
            throw new ArgumentOutOfRangeException(nameof(Norm), Norm, "Choose EncoderNorm.Batch or EncoderNorm.GroupWithStandardizedWeights.");
    }

    internal override IReadOnlyList<string[]> Stages => [["conv1.", "bn1."], ["layer1."], ["layer2."], ["layer3."], ["layer4."]];

    internal override ImageEncoder HalfWidth() => this with { Width = Math.Max(8, Width / 2) };

    /// <summary>Residual blocks of the four stages.</summary>
    internal int[] Blocks => Depth switch
    {
        18 => [2, 2, 2, 2],
        101 => [3, 4, 23, 3],
        152 => [3, 8, 36, 3],
        _ => [3, 4, 6, 3],
    };

    internal bool IsBottleneck => Depth >= 50;

    /// <summary>The first convolutions are ResNet-D's three.</summary>
    internal bool HasDeepStem => SelectiveKernels && Stem == Stem.ImageNet;

    internal override long CountWeights(int channels, int height, int width)
    {
        long count = HasDeepStem ? Layer(channels, Width / 2, 3) + Layer(Width / 2, Width / 2, 3) + Layer(Width / 2, Width, 3)
            : Layer(channels, Width, Stem == Stem.ImageNet ? 7 : 3);
        long inputs = Width;
        for (int stage = 0; stage < 4; stage++)
        {
            long planes = (long)Width << stage, outputs = IsBottleneck ? 4 * planes : planes;
            long middle = SelectiveKernels ? SelectiveKernelConvolution.CountWeights(planes, Norm) : Layer(planes, planes, 3);
            for (int block = 0; block < Blocks[stage]; block++)
            {
                count += IsBottleneck
                    ? Layer(inputs, planes, 1) + middle + Layer(planes, outputs, 1)
                    : Layer(inputs, planes, 3) + middle;
                if (block == 0 && (stage > 0 || inputs != outputs))
                    count += Layer(inputs, outputs, 1); // of the shortcut
                inputs = outputs;
            }
        }
        return count;

        long Layer(long inputs, long outputs, int kernel) => inputs * outputs * kernel * kernel + Norm.CountWeights(outputs);
    }

    internal override nn.Module<Tensor, Tensor> Build(int channels, int height, int width, Generator generator) => new ResNetModule(this, channels, generator);
}

internal sealed class ResNetModule : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor> conv1;
    private readonly nn.Module<Tensor, Tensor> bn1;
    private readonly nn.Module<Tensor, Tensor> layer1, layer2, layer3, layer4;
    private readonly bool _pools;

    public ResNetModule(ResNet shape, int channels, Generator generator)
        : base(nameof(ResNet))
    {
        int[] blocks = shape.Blocks;
        _pools = shape.Stem == Stem.ImageNet;
        bool standardizes = shape.Norm.Standardizes();
        conv1 = shape.HasDeepStem ? DeepStem(channels, shape.Width, shape.Norm, generator)
            : _pools ? new Convolution(channels, shape.Width, 7, 2, generator) { Standardizes = standardizes }
            : new Convolution(channels, shape.Width, 3, 1, generator) { Standardizes = standardizes };
        bn1 = shape.Norm.Create(shape.Width);
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
                var block = new ResidualBlock(shape, inputs, width, i == 0 ? stride : 1, generator);
                inputs = block.Outputs;
                stage.Add(block);
            }
            return nn.Sequential(stage);
        }
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor x = nn.functional.relu(conv1 is Convolution first ? first.Normed(input, bn1) : bn1.forward(conv1.forward(input)), inplace: true);
        if (_pools)
            x = nn.functional.max_pool2d(x, 3, 2, 1);
        x = layer4.forward(layer3.forward(layer2.forward(layer1.forward(x))));
        return x.mean([2, 3]).MoveToOuterDisposeScope();
    }

    /// <summary>ResNet-D's three 3x3 convolutions, the first with stride 2, the norm behind the last being the network's first.</summary>
    private static nn.Module<Tensor, Tensor> DeepStem(int channels, int width, EncoderNorm norm, Generator generator)
    {
        return new Chain(
            Convolve(channels, width / 2, 2), norm.Create(width / 2), new Relu(),
            Convolve(width / 2, width / 2, 1), norm.Create(width / 2), new Relu(),
            Convolve(width / 2, width, 1));

        Convolution Convolve(int inputs, int outputs, int stride) => new(inputs, outputs, 3, stride, generator) { Standardizes = norm.Standardizes() };
    }
}

/// <summary>
/// Two 3x3 convolutions (18, 34), or 1x1, 3x3 or selective kernels, and 1x1 with four times the channels at the end (50 and more), around a
/// shortcut.
/// </summary>
internal sealed class ResidualBlock : nn.Module<Tensor, Tensor>
{
    private readonly Convolution conv1;
    private readonly nn.Module<Tensor, Tensor> conv2;
    private readonly Convolution? conv3;
    private readonly nn.Module<Tensor, Tensor> bn1;
    private readonly nn.Module<Tensor, Tensor>? bn2, bn3;
    private readonly nn.Module<Tensor, Tensor>? downsample;

    public ResidualBlock(ResNet shape, int inputs, int width, int stride, Generator generator)
        : base(nameof(ResidualBlock))
    {
        bool bottleneck = shape.IsBottleneck;
        double lastStart = shape.ZeroInitResidual ? 0 : 1;
        Outputs = bottleneck ? 4 * width : width;
        conv1 = bottleneck ? Convolve(inputs, width, 1, 1) : Convolve(inputs, width, 3, stride);
        bn1 = shape.Norm.Create(width);
        if (shape.SelectiveKernels)
            conv2 = new SelectiveKernelConvolution(width, stride, shape.Norm, generator);
        else
        {
            conv2 = Convolve(width, width, 3, bottleneck ? stride : 1);
            bn2 = shape.Norm.Create(width, bottleneck ? 1 : lastStart);
        }
        if (bottleneck)
        {
            conv3 = Convolve(width, Outputs, 1, 1);
            bn3 = shape.Norm.Create(Outputs, lastStart);
        }
        if (stride != 1 || inputs != Outputs)
            downsample = shape.SelectiveKernels
                ? new Chain(new MeanOfFour(stride), Convolve(inputs, Outputs, 1, 1), shape.Norm.Create(Outputs))
                : new Chain(Convolve(inputs, Outputs, 1, stride), shape.Norm.Create(Outputs));
        RegisterComponents();

        Convolution Convolve(int from, int to, int kernel, int step) => new(from, to, kernel, step, generator) { Standardizes = shape.Norm.Standardizes() };
    }

    public int Outputs { get; }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor x = nn.functional.relu(conv1.Normed(input, bn1), inplace: true);
        x = conv2 is Convolution second ? second.Normed(x, bn2!) : conv2.forward(x); // selective kernels have norms of their own
        if (conv3 is not null)
            x = conv3.Normed(bn2 is null ? x : nn.functional.relu(x, inplace: true), bn3!);
        x = x.Add(downsample?.forward(input) ?? input);
        return nn.functional.relu(x, inplace: true).MoveToOuterDisposeScope();
    }
}
