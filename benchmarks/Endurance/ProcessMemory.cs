using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>What this process holds for itself, in bytes: mapped files, which the system can drop at any time, are not in it.</summary>
internal static class ProcessMemory
{
    /// <summary>After a garbage collection, so that only what is held is counted.</summary>
    public static long AfterCollection()
    {
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        return Now();
    }

    /// <summary>As it is.</summary>
    public static long Now()
    {
        if (!OperatingSystem.IsLinux())
        {
            using var self = Process.GetCurrentProcess();
            return self.PrivateMemorySize64;
        }
        string line = File.ReadLines("/proc/self/status").First(each => each.StartsWith("RssAnon:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.AsSpan(8, line.Length - 8 - 2), NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);
    }
}
