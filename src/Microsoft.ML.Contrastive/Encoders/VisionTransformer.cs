using System.Text.Json.Serialization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>How a <see cref="VisionTransformer"/> knows where a patch lies.</summary>
public enum PositionEmbedding
{
    /// <summary>Fixed sines and cosines of column and row, for patches in row order.</summary>
    SinCos,

    /// <summary>The same as MoCo v3's released code lists them, column by column, so that columns and rows change places: for its weights.</summary>
    SinCosPublishedOrder,

    /// <summary>Learned with the other weights (Dosovitskiy et al. 2021).</summary>
    Learned,
}

/// <summary>
/// A vision transformer (Dosovitskiy et al. 2021, "An image is worth 16x16 words") without the classifier: square patches and a
/// class token through pre-norm blocks of self-attention; the class token's last state is the representation. Tensor names are timm's.
/// </summary>
/// <remarks>
/// Height and width of the pictures must be multiples of <see cref="Patch"/>. Positions belong to the size that the network is built
/// for; pictures of another size get them interpolated (bicubic). It learns from few pictures less readily than a convolutional network.
/// </remarks>
public sealed record VisionTransformer : ImageEncoder
{
    /// <summary>More patches than this would make attention's matrices larger than a machine's memory.</summary>
    private const int MaxPatches = 4096;

    /// <summary>Height and width of a patch in pixels, 2 to 16. The default value is 16; 4 suits pictures of 32 pixels.</summary>
    public int Patch { get; init; } = 16;

    /// <summary>D, 16 to 768, a multiple of <see cref="Heads"/>, and of 4 unless positions are learned. The default value is 192.</summary>
    public int Width { get; init; } = 192;

    /// <summary>Blocks, 1 to 12. The default value is 12.</summary>
    public int Depth { get; init; } = 12;

    /// <summary>Heads of attention, 1 to 16. The default value is 3.</summary>
    public int Heads { get; init; } = 3;

    /// <summary>The default value is <see cref="PositionEmbedding.SinCos"/>, as in MoCo v3.</summary>
    public PositionEmbedding Positions { get; init; } = PositionEmbedding.SinCos;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => Width;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int MinImageSize => Patch;

    internal override int SideMultiple => Patch;

    /// <remarks>Bounded so that an edited model file cannot ask for more memory than the largest of them, ViT-B, would.</remarks>
    internal override void Validate()
    {
        Require(Patch is >= 2 and <= 16, nameof(Patch), Patch, "from 2 to 16 pixels");
        Require(Width is >= 16 and <= 768, nameof(Width), Width, "from 16 to 768");
        Require(Depth is >= 1 and <= 12, nameof(Depth), Depth, "from 1 to 12");
        Require(Heads is >= 1 and <= 16, nameof(Heads), Heads, "from 1 to 16");
        Require(Width % Heads == 0, nameof(Width), Width, $"a multiple of its {Heads} heads");
        Require(Enum.IsDefined(Positions), nameof(Positions), Positions, "SinCos, SinCosPublishedOrder or Learned");
        Require(Width % 4 == 0 || Positions == PositionEmbedding.Learned, nameof(Width), Width, "a multiple of 4, for sines and cosines of column and row");

        static void Require(bool condition, string name, object value, string what)
        {
            if (!condition)
                throw new ArgumentOutOfRangeException(name, value, $"{name} of a VisionTransformer must be {what}.");
        }
    }

    internal override IReadOnlyList<string[]> Stages
        => [["cls_token", "pos_embed", "patch_embed."], .. Enumerable.Range(0, Depth - 1).Select(block => new[] { $"blocks.{block}." }), [$"blocks.{Depth - 1}.", "norm."]];

    /// <remarks>The heads stay as many; the width stays a multiple of them and of 4.</remarks>
    internal override ImageEncoder HalfWidth()
    {
        int unit = Heads % 4 == 0 ? Heads : Heads % 2 == 0 ? 2 * Heads : 4 * Heads;
        int least = (16 + unit - 1) / unit * unit;
        return this with { Width = Math.Max(least, Width / 2 / unit * unit) };
    }

    internal override void CheckSize(int height, int width)
    {
        if (height % Patch != 0 || width % Patch != 0)
            throw new ArgumentException($"Views of {height} x {width} pixels do not divide into patches of {Patch}: set ImageSize to a multiple, such as {Math.Max(1, Math.Min(height, width) / Patch) * Patch}, or choose another Patch.");
        if ((long)(height / Patch) * (width / Patch) > MaxPatches)
            throw new ArgumentException($"Views of {height} x {width} pixels have more than {MaxPatches} patches of {Patch}: choose a larger Patch or a smaller ImageSize.");
    }

    internal override long CountWeights(int channels, int height, int width)
    {
        long size = Width, patches = (long)(height / Patch) * (width / Patch);
        long block = 12 * size * size + 13 * size; // qkv, projection, an MLP four times as wide, two norms
        return (2 + patches) * size + ((long)channels * Patch * Patch + 1) * size + Depth * block + 2 * size;
    }

