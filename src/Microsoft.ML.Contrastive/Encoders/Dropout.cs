using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Sets each number to 0 with a probability in training, and divides the others by what is left (Srivastava et al. 2014). What it draws is a function of
/// where it was <see cref="Seed">seeded</see> and of how often it was asked since, so that a step can be run again.
/// </summary>
internal sealed class Dropout(double probability) : nn.Module<Tensor, Tensor>(nameof(Dropout))
{
    private ulong? _seed;
    private ulong _asked;
    private Generator? _generator; // of a GPU

    public double Probability => probability;

    /// <summary>Whether numbers are dropped now.</summary>
    public bool IsActive => training && probability > 0;

    /// <summary>Seeds all dropout in a module, each layer's apart. One seed belongs to one pass of one step.</summary>
    public static void Seed(nn.Module module, ulong seed)
    {
        foreach ((int layer, Dropout dropout) in module.modules().OfType<Dropout>().Index())
            if (dropout.IsActive)
                dropout.Reseed(seed + (ulong)layer);
    }

    public override Tensor forward(Tensor input)
    {
        if (!IsActive)
            return input.alias();
        ulong seed = _seed ?? throw new InvalidOperationException("Dropout in training draws from the run's seed: call Dropout.Seed before the pass.");
        using var scope = NewDisposeScope();
        Tensor kept = input.device_type == DeviceType.CPU
            ? Drawn(input.shape, DropoutMask.Key(seed, _asked++)).to(input.dtype)
            : empty_like(input).bernoulli_(1 - probability, _generator ??= new Generator(seed, input.device)).Divide(1 - probability);
        return input.mul(kept).MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        _generator?.Dispose();
        base.Dispose(disposing);
    }

    private void Reseed(ulong seed)
    {
        _generator?.Dispose();
        (_seed, _asked, _generator) = (seed, 0, null);
    }

    private Tensor Drawn(long[] shape, ulong key)
    {
        Tensor mask = empty(shape, ScalarType.Float32);
        DropoutMask.Fill(MemoryMarshal.Cast<byte, float>(mask.bytes), probability, key);
        return mask;
    }
}

/// <summary>
/// Dropout's factors, sixteen at a time: libtorch draws one after the other, and a text encoder's step spent a sixth of its time there. Each pair of numbers has the
/// 64 bits of SplitMix64 (Steele, Lea, Flood 2014) at its place, so that the width of the processor's vectors changes nothing.
/// </summary>
internal static class DropoutMask
{
    private const ulong Golden = 0x9E3779B97F4A7C15UL;

    /// <summary>Where the numbers of one draw begin.</summary>
    public static ulong Key(ulong seed, ulong draw) => Mix(Vector512.Create(Mix(Vector512.Create(seed + Golden))[0] + draw))[0];

    /// <summary>Each number 0 with the probability, otherwise 1 / (1 - probability).</summary>
    /// <param name="mask">Is filled.</param>
    /// <param name="probability">Above 0, below 1.</param>
    /// <param name="key">Decides all.</param>
    public static void Fill(Span<float> mask, double probability, ulong key)
    {
        Vector512<uint> limit = Vector512.Create((uint)(probability * uint.MaxValue)), scale = Vector512.Create((float)(1 / (1 - probability))).AsUInt32();
        Vector512<ulong> place = Vector512.Create(key) + Vector512.Create(1UL, 2, 3, 4, 5, 6, 7, 8) * Golden, step = Vector512.Create(unchecked(8 * Golden));
        Span<Vector512<uint>> whole = MemoryMarshal.Cast<float, Vector512<uint>>(mask);
        foreach (ref Vector512<uint> factors in whole)
        {
            factors = Vector512.AndNot(scale, Vector512.LessThan(Mix(place).AsUInt32(), limit));
            place += step;
        }
        Span<float> rest = mask[(whole.Length * Vector512<uint>.Count)..];
        if (rest.IsEmpty)
            return;
        Vector512<float> last = Vector512.AndNot(scale, Vector512.LessThan(Mix(place).AsUInt32(), limit)).AsSingle();
        for (int i = 0; i < rest.Length; i++)
            rest[i] = last[i];
    }

    private static Vector512<ulong> Mix(Vector512<ulong> z)
    {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >>> 31);
    }
}
