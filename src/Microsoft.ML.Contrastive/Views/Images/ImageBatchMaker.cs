using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Gives a stored picture by its row.</summary>
internal delegate Picture PictureSource(int row);

/// <summary>
/// Turns rows into a batch of views. What a row becomes is a function of seed, epoch, row and view alone. Tensors are
/// [N, C, H, W] in shape, with the channels last in memory. One instance per thread.
/// </summary>
internal sealed class ImageBatchMaker(
    PictureSource pictures, IReadOnlyList<ImageAugmentation> augmentations, Normalization normalization, int height, int width, int channels)
{
    private readonly ImageViewMaker[] _makers = [.. augmentations.Select(recipe => new ImageViewMaker(recipe, height, width, channels, normalization))];
    private readonly float[] _planar = new float[channels * height * width];

    public Views Make(ReadOnlySpan<int> rows, long epoch, ulong seed)
    {
        var views = new Tensor[_makers.Length];
        for (int view = 0; view < views.Length; view++)
        {
            views[view] = NewBatch(rows.Length, out Span<float> pixels);
            for (int i = 0; i < rows.Length; i++)
            {
                var random = new SeededRandom(seed, (ulong)epoch + 1, (ulong)rows[i], (ulong)view);
                Span<float> target = pixels.Slice(i * _planar.Length, _planar.Length);
                _makers[view].Make(pictures(rows[i]), ref random, channels == 1 ? target : _planar);
                if (channels > 1)
                    PixelOrder.Interleave(_planar, channels, target);
            }
        }
        return new Views(views) { RowIndices = tensor(Array.ConvertAll(rows.ToArray(), row => (long)row)) };
    }

    private Tensor NewBatch(int rows, out Span<float> pixels)
    {
        using Tensor interleaved = empty(rows, height, width, channels);
        pixels = MemoryMarshal.Cast<byte, float>(interleaved.bytes);
        return interleaved.permute(0, 3, 1, 2); // shares the memory, which stays as long as this does
    }
}