    internal override nn.Module<Tensor, Tensor> Build(int channels, int height, int width, Generator generator)
        => new VisionTransformerModule(this, channels, height / Patch, width / Patch, generator);
}

internal sealed class VisionTransformerModule : nn.Module<Tensor, Tensor>
{
    private const double Deviation = 0.02; // of class token and learned positions, as in BERT and after it
    private readonly Parameter cls_token;
    private readonly Tensor pos_embed;
    private readonly PatchEmbedding patch_embed;
    private readonly Sequential blocks;
    private readonly LayerNorm norm;
    private readonly int _patch;
    private readonly long _gridHeight, _gridWidth;

    public VisionTransformerModule(VisionTransformer shape, int channels, int gridHeight, int gridWidth, Generator generator)
        : base(nameof(VisionTransformer))
    {
        (_patch, _gridHeight, _gridWidth) = (shape.Patch, gridHeight, gridWidth);
        cls_token = new Parameter(empty(1, 1, shape.Width).normal_(0, Deviation, generator));
        register_parameter(nameof(cls_token), cls_token);
        if (shape.Positions == PositionEmbedding.Learned)
        {
            var learned = new Parameter(empty(1, 1 + gridHeight * gridWidth, shape.Width).normal_(0, Deviation, generator));
            register_parameter(nameof(pos_embed), learned);
            pos_embed = learned;
        }
        else
        {
            // The class token has no place: its row is zero (Chen et al. 2021's code).
            using Tensor table = SinCosPositions(gridHeight, gridWidth, shape.Width, shape.Positions == PositionEmbedding.SinCosPublishedOrder);
            pos_embed = cat([zeros(1, shape.Width), table.to(ScalarType.Float32)], 0).unsqueeze(0);
            register_buffer(nameof(pos_embed), pos_embed);
        }
        patch_embed = new PatchEmbedding(channels, shape.Width, shape.Patch, generator);
        blocks = nn.Sequential([.. Enumerable.Range(0, shape.Depth).Select(_ => new TransformerBlock(shape.Width, shape.Heads, generator))]);
        norm = new LayerNorm(shape.Width);
        register_module(nameof(patch_embed), patch_embed);
        register_module(nameof(blocks), blocks);
        register_module(nameof(norm), norm);
    }

    /// <summary>The patches' projection keeps its random weights: what keeps MoCo v3's training stable (Chen, Xie, He 2021, section 4.2).</summary>
    public void FreezePatchProjection()
    {
        foreach (Parameter parameter in patch_embed.parameters())
            parameter.requires_grad_(false);
    }

