using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// What contrastive predictive coding predicts from and what it predicts: a representation z of each part of an example by itself, and
/// a context c of each, which knows the parts up to it and none behind it.
/// </summary>
internal abstract class PartsModule(string name) : nn.Module<Tensor, Tensor>(name)
{
    /// <summary>D, the length of z.</summary>
    public abstract int PartSize { get; }

    /// <summary>The length of c.</summary>
    public abstract int ContextSize { get; }

    /// <summary>z of every part: [N, ...] to [N, R, C, D].</summary>
    public abstract Tensor Parts(Tensor input);

    /// <summary>The same of a random piece of each part, with zeros around it.</summary>
    /// <param name="input">[N, ...].</param>
    /// <param name="share">Of a part's side, above 0 to 1.</param>
    /// <param name="draw">A number from 0 to below its argument, for the places.</param>
    /// <exception cref="NotSupportedException">The parts are no patches of pictures.</exception>
    public virtual Tensor CroppedParts(Tensor input, double share, Func<int, int> draw) => throw new NotSupportedException("Patches of pictures alone are cropped.");

    /// <summary>c of every part: [N, R, C, D] to [N, R, C, E]. That of row i depends on no row below i.</summary>
    public abstract Tensor Contexts(Tensor parts);
}

/// <summary>
/// A network that sees each of many windows by itself, [N, C, H, W] to [N, D, R, K]: convolutions without padding, of 4 pixels with stride 2 and then of
/// 3 with stride 2, see a window of 2 s pixels every s pixels, s being 2 to their number: exactly as if the windows, which overlap by half,
/// were cut out and passed one by one, without doing their common part twice. Norms are over the channels of a position, so that nothing
/// leaks from one window to another (as batch norm would; Hénaff et al. 2019).
/// </summary>
internal static class Windows
{
    private const int Widenings = 2; // the last ones double the channels

    /// <summary>Windows along a side: (side - window) / stride + 1.</summary>
    public static int Along(int side, int window, int stride) => side < window ? 0 : (side - window) / stride + 1;

    /// <summary>The network.</summary>
    /// <param name="channels">C.</param>
    /// <param name="width">Channels of the first convolutions; the last has four times as many, the windows' representations eight times.</param>
    /// <param name="halvings">How many convolutions; 0 sees single positions.</param>
    /// <param name="flat">True: windows along the height alone, of width 1.</param>
    /// <param name="generator">Where the weights are drawn from.</param>
    public static nn.Module<Tensor, Tensor> Create(int channels, int width, int halvings, bool flat, Generator generator)
    {
        var layers = new List<nn.Module<Tensor, Tensor>>();
        int inputs = channels;
        foreach ((int outputs, int kernel, bool isNormed) in Layers(width, halvings))
        {
            int stride = kernel == 1 ? 1 : 2;
            layers.Add(new Convolution(inputs, outputs, (kernel, flat ? 1 : kernel), (stride, flat ? 1 : stride), (0, 0), generator));
            if (isNormed)
                layers.Add(new ChannelNorm(outputs));
            layers.Add(new Relu());
            inputs = outputs;
        }
        layers.Add(new Convolution(inputs, 8 * width, 1, 1, generator));
        return nn.Sequential(layers);
    }

    /// <summary>Numbers in the weights of what <see cref="Create"/> makes.</summary>
    public static long CountWeights(int channels, int width, int halvings, bool flat)
    {
        long count = 0, inputs = channels;
        foreach ((int outputs, int kernel, bool isNormed) in Layers(width, halvings))
        {
            count += inputs * outputs * kernel * (flat ? 1 : kernel) + (isNormed ? ChannelNorm.CountWeights(outputs) : 0);
            inputs = outputs;
        }
        return count + inputs * 8 * width;
    }

    /// <summary>Those with an activation. The first of several has no norm: at its resolution that would cost more than the convolution.</summary>
    private static IEnumerable<(int Outputs, int Kernel, bool IsNormed)> Layers(int width, int halvings)
        => Enumerable.Range(0, halvings)
            .Select(layer => (width << Math.Max(0, layer - (halvings - 1 - Widenings)), layer == 0 ? 4 : 3, layer > 0))
            .Append((8 * width, 1, true));
}

/// <summary>Zero mean and deviation one over the channels of each position by itself: [N, C, H, W] to the same.</summary>
internal sealed class ChannelNorm : nn.Module<Tensor, Tensor>
{
    private readonly LayerNorm norm;

    public ChannelNorm(long channels)
        : base(nameof(ChannelNorm))
    {
        norm = new LayerNorm(channels);
        RegisterComponents();
    }

    /// <summary>Scale and shift.</summary>
    public static long CountWeights(long channels) => 2 * channels;

    public override Tensor forward(Tensor input)
    {
        using Tensor last = input.permute(0, 2, 3, 1);
        using Tensor normalised = norm.forward(last);
        return normalised.permute(0, 3, 1, 2);
    }
}

/// <summary>
/// Contexts of a grid of parts, as PixelCNN makes them (van den Oord et al. 2016): residual blocks of convolutions that reach up and to the sides, not down.
/// [N, R, C, D] to the same; three blocks reach six rows up and three columns to each side.
/// </summary>
internal sealed class CausalGrid : nn.Module<Tensor, Tensor>
{
    public const int Blocks = 3;
    private readonly TorchSharp.Modules.Sequential blocks;

    public CausalGrid(int size, Generator generator)
        : base(nameof(CausalGrid))
    {
        blocks = nn.Sequential([.. Enumerable.Range(0, Blocks).Select(_ => new CausalBlock(size, size / 4, generator))]);
        RegisterComponents();
    }

    public static long CountWeights(long size)
        => Blocks * (ChannelNorm.CountWeights(size) + 2 * size * (size / 4) + 9 * (size / 4) * (size / 4));

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return blocks.forward(input.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).MoveToOuterDisposeScope();
    }

    private sealed class CausalBlock : nn.Module<Tensor, Tensor>
    {
        private static readonly long[] TwoRowsAbove = [0, 0, 2, 0];
        private readonly ChannelNorm norm;
        private readonly Convolution narrow, above, wide;

        public CausalBlock(int size, int hidden, Generator generator)
            : base(nameof(CausalBlock))
        {
            norm = new ChannelNorm(size);
            narrow = new Convolution(size, hidden, 1, 1, generator);
            above = new Convolution(hidden, hidden, (3, 3), (1, 1), (0, 1), generator);
            wide = new Convolution(hidden, size, 1, 1, generator);
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            Tensor hidden = nn.functional.relu(narrow.forward(norm.forward(input)));
            hidden = nn.functional.relu(above.forward(nn.functional.pad(hidden, TwoRowsAbove)));
            return input.Plus(wide.forward(hidden)).MoveToOuterDisposeScope();
        }
    }
}
