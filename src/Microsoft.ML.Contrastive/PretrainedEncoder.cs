using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A network with what it needs to take pictures: shared by the transformers that were made from one Fit or Load, and
/// disposed with the last of them. Any number of threads may use it at once.
/// </summary>
internal sealed class PretrainedEncoder(EncoderManifest manifest, nn.Module<Tensor, Tensor> module, Device device)
{
    // libtorch sends one small picture alone through a slow path of its own (which also complains on stderr where NNPACK is
    // not supported); two take the path of every other batch.
    private const int SmallPicture = 128 * 128;
    private int _owners;

    public EncoderManifest Manifest { get; } = manifest;

    public nn.Module<Tensor, Tensor> Module { get; } = module;

    /// <summary>One more transformer uses it.</summary>
    public PretrainedEncoder Share()
    {
        Interlocked.Increment(ref _owners);
        return this;
    }

    /// <summary>One transformer less uses it.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _owners) == 0)
            Module.Dispose();
    }

    /// <summary>Features of <paramref name="rows"/> pictures.</summary>
    /// <param name="pixels">Normalised pixels, interleaved: [rows, H, W, C].</param>
    /// <param name="rows">At least 1.</param>
    /// <param name="features">[rows, D].</param>
    public void Forward(ReadOnlySpan<float> pixels, int rows, Span<float> features)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        int padded = rows == 1 && Manifest.Height * Manifest.Width < SmallPicture ? 2 : rows;
        Tensor batch = zeros(padded, Manifest.Height, Manifest.Width, Manifest.Channels);
        pixels[..(rows * Manifest.Height * Manifest.Width * Manifest.Channels)].CopyTo(MemoryMarshal.Cast<byte, float>(batch.bytes));
        Tensor output = Module.forward(batch.permute(0, 3, 1, 2).to(device)).narrow(0, 0, rows).cpu().contiguous();
        MemoryMarshal.Cast<byte, float>(output.bytes).CopyTo(features);
    }
}
