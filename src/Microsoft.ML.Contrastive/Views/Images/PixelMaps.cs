using System.Numerics;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Contrastive;

/// <summary>A function of single numbers.</summary>
internal interface IValueMap
{
    Vector<float> Map(Vector<float> value);
}

/// <summary>A function of the three channels of a pixel.</summary>
internal interface IPixelMap
{
    void Map(ref Vector<float> red, ref Vector<float> green, ref Vector<float> blue);
}

/// <summary>Runs a map over planes, a vector of pixels at a time; a struct's map is inlined into the loop.</summary>
internal static class PixelMaps
{
    /// <summary>destination[i] = map(source[i]); both may be the same span.</summary>
    public static void Apply<TMap>(ReadOnlySpan<float> source, Span<float> destination, TMap map)
        where TMap : struct, IValueMap
    {
        destination = destination[..source.Length];
        int lanes = Vector<float>.Count, i = 0;
        ref float from = ref MemoryMarshal.GetReference(source);
        ref float to = ref MemoryMarshal.GetReference(destination);
        for (; i + lanes <= source.Length; i += lanes)
            map.Map(Vector.LoadUnsafe(ref from, (nuint)i)).StoreUnsafe(ref to, (nuint)i);
        if (i < source.Length)
            StoreRest(map.Map(LoadRest(source[i..])), destination[i..]);
    }

    /// <summary>Maps each pixel of three planes under each other, in place.</summary>
    public static void Apply<TMap>(Span<float> planes, TMap map)
        where TMap : struct, IPixelMap
    {
        int size = planes.Length / 3;
        Span<float> reds = planes[..size], greens = planes[size..(2 * size)], blues = planes[(2 * size)..];
        int lanes = Vector<float>.Count, i = 0;
        ref float r = ref MemoryMarshal.GetReference(reds);
        ref float g = ref MemoryMarshal.GetReference(greens);
        ref float b = ref MemoryMarshal.GetReference(blues);
        Vector<float> red, green, blue;
        for (; i + lanes <= size; i += lanes)
        {
            red = Vector.LoadUnsafe(ref r, (nuint)i);
            green = Vector.LoadUnsafe(ref g, (nuint)i);
            blue = Vector.LoadUnsafe(ref b, (nuint)i);
            map.Map(ref red, ref green, ref blue);
            red.StoreUnsafe(ref r, (nuint)i);
            green.StoreUnsafe(ref g, (nuint)i);
            blue.StoreUnsafe(ref b, (nuint)i);
        }
        if (i < size)
        {
            red = LoadRest(reds[i..]);
            green = LoadRest(greens[i..]);
            blue = LoadRest(blues[i..]);
            map.Map(ref red, ref green, ref blue);
            StoreRest(red, reds[i..]);
            StoreRest(green, greens[i..]);
            StoreRest(blue, blues[i..]);
        }
    }

    private static Vector<float> LoadRest(ReadOnlySpan<float> rest)
    {
        Span<float> whole = stackalloc float[Vector<float>.Count];
        rest.CopyTo(whole);
        return new Vector<float>(whole);
    }

    private static void StoreRest(Vector<float> value, Span<float> rest)
    {
        for (int i = 0; i < rest.Length; i++)
            rest[i] = value[i];
    }
}
