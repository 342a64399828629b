using System.Numerics;
using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// CPC's encoder of pictures (van den Oord et al. 2018, section 3.3): a grid of 7 x 7 patches that overlap by half, each seen by itself
/// by one small network; another gives each patch a context of the rows down to its own. The features are the contexts' means over
/// areas. Pictures of another size are resized to the side that has 7 x 7 patches, four times <see cref="Patch"/>: 28 and 32 pixels become 64. For
/// <see cref="Cpc"/>; any method can train it.
/// </summary>
public sealed record PatchEncoder : ImageEncoder
{
    internal const int PatchesPerSide = 7, MaxWidth = 128;

    /// <summary>Channels of the first convolution, 1 to 128; a patch is represented by 8 times as many numbers. The default value is 32.</summary>
    public int Width { get; init; } = 32;

    /// <summary>
    /// The contexts are averaged over Grid x Grid areas, and all are kept, 1 to 4. The default value is 1, the mean over
    /// all patches; 2 keeps what is where, which helps when the pictures are centred.
    /// </summary>
    public int Grid { get; init; } = 1;

    /// <summary>Side of a patch in pixels, of the picture as it is resized: 8, 16, 32 or 64, the paper's. The default value is 16.</summary>
    public int Patch { get; init; } = 16;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => PartSize * Grid * Grid;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int MinImageSize => 8;

    /// <summary>D, the length of a patch's representation.</summary>
    internal int PartSize => 8 * Width;

    /// <summary>Side of the picture that has 7 x 7 patches.</summary>
    internal int Side => Patch + (PatchesPerSide - 1) * Patch / 2;

    /// <summary>Convolutions of stride 2 from a patch to the next.</summary>
    private int Halvings => BitOperations.Log2((uint)Patch) - 1;

    internal override IReadOnlyList<string[]> Stages => [["patches."], ["context."]];

    internal override ImageEncoder HalfWidth() => this with { Width = Math.Max(1, Width / 2) };

    /// <remarks>Bounded so that an edited model file cannot ask for more memory than any of these networks would.</remarks>
    internal override void Validate()
    {
        if (Width is < 1 or > MaxWidth)
            throw new ArgumentOutOfRangeException(nameof(Width), Width, $"The width of a PatchEncoder must be from 1 to {MaxWidth}.");
        if (Grid is < 1 or > 4)
            throw new ArgumentOutOfRangeException(nameof(Grid), Grid, "The grid of a PatchEncoder must be from 1 to 4.");
        if (Patch is not (8 or 16 or 32 or 64))
            throw new ArgumentOutOfRangeException(nameof(Patch), Patch, "The patch of a PatchEncoder must be 8, 16, 32 or 64.");
    }

    internal override long CountWeights(int channels, int height, int width)
        => Windows.CountWeights(channels, Width, Halvings, flat: false) + CausalGrid.CountWeights(PartSize);

    internal override nn.Module<Tensor, Tensor> Build(int channels, int height, int width, Generator generator)
        => new PatchModule(this, Windows.Create(channels, Width, Halvings, flat: false, generator), generator);

    private sealed class PatchModule : PartsModule
    {
        private readonly nn.Module<Tensor, Tensor> patches;
        private readonly CausalGrid context;
        private readonly PatchEncoder _shape;
        private readonly MeanOverAreas _mean;

        public PatchModule(PatchEncoder shape, nn.Module<Tensor, Tensor> patches, Generator generator)
            : base(nameof(PatchEncoder))
        {
            (_shape, this.patches, context) = (shape, patches, new CausalGrid(shape.PartSize, generator));
            register_module(nameof(patches), patches);
            register_module(nameof(context), context);
            _mean = new MeanOverAreas(shape.Grid);
        }

        public override int PartSize => _shape.PartSize;

        public override int ContextSize => _shape.PartSize;

        public override Tensor Parts(Tensor input)
        {
            using Tensor map = Map(input);
            return map.permute(0, 2, 3, 1);
        }

        /// <remarks>What patches have in common is no longer the same, so that each passes by itself.</remarks>
        public override Tensor CroppedParts(Tensor input, double share, Func<int, int> draw)
        {
            using var scope = NewDisposeScope();
            int patch = _shape.Patch, kept = Math.Clamp((int)Math.Round(share * patch), 1, patch);
            Tensor cut = Resized(input).unfold(2, patch, patch / 2).unfold(3, patch, patch / 2) // [N, C, 7, 7, P, P]
                .permute(0, 2, 3, 1, 4, 5).reshape(-1, input.shape[1], patch, patch);
            cut = PieceAlong(2, PieceAlong(3, cut, kept, draw), kept, draw);
            int before = (patch - kept) / 2, behind = patch - kept - before;
            Tensor padded = nn.functional.pad(cut, [before, behind, before, behind]);
            return patches.forward(padded).view(input.shape[0], PatchesPerSide, PatchesPerSide, PartSize).MoveToOuterDisposeScope();
        }

        public override Tensor Contexts(Tensor parts) => context.forward(parts);

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            return _mean.forward(Contexts(Parts(input)).permute(0, 3, 1, 2)).MoveToOuterDisposeScope();
        }

        /// <summary>Of each picture as many numbers along an axis as are kept, from a random place of its own on.</summary>
        private static Tensor PieceAlong(int axis, Tensor pictures, int kept, Func<int, int> draw)
        {
            var starts = new long[pictures.shape[0]];
            for (int i = 0; i < starts.Length; i++)
                starts[i] = draw((int)pictures.shape[axis] - kept + 1);
            long[] column = [starts.Length, 1, 1, 1], along = [1, 1, 1, 1], all = [.. pictures.shape];
            (along[axis], all[axis]) = (kept, kept);
            Tensor places = tensor(starts, device: pictures.device).view(column).Plus(Number.Range(kept, ScalarType.Int64, pictures.device).view(along));
            return pictures.gather(axis, places.expand(all));
        }

        /// <summary>[N, C, H, W] to [N, D, 7, 7].</summary>
        private Tensor Map(Tensor input)
        {
            using var scope = NewDisposeScope();
            return patches.forward(Resized(input)).MoveToOuterDisposeScope();
        }

        /// <summary>[N, C, H, W] to the side that has 7 x 7 patches.</summary>
        private Tensor Resized(Tensor input)
        {
            if (input.dim() != 4)
                throw new ArgumentException($"Pictures of [{string.Join(", ", input.shape)}] are not [N, C, H, W].", nameof(input));
            int side = _shape.Side;
            return input.shape[2] == side && input.shape[3] == side
                ? input.alias()
                : nn.functional.interpolate(input, [side, side], mode: InterpolationMode.Bilinear, align_corners: false);
        }
    }
}
