using System.Numerics;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The sum of consecutive rows, each with a weight: the vertical pass of resizing and of blurring, and, with rows that
/// start one number after the other, the horizontal pass of blurring.
/// </summary>
internal static class WeightedRows
{
    /// <summary>
    /// <paramref name="destination"/>[x] = <paramref name="scale"/> * sum over k of weights[k] * source[k * stride + x], for x
    /// below <paramref name="width"/>. Numbers after these, up to the destination's end, may be overwritten too, so that short
    /// rows need no scalar rest: fill rows in ascending order.
    /// </summary>
    public static void Sum(ReadOnlySpan<byte> source, int stride, int width, ReadOnlySpan<float> weights, float scale, Span<float> destination)
    {
        int bytes = Vector<byte>.Count, lanes = Vector<float>.Count;
        int room = Math.Min(source.Length - (weights.Length - 1) * stride, destination.Length);
        ref byte from = ref MemoryMarshal.GetReference(source);
        ref float to = ref MemoryMarshal.GetReference(destination);
        int x = 0;
        for (; x < width && x + bytes <= room; x += bytes)
        {
            Vector<float> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
            for (int k = 0; k < weights.Length; k++)
            {
                var weight = new Vector<float>(weights[k]);
                Vector.Widen(Vector.LoadUnsafe(ref from, (nuint)(k * stride + x)), out Vector<ushort> low, out Vector<ushort> high);
                Vector.Widen(low, out Vector<uint> first, out Vector<uint> second);
                Vector.Widen(high, out Vector<uint> third, out Vector<uint> fourth);
                sum0 = Vector.MultiplyAddEstimate(ToSingle(first), weight, sum0);
                sum1 = Vector.MultiplyAddEstimate(ToSingle(second), weight, sum1);
                sum2 = Vector.MultiplyAddEstimate(ToSingle(third), weight, sum2);
                sum3 = Vector.MultiplyAddEstimate(ToSingle(fourth), weight, sum3);
            }
            (sum0 * scale).StoreUnsafe(ref to, (nuint)x);
            (sum1 * scale).StoreUnsafe(ref to, (nuint)(x + lanes));
            (sum2 * scale).StoreUnsafe(ref to, (nuint)(x + 2 * lanes));
            (sum3 * scale).StoreUnsafe(ref to, (nuint)(x + 3 * lanes));
        }
        for (; x < width; x++)
        {
            float sum = 0;
            for (int k = 0; k < weights.Length; k++)
                sum += weights[k] * source[k * stride + x];
            destination[x] = sum * scale;
        }

        // Signed conversion is one instruction, unsigned several; a byte fits both.
        static Vector<float> ToSingle(Vector<uint> values) => Vector.ConvertToSingle(Vector.AsVectorInt32(values));
    }

    /// <summary>
    /// <paramref name="destination"/>[x] = sum over k of weights[k] * source[k * stride + x], for x below
    /// <paramref name="width"/>; the destination must not overlap the source.
    /// </summary>
    public static void Sum(ReadOnlySpan<float> source, int stride, int width, ReadOnlySpan<float> weights, Span<float> destination)
    {
        source = source[..((weights.Length - 1) * stride + width)];
        destination = destination[..width];
        int lanes = Vector<float>.Count;
        ref float from = ref MemoryMarshal.GetReference(source);
        ref float to = ref MemoryMarshal.GetReference(destination);
        int x = 0;
        for (; x + 4 * lanes <= width; x += 4 * lanes)
        {
            Vector<float> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
            for (int k = 0; k < weights.Length; k++)
            {
                var weight = new Vector<float>(weights[k]);
                nuint at = (nuint)(k * stride + x);
                sum0 = Vector.MultiplyAddEstimate(Vector.LoadUnsafe(ref from, at), weight, sum0);
                sum1 = Vector.MultiplyAddEstimate(Vector.LoadUnsafe(ref from, at + (nuint)lanes), weight, sum1);
                sum2 = Vector.MultiplyAddEstimate(Vector.LoadUnsafe(ref from, at + (nuint)(2 * lanes)), weight, sum2);
                sum3 = Vector.MultiplyAddEstimate(Vector.LoadUnsafe(ref from, at + (nuint)(3 * lanes)), weight, sum3);
            }
            sum0.StoreUnsafe(ref to, (nuint)x);
            sum1.StoreUnsafe(ref to, (nuint)(x + lanes));
            sum2.StoreUnsafe(ref to, (nuint)(x + 2 * lanes));
            sum3.StoreUnsafe(ref to, (nuint)(x + 3 * lanes));
        }
        while (x < width && width >= lanes)
        {
            x = Math.Min(x, width - lanes); // the last vector overlaps the one before
            Vector<float> sum = default;
            for (int k = 0; k < weights.Length; k++)
                sum = Vector.MultiplyAddEstimate(Vector.LoadUnsafe(ref from, (nuint)(k * stride + x)), new Vector<float>(weights[k]), sum);
            sum.StoreUnsafe(ref to, (nuint)x);
            x += lanes;
        }
        for (; x < width; x++)
        {
            float sum = 0;
            for (int k = 0; k < weights.Length; k++)
                sum += weights[k] * source[k * stride + x];
            destination[x] = sum;
        }
    }
}
