using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A network, an encoder or a classifier, with what it needs to take pictures: shared by the transformers that were made from one Fit or Load, and
/// disposed with the last of them. Any number of threads may use it at once.
/// </summary>
internal sealed class PretrainedEncoder(EncoderManifest manifest, nn.Module<Tensor, Tensor> module, Device device)
{
    // libtorch sends one small picture alone through a slow path of its own (which also complains on stderr where NNPACK is
    // not supported); two take the path of every other batch.
    private const int SmallPicture = 128 * 128;
    private readonly Lock _lock = new();
    private int _owners;
    private bool _freed;

    public EncoderManifest Manifest { get; } = manifest;

    public nn.Module<Tensor, Tensor> Module { get; } = module;

    public Device Device { get; } = device;

    /// <summary>The batch that was asked for, within 256 MB of pixels.</summary>
    public int RowsTogether => Math.Clamp((1 << 26) / (Manifest.Height * Manifest.Width * Manifest.Channels), 1, Manifest.BatchSize);

    /// <summary>One more transformer, or computation, uses it.</summary>
    /// <exception cref="ObjectDisposedException">The last user has gone.</exception>
    public PretrainedEncoder Share()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_freed, typeof(ContrastivePretrainTransformer));
            _owners++;
        }
        return this;
    }

    /// <summary>One user less.</summary>
    public void Release()
    {
        lock (_lock)
        {
            if (--_owners > 0)
                return;
            _freed = true;
        }
        Module.Dispose();
    }

    /// <summary>What the network says of <paramref name="rows"/> pictures: features, or one logit for each class.</summary>
    /// <param name="pixels">Normalised pixels, interleaved: [rows, H, W, C].</param>
    /// <param name="rows">At least 1.</param>
    /// <param name="features">[rows, D].</param>
    public void Forward(ReadOnlySpan<float> pixels, int rows, Span<float> features)
    {
        Share(); // a transformer that another thread disposes meanwhile must not take the weights from under native code
        try
        {
            ForwardShared(pixels, rows, features);
        }
        finally
        {
            Release();
        }
    }

    private void ForwardShared(ReadOnlySpan<float> pixels, int rows, Span<float> features)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        int padded = rows == 1 && Manifest.Height * Manifest.Width < SmallPicture ? 2 : rows;
        Tensor batch = zeros(padded, Manifest.Height, Manifest.Width, Manifest.Channels);
        pixels[..(rows * Manifest.Height * Manifest.Width * Manifest.Channels)].CopyTo(MemoryMarshal.Cast<byte, float>(batch.bytes));
        Tensor output = Module.forward(batch.permute(0, 3, 1, 2).to(Device)).narrow(0, 0, rows).cpu().contiguous();
        MemoryMarshal.Cast<byte, float>(output.bytes).CopyTo(features);
    }
}
