using System.Diagnostics;

namespace FewLabels;

/// <summary>The data can't be had as asked; the message says which file and what to do.</summary>
internal sealed class DataException(string message) : Exception(message);

/// <summary>A folder of our own in the user's cache.</summary>
internal static class LocalCache
{
    public static string Folder(string name)
    {
        string? xdg = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        string root = Path.IsPathFullyQualified(xdg ?? "") ? xdg!
            : OperatingSystem.IsLinux() ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache")
            : Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData);
        return Path.Combine(root, "ContrastiveML", name);
    }
}

/// <summary>A Debian package that is unpacked, not installed: that needs no rights and changes nothing on the machine.</summary>
internal static class DebianPackage
{
    /// <param name="name">The package.</param>
    /// <param name="size">What is downloaded, for the user.</param>
    /// <param name="say">Tells the user what is going on.</param>
    /// <param name="use">Takes what it wants from the folder of the package's files, which is then deleted.</param>
    /// <exception cref="DataException">The package can't be had.</exception>
    public static void Unpacked(string name, string size, Action<string> say, Action<string> use)
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/usr/bin/apt-get") || !File.Exists("/usr/bin/dpkg-deb"))
        {
            throw new DataException($"Debian's package {name}: no apt on this machine.");
        }

        InScratchFolder(name, scratch =>
        {
            say($"Getting Debian's package {name} ({size}) ...");
            string? failure = Run(scratch, "apt-get", "download", name);
            if (failure is not null && Environment.IsPrivilegedProcess)
            {
                // A fresh container has no package lists, and only root may fetch them.
                say("apt has no package lists yet: apt-get update ...");
                failure = Run(scratch, "apt-get", "update") ?? Run(scratch, "apt-get", "download", name);
            }

            string? package = Directory.EnumerateFiles(scratch, "*.deb").FirstOrDefault();
            failure ??= package is null ? "apt-get download left no file" : Run(scratch, "dpkg-deb", "-x", package, scratch);
            if (failure is not null)
            {
                throw new DataException($"Debian's package {name}: {failure}");
            }

            use(scratch);
        });
    }

    public static void InScratchFolder(string name, Action<string> work)
    {
        string folder = Directory.CreateTempSubdirectory(name + "-").FullName;
        try
        {
            work(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <returns>Null, or the last line of what the command said when it failed.</returns>
    private static string? Run(string folder, string command, params string[] arguments)
    {
        var start = new ProcessStartInfo(command, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var process = Process.Start(start)!;
            process.OutputDataReceived += (_, _) => { };
            process.BeginOutputReadLine();
            string errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : errors.Trim().Split('\n')[^1] is { Length: > 0 } last ? last : $"{command} ended with {process.ExitCode}";
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return $"{command}: {e.Message}";
        }
    }
}
