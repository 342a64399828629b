using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The k largest numbers of each row, and where they stand. In single precision on the CPU by a scan that compares with the k-th largest so far, a vector at a time: of
/// 50,000 numbers it looks closely at some 2,000. Native topk and sort move all of them.
/// </summary>
internal static class LargestOfRows
{
    private const int BufferFactor = 4; // numbers that wait for one selection, in k

    /// <summary>[N, k] each, largest first; of equals the earlier place. NaN comes last.</summary>
    /// <param name="rows">[N, M].</param>
    /// <param name="k">1 to M.</param>
    public static (Tensor Values, Tensor Places) Of(Tensor rows, int k)
    {
        if (rows.dtype != ScalarType.Float32 || rows.device_type != DeviceType.CPU || !rows.is_contiguous())
            return Plain(rows, k);
        int count = (int)rows.shape[0], length = (int)rows.shape[1];
        Tensor values = empty(count, k), places = empty([count, k], ScalarType.Int64);
        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() }, () => new ulong[Math.Min(length, BufferFactor * k)], (row, _, buffer) =>
        {
            Span<float> found = MemoryMarshal.Cast<byte, float>(values.bytes).Slice(row * k, k);
            Span<long> at = MemoryMarshal.Cast<byte, long>(places.bytes).Slice(row * k, k);
            ReadOnlySpan<float> numbers = MemoryMarshal.Cast<byte, float>(rows.bytes).Slice(row * length, length);
            Select(numbers, buffer, k);
            for (int i = 0; i < k; i++)
                found[i] = numbers[(int)(at[i] = PlaceOf(buffer[i]))];
            return buffer;
        }, _ => { });
        return (values, places);
    }

    /// <summary>The same by native calls, for other devices and numbers.</summary>
    internal static (Tensor Values, Tensor Places) Plain(Tensor rows, int k)
    {
        (Tensor values, Tensor places) = rows.sort(1, descending: true, stable: true);
        return (values.narrow(1, 0, k), places.narrow(1, 0, k));
    }

    /// <summary>Leaves the keys of the k largest at the buffer's start, in order.</summary>
    private static void Select(ReadOnlySpan<float> numbers, Span<ulong> buffer, int k)
    {
        int waiting = 0;
        for (; waiting < buffer.Length; waiting++)
            buffer[waiting] = Key(numbers[waiting], waiting);
        float bound = Bound(buffer, k);
        waiting = k;
        int lanes = Vector<float>.Count, place = buffer.Length;
        while (place < numbers.Length)
        {
            int end = Math.Min(numbers.Length, place + 4 * lanes);
            if (end - place == 4 * lanes && !AnyAbove(ref Unsafe.AsRef(in numbers[place]), bound))
            {
                place = end;
                continue;
            }
            for (; place < end; place++)
            {
                if (!(numbers[place] > bound)) // an equal one that comes later is not among the first
                    continue;
                if (waiting == buffer.Length)
                {
                    bound = Bound(buffer, k);
                    waiting = k;
                    if (!(numbers[place] > bound))
                        continue;
                }
                buffer[waiting++] = Key(numbers[place], place);
            }
        }
        if (waiting > k)
            Bound(buffer[..waiting], k);
        MemoryExtensions.Sort(buffer[..k], (a, b) => b.CompareTo(a));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool AnyAbove(ref float numbers, float bound)
    {
        nuint lanes = (nuint)Vector<float>.Count;
        Vector<float> first = Vector.Max(Vector.LoadUnsafe(ref numbers), Vector.LoadUnsafe(ref numbers, lanes));
        Vector<float> second = Vector.Max(Vector.LoadUnsafe(ref numbers, 2 * lanes), Vector.LoadUnsafe(ref numbers, 3 * lanes));
        // A NaN in the maximum may hide a number: then look closely.
        return !Vector.LessThanOrEqualAll(Vector.Max(first, second), new Vector<float>(bound));
    }

    /// <summary>Brings the k largest keys to the front (Hoare 1961), and gives the least number among them.</summary>
    private static float Bound(Span<ulong> keys, int k)
    {
        int low = 0, high = keys.Length - 1;
        while (low < high)
        {
            ulong pivot = keys[low + (high - low) / 2];
            int left = low, right = high;
            while (left <= right)
            {
                while (keys[left] > pivot)
                    left++;
                while (keys[right] < pivot)
                    right--;
                if (left <= right)
                {
                    (keys[left], keys[right]) = (keys[right], keys[left]);
                    left++;
                    right--;
                }
            }
            if (k - 1 <= right)
                high = right;
            else if (k - 1 >= left)
                low = left;
            else
                break;
        }
        ulong least = keys[k - 1]; // the loop leaves the k-th largest in its place
        return least >> 32 == 0 ? float.NegativeInfinity : Number(least);
    }

    /// <summary>Orders as numbers do, and equal numbers by the earlier place; NaN below all.</summary>
    private static ulong Key(float number, int place)
    {
        uint bits = BitConverter.SingleToUInt32Bits(number + 0f); // -0 is 0
        uint order = float.IsNaN(number) ? 0 : bits >> 31 == 0 ? bits | 0x8000_0000 : ~bits;
        return ((ulong)order << 32) | (uint)~place;
    }

    private static float Number(ulong key)
    {
        uint order = (uint)(key >> 32);
        return BitConverter.UInt32BitsToSingle(order >> 31 == 1 ? order & 0x7FFF_FFFF : ~order);
    }

    private static int PlaceOf(ulong key) => ~(int)(uint)key;
}
