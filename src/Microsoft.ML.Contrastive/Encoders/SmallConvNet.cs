using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A small encoder for pictures of 28 to 64 pixels: four 3x3 convolutions of 1, 2, 4 and 8 times <see cref="Width"/>
/// channels with strides 2, 2, 2 and 1, each with a norm and ReLU, then means over positions. The early stride is
/// what makes it quick on a CPU: work at full resolution costs more than the rest together.
/// </summary>
public sealed record SmallConvNet : ImageEncoder
{
    private static readonly (int Factor, int Stride)[] Layers = [(1, 2), (2, 2), (4, 2), (8, 1)];

    /// <summary>Channels of the first convolution, 1 to 256. The default value is 32.</summary>
    public int Width { get; init; } = 32;

    /// <summary>
    /// The last map is averaged over Grid x Grid equal areas, and all are kept, 1 to 4. The default value is 1, the mean over
    /// all positions; 2 keeps what is where, which helps when the pictures are centred and the labels few.
    /// </summary>
    public int Grid { get; init; } = 1;

    /// <summary>What stands behind each convolution. The default value is <see cref="EncoderNorm.Batch"/>.</summary>
    public EncoderNorm Norm { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => 8 * Width * Grid * Grid;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int MinImageSize => 8;

    /// <summary>A convolution and its batch norm each.</summary>
    internal override IReadOnlyList<string[]> Stages => [.. Enumerable.Range(0, Layers.Length).Select(layer => new[] { $"{3 * layer}.", $"{3 * layer + 1}." })];

    internal override ImageEncoder HalfWidth() => this with { Width = Math.Max(1, Width / 2) };

    /// <remarks>Bounded so that an edited model file cannot ask for more memory than any of these networks would: 256 is 25 million weights.</remarks>
    internal override void Validate()
    {
        if (Width is < 1 or > 256)
            throw new ArgumentOutOfRangeException(nameof(Width), Width, "The width of a SmallConvNet must be from 1 to 256.");
        if (Grid is < 1 or > 4)
            throw new ArgumentOutOfRangeException(nameof(Grid), Grid, "The grid of a SmallConvNet must be from 1 to 4.");
        if (!Enum.IsDefined(Norm))
            throw new ArgumentOutOfRangeException(nameof(Norm), Norm, "Choose EncoderNorm.Batch or EncoderNorm.GroupWithStandardizedWeights.");
    }

    internal override long CountWeights(int channels, int height, int width)
        => Layers.Zip([channels, .. Layers.Select(layer => layer.Factor * Width)])
            .Sum(layer => 9L * layer.Second * layer.First.Factor * Width
                + Norm.CountWeights(layer.First.Factor * Width));

    internal override nn.Module<Tensor, Tensor> Build(int channels, int height, int width, Generator generator)
    {
        var layers = new List<nn.Module<Tensor, Tensor>>();
        int inputs = channels;
        foreach ((int factor, int stride) in Layers)
        {
            layers.Add(new Convolution(inputs, factor * Width, 3, stride, generator) { Standardizes = Norm.Standardizes() });
            layers.Add(Norm.Create(factor * Width));
            layers.Add(new Relu());
            inputs = factor * Width;
        }
        layers.Add(new MeanOverAreas(Grid));
        return new Chain([.. layers]);
    }
}

/// <summary>[N, C, H, W] to [N, C * grid * grid].</summary>
internal sealed class MeanOverAreas(int grid) : nn.Module<Tensor, Tensor>(nameof(MeanOverAreas))
{
    private static readonly long[] Positions = [2, 3];

    public override Tensor forward(Tensor input)
    {
        if (grid == 1)
            return input.mean(Positions);
        using Tensor areas = nn.functional.adaptive_avg_pool2d(input, [grid, grid]);
        return areas.flatten(1);
    }
}
