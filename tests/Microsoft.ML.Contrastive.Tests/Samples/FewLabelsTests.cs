using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Contrastive.Tests.Samples;

/// <summary>The demo, run as a user runs it: as a program.</summary>
[Trait("speed", "slow")]
public sealed class FewLabelsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("few-labels-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_missing_data_file_names_itself_and_the_ways_to_get_it()
    {
        (int exitCode, _, string error) = Run("--data", _folder.FullName);
        Assert.Equal(1, exitCode);
        Assert.Contains("train-images-idx3-ubyte", error, StringComparison.Ordinal);
        Assert.Contains("--data FOLDER", error, StringComparison.Ordinal);
        Assert.Contains("dataset-fashion-mnist", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_data_file_names_itself()
    {
        File.WriteAllBytes(Path.Combine(_folder.FullName, "train-images-idx3-ubyte"), new byte[16 + 60_000 * 784]);
        (int exitCode, _, string error) = Run("--data", _folder.FullName);
        Assert.Equal(1, exitCode);
        Assert.Contains("train-images-idx3-ubyte", error, StringComparison.Ordinal);
        Assert.Contains("damaged", error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_quick_demo_runs_through_and_a_second_process_predicts_the_same()
    {
        (int exitCode, string output, string error) = Run("--quick", "--out", _folder.FullName);
        if (exitCode == 1 && error.Contains("Ways to get Fashion-MNIST", StringComparison.Ordinal))
            Assert.Skip("Fashion-MNIST cannot be had here: " + error);
        Assert.True(exitCode == 0, output + error);
        Assert.Contains("predicts the same for 100 of 100", output, StringComparison.Ordinal);
        Assert.True(new FileInfo(Path.Combine(_folder.FullName, "few-labels.zip")).Length > 10_000);
        Assert.Contains("<svg", File.ReadAllText(Path.Combine(_folder.FullName, "report.html")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ctrl_C_stops_the_pretraining_with_a_checkpoint()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsMacOS(), "The signal is of Unix.");
        Assert.SkipWhen(IgnoresInterrupts(), "The tests were started in the background by a shell that has its children ignore Ctrl+C.");
        CancellationToken end = TestContext.Current.CancellationToken;
        using Process process = Process.Start(new ProcessStartInfo(
            "dotnet", [BuiltProgram.FewLabels, "--quick", "--steps", "600", "--out", _folder.FullName, "--checkpoints", Path.Combine(_folder.FullName, "run")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> error = process.StandardError.ReadToEndAsync(end);
        string? line;
        while ((line = await process.StandardOutput.ReadLineAsync(end)) is not null && !line.Contains("loss", StringComparison.Ordinal))
        {
        }
        if (line is null)
        {
            Assert.Contains("Ways to get Fashion-MNIST", await error, StringComparison.Ordinal);
            Assert.Skip("Fashion-MNIST cannot be had here: " + await error);
        }
        Process.Start("kill", ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)]).Dispose();
        _ = await process.StandardOutput.ReadToEndAsync(end);
        await process.WaitForExitAsync(end);
        Assert.Equal(130, process.ExitCode);
        Assert.Contains("goes on where it stopped", await error, StringComparison.Ordinal);
        Assert.NotEmpty(Directory.GetFiles(Path.Combine(_folder.FullName, "run"), "*.safetensors"));
    }

    /// <summary>By the mask of ignored signals that a process hands on to its children, where SIGINT, 2, is the second bit.</summary>
    private static bool IgnoresInterrupts() => File.Exists("/proc/self/status") && File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith("SigIgn:", StringComparison.Ordinal)) is { } mask
        && (ulong.Parse(mask.Split('\t')[^1], NumberStyles.HexNumber, CultureInfo.InvariantCulture) & 2) != 0;

    private static (int ExitCode, string Output, string Error) Run(params string[] arguments) => BuiltProgram.Run(BuiltProgram.FewLabels, arguments);
}
