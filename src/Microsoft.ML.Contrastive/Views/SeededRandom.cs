namespace Microsoft.ML.Contrastive;

/// <summary>
/// A stream of pseudo-random numbers that is a function of its keys alone, so that what a row draws does not depend
/// on threads, on the order of rows or on the host program's generators. SplitMix64 (Steele, Lea, Flood 2014), whose
/// starting point is a hash of the keys.
/// </summary>
internal struct SeededRandom : IUniformDraws
{
    private const ulong Golden = 0x9E3779B97F4A7C15UL;
    private ulong _state;

    /// <summary>
    /// Starts the stream that belongs to <paramref name="seed"/> and up to three further keys: epoch, row and view for a
    /// picture. What is drawn once for an epoch or a step has <see cref="ulong.MaxValue"/> in the row's place.
    /// </summary>
    public SeededRandom(ulong seed, ulong first = 0, ulong second = 0, ulong third = 0)
        => _state = Mix(Mix(Mix(Mix(seed + Golden) + first) + second) + third);

    /// <summary>64 uniform bits.</summary>
    public ulong NextBits() => Mix(_state += Golden);

    /// <summary>Uniform in [0, 1), with 53 bits.</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public double NextDouble(double low, double high) => low + (high - low) * NextDouble();

    /// <summary>Uniform in 0 .. <paramref name="count"/> - 1 (multiply-shift; its bias is below 2^-32 for any array length).</summary>
    public int NextInt(int count) => (int)Math.BigMul(NextBits(), (ulong)count, out _);

    /// <summary>True with the given probability; draws nothing for 0 or 1, so that an option that is off costs nothing.</summary>
    public bool NextBool(double probability) => probability >= 1 || (probability > 0 && NextDouble() < probability);

    /// <summary>Shuffles in place: each order equally likely (Fisher-Yates).</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (int last = items.Length - 1; last > 0; last--)
        {
            int pick = NextInt(last + 1);
            (items[last], items[pick]) = (items[pick], items[last]);
        }
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
