using System.Runtime.InteropServices;

namespace Microsoft.ML.Contrastive;

/// <summary>What only the C library can do.</summary>
internal static partial class CLibrary
{
    private static bool canTrim = OperatingSystem.IsLinux();

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

    [LibraryImport("libc.so.6", EntryPoint = "malloc_trim")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MallocTrim(nuint pad);
}
