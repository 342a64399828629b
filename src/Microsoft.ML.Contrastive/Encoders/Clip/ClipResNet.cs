using System.Text.Json.Serialization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Blocks of the four stages of a residual network, 1 to 64 each.</summary>
/// <param name="First">Of the stage with the most pixels.</param>
/// <param name="Second">Of the second.</param>
/// <param name="Third">Of the third.</param>
/// <param name="Fourth">Of the stage with the fewest pixels.</param>
public sealed record StageBlocks(int First, int Second, int Third, int Fourth)
{
    internal int[] All => [First, Second, Third, Fourth];
}

/// <summary>
/// CLIP's residual network (Radford et al. 2021, section 2.4): a stem of three convolutions, bottlenecks that average before they skip, and at the end
/// attention that pools the last map into the vector that texts are compared with. Tensor names are OpenAI's. The default values are RN50's.
/// </summary>
/// <remarks>
/// RN101: Blocks (3, 4, 23, 3), EmbeddingSize 512. RN50x4: Blocks (4, 6, 10, 6), Width 80, Heads 40, EmbeddingSize 640, pictures of 288 pixels. Sides of
/// the pictures are multiples of 32; positions belong to the size that it is built for.
/// </remarks>
public sealed record ClipResNet : ImageEncoder
{
    /// <summary>Pixels that become one place of the last map, along each side.</summary>
    internal const int Stride = 32;

    /// <summary>The default value is (3, 4, 6, 3).</summary>
    public StageBlocks Blocks { get; init; } = new(3, 4, 6, 3);

    /// <summary>Channels of the first stage's bottlenecks, even, 2 to 256. The default value is 64.</summary>
    public int Width { get; init; } = 64;

    /// <summary>Heads of the pooling attention, 1 to 128; 32 times the width is a multiple. The default value is 32.</summary>
    public int Heads { get; init; } = 32;

    /// <summary>E, length of the vector, 1 to 2,048. The default value is 1,024.</summary>
    public int EmbeddingSize { get; init; } = 1024;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => EmbeddingSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int MinImageSize => Stride;

    internal override int SideMultiple => Stride;

    internal override bool TakesOneSize => true;

    internal override bool ProjectsItself => true;

    /// <summary>Channels of the last map.</summary>
    private int LastChannels => 32 * Width;

    internal override void Validate()
    {
        ArgumentNullException.ThrowIfNull(Blocks);
        foreach (int blocks in Blocks.All)
            SizeCheck.Within(nameof(ClipResNet), nameof(Blocks), blocks, 1, 64);
        SizeCheck.Within(nameof(ClipResNet), nameof(Width), Width, 2, 256);
        SizeCheck.Multiple(nameof(ClipResNet), nameof(Width), Width, 2, "stem convolutions");
        SizeCheck.Within(nameof(ClipResNet), nameof(Heads), Heads, 1, 128);
        if (LastChannels % Heads != 0)
            throw new ArgumentOutOfRangeException(nameof(Heads), Heads, $"32 times the Width of a ClipResNet, {LastChannels}, must be a multiple of its Heads.");
        SizeCheck.Within(nameof(ClipResNet), nameof(EmbeddingSize), EmbeddingSize, 1, 2048);
    }

    internal override IReadOnlyList<string[]> Stages
        => [["conv1.", "bn1.", "conv2.", "bn2.", "conv3.", "bn3."], ["layer1."], ["layer2."], ["layer3."], ["layer4.", "attnpool."]];

    internal override ImageEncoder HalfWidth() => this with { Width = Math.Max(2, Width / 4 * 2), Heads = Math.Max(1, Heads / 2) };

    internal override void CheckSize(int height, int width)
    {
        if (height % Stride != 0 || width % Stride != 0)
            throw new ArgumentException($"Views of {height} x {width} pixels are no multiples of {Stride}, which a ClipResNet needs: set ImageSize to one, such as {Math.Max(1, Math.Min(height, width) / Stride) * Stride}.");
    }

