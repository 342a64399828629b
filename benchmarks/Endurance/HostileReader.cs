using System.Diagnostics;
using System.Reflection;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>Changes a valid file; all that it draws comes from the given stream of random numbers.</summary>
internal delegate byte[] Mutation(byte[] valid, ref SeededRandom random);

/// <summary>What became of one file.</summary>
/// <param name="Result">"accepted", or the kind of exception that refused it.</param>
/// <param name="Fault">What must not happen; null where all is well.</param>
/// <param name="Seconds">Time that reading took.</param>
/// <param name="Managed">Managed bytes that reading allocated.</param>
/// <param name="Resident">Bytes that the process's resident memory rose by.</param>
internal readonly record struct HostileOutcome(string Result, string? Fault, double Seconds, long Managed, long Resident);

/// <summary>One kind of file that nobody vouches for, with what reads it.</summary>
/// <param name="Name">One word, for reports.</param>
/// <param name="Valid">A file that is accepted; small, since each mutation copies it.</param>
/// <param name="Mutate">One of <see cref="FileMutator"/>'s.</param>
/// <param name="Read">Reads all of it, frees it, and throws where it refuses.</param>
internal sealed record HostileReader(string Name, byte[] Valid, Mutation Mutate, Action<byte[]> Read)
{
    /// <summary>The longest that a file may take, on a machine that does other work too.</summary>
    public const double MaxSeconds = 5;

    /// <summary>Memory that a file may take: this many times its size...</summary>
    public const int MaxTimesSize = 32;

    /// <summary>...and this much besides, in managed bytes allocated and in resident memory, which moves in the collector's large steps.</summary>
    public const long ManagedAllowance = 4L << 20, ResidentAllowance = 64L << 20;

    /// <summary>Address space beyond its peak. Threads and allocators reserve it by the gigabyte without using it.</summary>
    public const long AddressAllowance = 16L << 30;

    private static readonly Assembly Ours = typeof(ContrastivePretrainTransformer).Assembly;

    /// <summary>Managed bytes that a file may take besides; more where ML.NET's loader spends them before the file is looked at.</summary>
    public long Allowance { get; init; } = ManagedAllowance;

    /// <summary>The file that belongs to a seed and an index.</summary>
    public byte[] Make(ulong seed, ulong index)
    {
        var random = new SeededRandom(seed, index);
        return Mutate(Valid, ref random);
    }

    /// <summary>Reads one file and judges what happens.</summary>
    public HostileOutcome Try(byte[] file)
    {
        Exception? error = null;
        TakenMemory memory = TakenMemory.Start();
        var clock = Stopwatch.StartNew();
        try
        {
            Read(file);
        }
        catch (Exception thrown)
        {
            error = thrown;
        }
        double seconds = clock.Elapsed.TotalSeconds;
        (long managed, long resident, long addresses) = memory.Stop();
        while (error is TargetInvocationException { InnerException: { } inner })
            error = inner; // ML.NET makes transformers by reflection

        bool ours = error is null or HostileFileEscapedException || IsOurs(error);
        string result = error is null ? "accepted" : ours ? error.GetType().Name : $"{error.GetType().Name} (ML.NET's own)";
        string? fault = ours && error is not null ? FaultOf(error) : null;
        if (seconds > MaxSeconds)
            fault ??= $"took {seconds:f1} s";
        if (managed > Allowance + MaxTimesSize * (long)file.Length)
            fault ??= $"allocated {managed:n0} managed bytes for a file of {file.Length:n0}";
        if (resident > ResidentAllowance + MaxTimesSize * (long)file.Length)
            fault ??= $"raised resident memory by {resident:n0} bytes for a file of {file.Length:n0}";
        if (addresses > AddressAllowance)
            fault ??= $"raised address space by {addresses:n0} bytes for a file of {file.Length:n0}";
        return new(result, fault is not null && error is not null ? $"{fault}; {Show(error)}" : fault, seconds, managed, resident);
    }

    // What ML.NET's or the zip's code throws before or after our loader runs is not ours to change.
    private static bool IsOurs(Exception error) => new StackTrace(error).GetFrames().Any(frame => frame.GetMethod()?.DeclaringType?.Assembly == Ours);

    private static string Show(Exception error)
    {
        string message = error.Message.Length > 300 ? error.Message[..300] + "..." : error.Message;
        return $"{error.GetType().Name}: {message.ReplaceLineEndings("\\n")}{string.Concat((error.StackTrace ?? "").Split('\n').Take(5).Select(line => "\n  " + line.Trim()))}";
    }

    private static string? FaultOf(Exception error)
    {
        if (error is HostileFileEscapedException)
            return error.Message;
        if (error is not InvalidDataException)
            return $"refused by {error.GetType().Name} instead of InvalidDataException";
        if (error.Message.Any(char.IsControl))
            return "the message has control characters of the file's";
        return error.Message.Length is < 20 or > 1 << 18 ? $"a message of {error.Message.Length} characters" : null;
    }
}

/// <summary>Reading a file left something outside the folder that it may write to.</summary>
internal sealed class HostileFileEscapedException(string message) : Exception(message);
