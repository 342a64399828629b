using System.Diagnostics;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>The peers as Debian has them.</summary>
internal static class PeerPackages
{
    // The reference BLAS, which comes when nothing is said, is fifty times slower than OpenBLAS and no fair peer.
    private static readonly string[] s_packages =
        ["python3-torch", "python3-torchvision", "python3-opencv", "python3-faiss", "python3-sklearn", "libopenblas0-openmp"];

    /// <summary>Installs what is missing. What can't be installed is said, and the items that need it will say so too.</summary>
    public static void Install(Action<string> say)
    {
        string[] missing = [.. s_packages.Where(package => !IsInstalled(package))];
        if (missing.Length == 0)
            return;
        string command = $"apt-get install --no-install-recommends {string.Join(' ', missing)}";
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess || !File.Exists("/usr/bin/apt-get"))
        {
            say($"The peers {string.Join(", ", missing)} are missing. On Debian install them as root: {command}");
            return;
        }
        say($"Installing {string.Join(", ", missing)} ...");
        Start("apt-get", "update", "-q"); // should it fail, older lists may do
        if (Start("apt-get", ["-o", "DPkg::Lock::Timeout=400", "install", "-q", "-y", "--no-install-recommends", .. missing]) != 0)
            say($"Not all peers could be installed. Try as root: {command}");
    }

    /// <summary>"package version" of each that is there.</summary>
    public static IReadOnlyList<string> Versions() => [.. s_packages.Select(Version).OfType<string>()];

    private static bool IsInstalled(string package) => Version(package) is not null;

    private static string? Version(string package)
    {
        if (!File.Exists("/usr/bin/dpkg-query"))
            return null;
        using Process query = Process.Start(new ProcessStartInfo("/usr/bin/dpkg-query", ["-W", "-f", "${db:Status-Status} ${Version}", package])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        string[] told = query.StandardOutput.ReadToEnd().Split(' ');
        query.WaitForExit();
        return told is ["installed", var version] ? $"{package} {version}" : null;
    }

    private static int Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        start.Environment["DEBIAN_FRONTEND"] = "noninteractive";
        using Process process = Process.Start(start)!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }
}