    internal override long CountWeights(int channels, int height, int width)
    {
        long half = Width / 2, count = Layer(channels, half, 3) + Layer(half, half, 3) + Layer(half, Width, 3), inputs = Width;
        foreach ((int stage, int blocks) in Blocks.All.Index())
        {
            long planes = (long)Width << stage, outputs = 4 * planes;
            for (int block = 0; block < blocks; block++)
            {
                count += Layer(inputs, planes, 1) + Layer(planes, planes, 3) + Layer(planes, outputs, 1) + (block == 0 ? Layer(inputs, outputs, 1) : 0);
                inputs = outputs;
            }
        }
        return count + AttentionPool.CountWeights(inputs, Places(height, width), EmbeddingSize);

        static long Layer(long inputs, long outputs, int kernel) => inputs * outputs * kernel * kernel + BatchNorm.CountWeights(outputs);
    }

    internal override nn.Module<Tensor, Tensor> Build(int channels, int height, int width, Generator generator)
        => new ClipResNetModule(this, channels, (int)Places(height, width), generator);

    private static long Places(int height, int width) => (long)(height / Stride) * (width / Stride);
}

internal sealed class ClipResNetModule : nn.Module<Tensor, Tensor>
{
    private readonly Convolution conv1, conv2, conv3;
    private readonly BatchNorm bn1, bn2, bn3;
    private readonly Sequential layer1, layer2, layer3, layer4;
    private readonly AttentionPool attnpool;

    public ClipResNetModule(ClipResNet shape, int channels, int places, Generator generator)
        : base(nameof(ClipResNet))
    {
        int half = shape.Width / 2, inputs = shape.Width;
        conv1 = new Convolution(channels, half, 3, 2, generator);
        bn1 = new BatchNorm(half);
        conv2 = new Convolution(half, half, 3, 1, generator);
        bn2 = new BatchNorm(half);
        conv3 = new Convolution(half, shape.Width, 3, 1, generator);
        bn3 = new BatchNorm(shape.Width);
        layer1 = Stage(shape.Width, shape.Blocks.First, 1);
        layer2 = Stage(2 * shape.Width, shape.Blocks.Second, 2);
        layer3 = Stage(4 * shape.Width, shape.Blocks.Third, 2);
        layer4 = Stage(8 * shape.Width, shape.Blocks.Fourth, 2);
        attnpool = new AttentionPool(inputs, places, shape.Heads, shape.EmbeddingSize, generator);
        RegisterComponents();

        Sequential Stage(int planes, int blocks, int stride)
        {
            var stage = new List<nn.Module<Tensor, Tensor>>();
            for (int block = 0; block < blocks; block++)
            {
                stage.Add(new ClipBottleneck(inputs, planes, block == 0 ? stride : 1, generator));
                inputs = ClipBottleneck.Expansion * planes;
            }
            return nn.Sequential(stage);
        }
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor x = input;
        foreach ((Convolution convolution, BatchNorm norm) in new[] { (conv1, bn1), (conv2, bn2), (conv3, bn3) })
            x = nn.functional.relu(convolution.Normed(x, norm), inplace: true);
        x = layer4.forward(layer3.forward(layer2.forward(layer1.forward(nn.functional.avg_pool2d(x, 2)))));
        return attnpool.forward(x).MoveToOuterDisposeScope();
    }

    /// <summary>1x1, 3x3 and 1x1 with four times the channels, around a shortcut; where the others' ResNets skip pixels, this averages them.</summary>
    private sealed class ClipBottleneck : nn.Module<Tensor, Tensor>
    {
        public const int Expansion = 4;

        private readonly Convolution conv1, conv2, conv3;
        private readonly BatchNorm bn1, bn2, bn3;
        private readonly Shortcut? downsample;
        private readonly int _stride;

