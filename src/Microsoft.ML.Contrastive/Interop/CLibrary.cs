using System.Runtime.InteropServices;

namespace Microsoft.ML.Contrastive;

/// <summary>What only the C library can do.</summary>
internal static partial class CLibrary
{
    private static bool canTrim = OperatingSystem.IsLinux(), canReadAhead = OperatingSystem.IsLinux();

    /// <summary>
    /// Gives free memory back to the system where the C library is glibc, and does nothing elsewhere. A training loop calls it every
    /// 50 steps or so: libtorch's blocks fragment glibc's heap, which else grows by up to a megabyte a step with no tensor leaked.
    /// </summary>
    internal static void TrimHeap()
    {
        if (!canTrim)
            return;
        try
        {
            _ = MallocTrim(0);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            canTrim = false; // musl
        }
    }

    /// <summary>
    /// Tells glibc to keep freed memory for the next allocation instead of giving it back at once, for the whole process and for
    /// good; does nothing elsewhere. A training step frees all it took when it ends, and without this the next step pays a page
    /// fault for every 4 KiB of it again.
    /// </summary>
    internal static void KeepFreedMemory()
    {
        const int TrimThreshold = -1, MapThreshold = -3;
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            _ = SetMallocOption(MapThreshold, 32 << 20); // the highest that glibc's own adjustment reaches
            _ = SetMallocOption(TrimThreshold, 1 << 30);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // musl has neither the option nor the habit.
        }
    }

    /// <summary>
    /// Asks the system to start reading bytes of a mapped file, and does not wait. Where the C library is not glibc nothing is
    /// asked; false then, or where the bytes are not mapped.
    /// </summary>
    internal static unsafe bool ReadAhead(ReadOnlySpan<byte> mapped)
    {
        const int WillNeed = 3;
        if (!canReadAhead)
            return false;
        try
        {
            fixed (byte* start = mapped)
            {
                nuint before = (nuint)start % (nuint)Environment.SystemPageSize;
                return Advise((nuint)start - before, before + (nuint)mapped.Length, WillNeed) == 0;
            }
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return canReadAhead = false; // musl
        }
    }

    [LibraryImport("libc.so.6", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Advise(nuint start, nuint length, int advice);

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetMallocOption(int option, int value);

    [LibraryImport("libc.so.6", EntryPoint = "malloc_trim")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MallocTrim(nuint pad);
}
