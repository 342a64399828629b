using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A network, an encoder or a classifier, with what it needs to take examples: shared by the transformers that were made from one Fit or Load, and
/// disposed with the last of them. Any number of threads may use it at once.
/// </summary>
internal sealed class PretrainedEncoder
{
    // What the network makes of 16 pictures of 3 x 224 x 224 still finds room in a processor's cache: ResNet-18 and ViT-S took 12 % less time for each than in batches of 64.
    private const int InCache = 2_500_000;

    private const int InMemory = 1 << 26;

    private readonly Owners _owners;

    public PretrainedEncoder(EncoderManifest manifest, nn.Module<Tensor, Tensor> module, Device device, Tokenizer? tokenizer = null)
        : this(manifest, module, device, tokenizer, new Owners(module))
    {
    }

    private PretrainedEncoder(EncoderManifest manifest, nn.Module<Tensor, Tensor> module, Device device, Tokenizer? tokenizer, Owners owners)
        => (Manifest, Module, Device, Tokenizer, _owners) = (manifest, module, device, tokenizer, owners);

    public EncoderManifest Manifest { get; }

    public nn.Module<Tensor, Tensor> Module { get; }

    public Device Device { get; }

    /// <summary>Of texts; null for all else.</summary>
    public Tokenizer? Tokenizer { get; }

    /// <summary>The batch that was asked for, within so many pixels or other numbers.</summary>
    public int RowsTogether => Math.Clamp((Device.type == DeviceType.CPU ? InCache : InMemory) / Manifest.Input.Numbers, 1, Manifest.BatchSize);

    /// <summary>The same network for other columns or settings; it lives until the last user of either has gone.</summary>
    public PretrainedEncoder With(EncoderManifest manifest) => new(manifest, Module, Device, Tokenizer, _owners);

    /// <exception cref="ArgumentOutOfRangeException">There is no such precision.</exception>
    public PretrainedEncoder With(Precision precision) => !Enum.IsDefined(precision)
        ? throw new ArgumentOutOfRangeException(nameof(precision), precision, "Choose Precision.Single or Precision.BFloat16.")
        : With(Manifest with { Precision = precision == Precision.Single ? null : precision });

    /// <summary>A part of the same network, which takes pictures; the whole lives until the last user of either has gone.</summary>
    public PretrainedEncoder With(EncoderManifest manifest, nn.Module<Tensor, Tensor> part) => new(manifest, part, Device, tokenizer: null, _owners);

    /// <summary>One more transformer, or computation, uses it.</summary>
    /// <exception cref="ObjectDisposedException">The last user has gone.</exception>
    public PretrainedEncoder Share()
    {
        _owners.Add();
        return this;
    }

    /// <summary>One user less.</summary>
    public void Release() => _owners.Remove();

    /// <summary>
    /// What the network says of <paramref name="rows"/> examples: features, or one logit for each class. Many parts of a batch are computed side by side, each by one thread, so that no
    /// thread waits for another at every layer: MiniLM's shape took 13 % less time on two.
    /// </summary>
    /// <param name="batch">Holds them.</param>
    /// <param name="rows">At least 1.</param>
    /// <param name="outputs">[rows, D].</param>
    /// <param name="forward">What the examples pass, where it is not the network itself; by several threads at once.</param>
    public void Forward(InputBatch batch, int rows, Memory<float> outputs, Func<Tensor, Tensor>? forward = null)
    {
        Share(); // a transformer that another thread disposes meanwhile must not take the weights from under native code
        try
        {
            using var scope = NewDisposeScope(); // the batch's tensors are made in it
            InputBatch.Part[] parts = [.. batch.Take(rows, Device)];
            int threads = SmallWork.OwnThreads(Device);
            if (parts.Length < InputBatch.PartsOfThread * threads || threads == 1)
                Array.ForEach(parts, Compute);
            else
                Parallel.ForEach(Partitioner.Create(parts, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = threads }, part =>
                {
                    using SmallWork.Scope? alone = SmallWork.Alone();
                    Compute(part);
                });
        }
        catch (AggregateException error)
        {
            ExceptionDispatchInfo.Throw(error.InnerExceptions[0]);
        }
        finally
        {
            Release();
        }

        void Compute(InputBatch.Part part)
        {
            using var scope = NewDisposeScope();
            using var noGradient = no_grad();
            using Arithmetic.Scope arithmetic = Arithmetic.OfFeatures(Manifest.Precision ?? Precision.Single, Device).Use();
            Tensor output = (forward ?? Module.forward)(part.Examples.to(Device)).narrow(0, 0, part.Slots.Count).cpu().contiguous();
            ReadOnlySpan<float> numbers = MemoryMarshal.Cast<byte, float>(output.bytes);
            int size = outputs.Length / rows;
            for (int row = 0; row < part.Slots.Count; row++)
                numbers.Slice(row * size, size).CopyTo(outputs.Span[(part.Slots[row] * size)..]);
        }
    }

    /// <summary>What the network says of all pictures of a store, as they are: [pictures, D].</summary>
    /// <param name="pictures">Sealed.</param>
    /// <param name="outputSize">D.</param>
    public float[] ForwardAll(ImageStore pictures, int outputSize)
    {
        var batch = new PictureBatch((PictureInput)Manifest.Input, RowsTogether);
        var outputs = new float[pictures.Count * outputSize];
        for (int start = 0; start < pictures.Count; start += RowsTogether)
        {
            int rows = Math.Min(RowsTogether, pictures.Count - start);
            for (int slot = 0; slot < rows; slot++)
                batch.Put(slot, pictures[start + slot]);
            Forward(batch, rows, outputs.AsMemory(start * outputSize, rows * outputSize));
        }
        return outputs;
    }

    /// <summary>Who uses a module; it is freed with the last.</summary>
    private sealed class Owners(nn.Module module)
    {
        private readonly Lock _lock = new();
        private int _count;
        private bool _freed;

        public void Add()
        {
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_freed, typeof(ContrastivePretrainTransformer));
                _count++;
            }
        }

        public void Remove()
        {
            lock (_lock)
            {
                if (--_count > 0)
                    return;
                _freed = true;
            }
            module.Dispose();
        }
    }
}
