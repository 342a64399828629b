using System.Diagnostics;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>A program of the repository as it was built beside these tests, in the same configuration, and run as a user runs it.</summary>
internal static class BuiltProgram
{
    public static string Benchmarks { get; } = In("benchmarks", "ContrastiveML.Benchmarks.dll");

    public static string FewLabels { get; } = Sample("FewLabels");

    public static string TextFewLabels { get; } = Sample("TextFewLabels");

    public static string SentenceSearch { get; } = Sample("SentenceSearch");

    public static string ZeroShotWeb { get; } = Sample("ZeroShotWeb");

    /// <summary>Runs one of them to its end.</summary>
    public static (int ExitCode, string Output, string Error) Run(string program, params string[] arguments) => RunCommand("dotnet", [program, .. arguments]);

    /// <summary>Runs any command to its end.</summary>
    public static (int ExitCode, string Output, string Error) RunCommand(string command, string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        process.WaitForExit();
        return (process.ExitCode, output.Result, error.Result);
    }

    private static string Sample(string name) => In(Path.Combine("samples", name), $"{name}.dll");

    private static string In(string project, string file)
    {
        string[] own = AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar);
        return Path.Combine([Repository.Root, project, "bin", .. own[^2..], file]);
    }
}
