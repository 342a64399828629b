using System.Globalization;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>
/// What one piece of work on this thread takes: managed bytes that it allocates, freed or not, and, where Linux tells, how far
/// the process's resident memory and address space rise above where they stood, which is where libtorch's memory shows.
/// </summary>
internal readonly struct TakenMemory
{
    private const string Status = "/proc/self/status", Reset = "/proc/self/clear_refs";
    private readonly long managed, resident, addresses;

    private TakenMemory(long managed, long resident, long addresses) => (this.managed, this.resident, this.addresses) = (managed, resident, addresses);

    /// <summary>Starts to count.</summary>
    public static TakenMemory Start()
    {
        if (OperatingSystem.IsLinux())
            LowerHighMark();
        (long resident, long addresses) = Read();
        return new(GC.GetAllocatedBytesForCurrentThread(), resident, addresses);
    }

    /// <summary>Bytes since the start. The address space's mark never falls: a second peak as high as an earlier one is not seen.</summary>
    public (long Managed, long Resident, long Addresses) Stop()
    {
        long allocated = GC.GetAllocatedBytesForCurrentThread() - managed;
        (long highest, long furthest) = Read();
        return (allocated, highest - resident, furthest - addresses);
    }

    // The resident memory's high mark falls to where it stands now; where that is forbidden, only new peaks are seen.
    private static void LowerHighMark()
    {
        try
        {
            File.WriteAllText(Reset, "5");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
        }
    }

    private static (long Resident, long Addresses) Read()
    {
        if (!OperatingSystem.IsLinux())
            return default;
        long resident = 0, addresses = 0;
        foreach (string line in File.ReadLines(Status))
        {
            if (line.StartsWith("VmPeak:", StringComparison.Ordinal))
                addresses = Kilobytes(line);
            else if (line.StartsWith("VmHWM:", StringComparison.Ordinal))
                resident = Kilobytes(line);
        }
        return (resident, addresses);
    }

    private static long Kilobytes(string line)
        => 1024 * long.Parse(line.AsSpan(line.IndexOf(':', StringComparison.Ordinal) + 1).Trim().TrimEnd(" kB"), CultureInfo.InvariantCulture);
}