    public override Tensor forward(Tensor input)
    {
        if (input.dim() != 4 || input.shape[2] % _patch != 0 || input.shape[3] % _patch != 0)
            throw new ArgumentException($"Pictures of [{string.Join(", ", input.shape)}] are not [N, C, H, W] with height and width in multiples of {_patch}.", nameof(input));
        using var scope = NewDisposeScope();
        Tensor patches = patch_embed.forward(input); // [N, D, rows, columns]
        Tensor x = cat([cls_token.expand(input.shape[0], 1, -1), patches.flatten(2).transpose(1, 2)], 1);
        x = blocks.forward(x.Plus(Positions(patches.shape[2], patches.shape[3])));
        return norm.forward(x.select(1, 0)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// [rows * columns, D]: sin(x w), cos(x w), sin(y w), cos(y w) in four blocks of D / 4 frequencies w_d = 10000^(-d / (D / 4)) (Chen et
    /// al. 2021). In row order, row m belongs to x = m mod columns; in the published order to x = m / rows.
    /// </summary>
    internal static Tensor SinCosPositions(long rows, long columns, long size, bool publishedOrder)
    {
        using var scope = NewDisposeScope();
        Tensor frequency = pow(10_000, Number.Range(size / 4, ScalarType.Float64).Times(-4.0 / size));
        Tensor place = Number.Range(rows * columns, ScalarType.Int64);
        (Tensor x, Tensor y) = publishedOrder
            ? (place.Over(rows, RoundingMode.floor), place.Modulo(rows))
            : (place.Modulo(columns), place.Over(columns, RoundingMode.floor));
        Tensor ofX = outer(x.to(ScalarType.Float64), frequency), ofY = outer(y.to(ScalarType.Float64), frequency);
        return cat([ofX.sin(), ofX.cos(), ofY.sin(), ofY.cos()], 1).MoveToOuterDisposeScope();
    }

    /// <summary>Rows, and columns, of the square grid that a table of positions of this shape, [1, 1 + rows * columns, width], belongs to; null where it is none.</summary>
    public static long? SideOfTable(long[] shape, long width)
    {
        if (shape.Length != 3 || shape[0] != 1 || shape[1] < 2 || shape[2] != width)
            return null;
        long side = (long)Math.Round(Math.Sqrt(shape[1] - 1));
        return side * side == shape[1] - 1 ? side : null;
    }

    /// <summary>A table of positions of a square grid, as <see cref="SideOfTable"/> knows it, for the grid of this network.</summary>
    public Tensor ResizedTable(Tensor table)
    {
        long side = SideOfTable(table.shape, pos_embed.shape[2])!.Value;
        return Resized(table, side, side, _gridHeight, _gridWidth);
    }

    private Tensor Positions(long rows, long columns)
        => (rows, columns) == (_gridHeight, _gridWidth) ? pos_embed : Resized(pos_embed, _gridHeight, _gridWidth, rows, columns);

    /// <summary>A table of another grid, bicubic; the class token's row stays.</summary>
    private static Tensor Resized(Tensor table, long fromRows, long fromColumns, long rows, long columns)
    {
        Tensor grid = table.narrow(1, 1, fromRows * fromColumns).transpose(1, 2).reshape(1, -1, fromRows, fromColumns);
        Tensor resized = nn.functional.interpolate(grid, [rows, columns], mode: InterpolationMode.Bicubic, align_corners: false);
        return cat([table.narrow(1, 0, 1), resized.flatten(2).transpose(1, 2)], 1);
    }
}

/// <summary>Each square patch, as a vector, through one linear layer; Xavier-uniform over the patch's numbers (Chen et al. 2021's code).</summary>
internal sealed class PatchEmbedding : nn.Module<Tensor, Tensor>
{
    private readonly PatchProjection proj;

    public PatchEmbedding(int channels, int width, int patch, Generator generator)
        : base(nameof(PatchEmbedding))
    {
        proj = new PatchProjection(channels, width, patch, generator);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) => proj.forward(input);

    private sealed class PatchProjection : nn.Module<Tensor, Tensor>
    {
        private readonly Parameter weight, bias;
        private readonly long[] _stride;

        public PatchProjection(int channels, int width, int patch, Generator generator)
            : base(nameof(PatchProjection))
        {
            double bound = Math.Sqrt(6.0 / (channels * patch * patch + width));
            weight = new Parameter(empty(width, channels, patch, patch).uniform_(-bound, bound, generator));
            bias = new Parameter(zeros(width));
            _stride = [patch, patch];
            RegisterComponents();
        }

        public override Tensor forward(Tensor input) => Arithmetic.Current.Convolve(input, weight, bias, _stride);
    }
}

/// <summary>x + attention(norm(x)), then x + mlp(norm(x)): [N, T, D] to the same.</summary>
internal sealed class TransformerBlock : nn.Module<Tensor, Tensor>
{
    private readonly LayerNorm norm1, norm2;
    private readonly SelfAttention attn;
    private readonly FeedForward mlp;

    public TransformerBlock(int width, int heads, Generator generator)
        : base(nameof(TransformerBlock))
    {
        norm1 = new LayerNorm(width);
        attn = new SelfAttention(width, heads, generator);
        norm2 = new LayerNorm(width);
        mlp = new FeedForward(width, 4 * width, generator);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor x = input.Plus(attn.forward(norm1.forward(input)));
        return x.Plus(mlp.forward(norm2.forward(x))).MoveToOuterDisposeScope();
    }
}

/// <summary>Scaled dot-product attention of every token to every token, in heads (Vaswani et al. 2017).</summary>
internal sealed class SelfAttention : nn.Module<Tensor, Tensor>
{
    private readonly Linear qkv, proj;
    private readonly int _heads;

    public SelfAttention(int width, int heads, Generator generator)
        : base(nameof(SelfAttention))
    {
        _heads = heads;
        qkv = Linear.Xavier(width, 3 * width, generator, matrices: 3);
        proj = Linear.Xavier(width, width, generator);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return proj.forward(Mixed(qkv.forward(input), _heads)).MoveToOuterDisposeScope();
    }

    /// <summary>Each token's mean of the values, by how its query meets their keys: [N, T, D].</summary>
    /// <param name="parts">Queries, keys and values behind each other, [N, T, 3 D].</param>
    /// <param name="heads">Of which D is a multiple.</param>
    /// <param name="isCausal">True: a token sees those before it and itself.</param>
    public static Tensor Mixed(Tensor parts, int heads, bool isCausal = false)
    {
        (long rows, long tokens, long width) = (parts.shape[0], parts.shape[1], parts.shape[2] / 3);
        Tensor[] each = parts.view(rows, tokens, 3, heads, width / heads).permute(2, 0, 3, 1, 4).unbind(0); // [N, heads, T, D / heads]
        return nn.functional.scaled_dot_product_attention(each[0], each[1], each[2], is_casual: isCausal).transpose(1, 2).reshape(rows, tokens, width);
    }
}

/// <summary>Two linear layers with GELU between them.</summary>
internal sealed class FeedForward : nn.Module<Tensor, Tensor>
{
    private readonly Linear fc1, fc2;

    public FeedForward(int width, int hidden, Generator generator)
        : base(nameof(FeedForward))
    {
        fc1 = Linear.Xavier(width, hidden, generator);
        fc2 = Linear.Xavier(hidden, width, generator);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        using Tensor hidden = fc1.forward(input);
        using Tensor active = nn.functional.gelu(hidden);
        return fc2.forward(active);
    }
}
