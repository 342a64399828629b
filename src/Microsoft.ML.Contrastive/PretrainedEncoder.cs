using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A network with what it needs to take examples: shared by the transformers that were made from one Fit or Load, and
/// disposed with the last of them. Any number of threads may use it at once.
/// </summary>
internal sealed class PretrainedEncoder(EncoderManifest manifest, nn.Module<Tensor, Tensor> module, Device device)
{
    private readonly Lock _lock = new();
    private int _owners;
    private bool _freed;

    public EncoderManifest Manifest { get; } = manifest;

    public nn.Module<Tensor, Tensor> Module { get; } = module;

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

    /// <summary>Features of <paramref name="rows"/> examples.</summary>
    /// <param name="batch">Holds them.</param>
    /// <param name="rows">At least 1.</param>
    /// <param name="features">[rows, D].</param>
    public void Forward(InputBatch batch, int rows, Span<float> features)
    {
        Share(); // a transformer that another thread disposes meanwhile must not take the weights from under native code
        try
        {
            using var scope = NewDisposeScope();
            using var noGradient = no_grad();
            Tensor output = Module.forward(batch.Take(rows).to(device)).narrow(0, 0, rows).cpu().contiguous();
            MemoryMarshal.Cast<byte, float>(output.bytes).CopyTo(features);
        }
        finally
        {
            Release();
        }
    }
}
