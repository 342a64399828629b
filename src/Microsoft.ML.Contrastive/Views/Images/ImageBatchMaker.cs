using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Gives a stored picture by its row.</summary>
internal delegate Picture PictureSource(int row);

/// <summary>
/// Turns rows into a batch of views. What a row becomes is a function of seed, epoch, row and view alone. Tensors are
/// [N, C, H, W] in shape, with the channels last in memory; a recipe may have a size of its own. One instance per thread.
/// </summary>
internal sealed class ImageBatchMaker(
    PictureSource pictures, IReadOnlyList<ImageAugmentation> augmentations, Normalization normalization, int height, int width, int channels)
{
    private readonly ImageViewMaker[] _makers =
        [.. augmentations.Select(recipe => new ImageViewMaker(recipe, recipe.Size ?? height, recipe.Size ?? width, channels, normalization))];

    private float[] _planar = [];

    public Views Make(ReadOnlySpan<int> rows, long epoch, ulong seed)
    {
        var views = new Tensor[_makers.Length];
        for (int view = 0; view < views.Length; view++)
        {
            (int viewHeight, int viewWidth, _) = _makers[view].Size;
            int length = channels * viewHeight * viewWidth;
            if (channels > 1 && _planar.Length < length)
                _planar = new float[length];
            views[view] = NewBatch(rows.Length, viewHeight, viewWidth, out Span<float> pixels);
            for (int i = 0; i < rows.Length; i++)
            {
                var random = new SeededRandom(seed, (ulong)epoch + 1, (ulong)rows[i], (ulong)view);
                Span<float> target = pixels.Slice(i * length, length), planar = channels == 1 ? target : _planar.AsSpan(0, length);
                _makers[view].Make(pictures(rows[i]), ref random, planar);
                if (channels > 1)
                    PixelOrder.Interleave(planar, channels, target);
            }
        }
        return new Views(views) { RowIndices = Views.IndicesOf(rows) };
    }

    private Tensor NewBatch(int rows, int viewHeight, int viewWidth, out Span<float> pixels)
    {
        using Tensor interleaved = empty(rows, viewHeight, viewWidth, channels);
        pixels = MemoryMarshal.Cast<byte, float>(interleaved.bytes);
        return interleaved.permute(0, 3, 1, 2); // shares the memory, which stays as long as this does
    }
}