        public ClipBottleneck(int inputs, int planes, int stride, Generator generator)
            : base(nameof(ClipBottleneck))
        {
            _stride = stride;
            conv1 = new Convolution(inputs, planes, 1, 1, generator);
            bn1 = new BatchNorm(planes);
            conv2 = new Convolution(planes, planes, 3, 1, generator);
            bn2 = new BatchNorm(planes);
            conv3 = new Convolution(planes, Expansion * planes, 1, 1, generator);
            bn3 = new BatchNorm(Expansion * planes, weightStart: 0); // a block starts as its shortcut
            if (stride > 1 || inputs != Expansion * planes)
                downsample = new Shortcut(inputs, Expansion * planes, stride, generator);
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            Tensor x = nn.functional.relu(conv1.Normed(input, bn1), inplace: true);
            x = nn.functional.relu(conv2.Normed(x, bn2), inplace: true);
            x = conv3.Normed(Averaged(x, _stride), bn3);
            return nn.functional.relu(x.Add(downsample?.forward(input) ?? input), inplace: true).MoveToOuterDisposeScope();
        }
    }

    /// <summary>The average, which has no weights, comes first: the released code calls it "-1", so that the others keep torchvision's numbers.</summary>
    private sealed class Shortcut : nn.Module<Tensor, Tensor>
    {
        private readonly Convolution _convolution;
        private readonly BatchNorm _norm;
        private readonly int _stride;

        public Shortcut(int inputs, int outputs, int stride, Generator generator)
            : base(nameof(Shortcut))
        {
            _stride = stride;
            _convolution = new Convolution(inputs, outputs, 1, 1, generator);
            _norm = new BatchNorm(outputs);
            register_module("0", _convolution);
            register_module("1", _norm);
        }

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            return _convolution.Normed(Averaged(input, _stride), _norm).MoveToOuterDisposeScope();
        }
    }

    private static Tensor Averaged(Tensor input, int stride) => stride > 1 ? nn.functional.avg_pool2d(input, stride) : input;
}

/// <summary>
/// A map's places and their mean as tokens, to which positions are added; the mean asks, all answer: multi-head attention in which queries, keys, values and
/// the result have matrices of their own (Radford et al. 2021, section 2.4). [N, C, H, W] to [N, E].
/// </summary>
internal sealed class AttentionPool : nn.Module<Tensor, Tensor>
{
    private readonly Parameter positional_embedding;
    private readonly Linear q_proj, k_proj, v_proj, c_proj;
    private readonly int _heads;

    /// <param name="channels">C.</param>
    /// <param name="places">H times W.</param>
    /// <param name="heads">Of which C is a multiple.</param>
    /// <param name="outputs">E.</param>
    /// <param name="generator">Where the weights are drawn from.</param>
    public AttentionPool(int channels, int places, int heads, int outputs, Generator generator)
        : base(nameof(AttentionPool))
    {
        _heads = heads;
        double deviation = Math.Pow(channels, -0.5);
        positional_embedding = new Parameter(empty(places + 1, channels).normal_(0, deviation, generator));
        q_proj = Linear.Normal(channels, channels, generator, deviation);
        k_proj = Linear.Normal(channels, channels, generator, deviation);
        v_proj = Linear.Normal(channels, channels, generator, deviation);
        c_proj = Linear.Normal(channels, outputs, generator, deviation);
        RegisterComponents();
    }

    /// <summary>Numbers in its weights.</summary>
    public static long CountWeights(long channels, long places, long outputs)
        => (places + 1) * channels + 3 * (channels + 1) * channels + (channels + 1) * outputs;

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        (long rows, long channels) = (input.shape[0], input.shape[1]);
        Tensor places = input.flatten(2).transpose(1, 2);
        if (places.shape[1] + 1 != positional_embedding.shape[0])
            throw new ArgumentException($"A map of {input.shape[2]} x {input.shape[3]} places came to attention that was built for {positional_embedding.shape[0] - 1}: give pictures of the size that the network was built for.", nameof(input));
        Tensor tokens = cat([places.mean([1], keepdim: true), places], 1).Plus(positional_embedding);
        Tensor mixed = nn.functional.scaled_dot_product_attention(
            InHeads(q_proj.forward(tokens.narrow(1, 0, 1))), InHeads(k_proj.forward(tokens)), InHeads(v_proj.forward(tokens)));
        return c_proj.forward(mixed.transpose(1, 2).reshape(rows, channels)).MoveToOuterDisposeScope();

        Tensor InHeads(Tensor projected) => projected.view(rows, -1, _heads, channels / _heads).transpose(1, 2);
    }
}
