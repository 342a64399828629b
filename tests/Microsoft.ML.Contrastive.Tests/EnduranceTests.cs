using System.Globalization;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>What needs processes of its own: the command that docs/reliability.md names, at a length that tests can wait for.</summary>
[Trait("speed", "slow")]
public sealed class EnduranceTests : IDisposable
{
    private const string Monitored = "Monitored", FineTuning = "FineTuning", Multiview = "Multiview"; // names of the program that is killed
    private readonly string _folder = Directory.CreateTempSubdirectory("endurance-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string, int> Kills
    {
        get
        {
            var kills = new TheoryData<string, int>();
            foreach (string method in (string[])[.. Benchmarks.AllMethods.ByName.Keys, Monitored, FineTuning, Multiview])
                kills.Add(method, method == nameof(MoCoV2) ? 20 : method is Monitored or FineTuning ? 6 : 2);
            return kills;
        }
    }

    [Theory]
    [MemberData(nameof(Kills))]
    public void A_process_that_is_killed_and_started_again_ends_in_the_bytes_of_an_unbroken_run(string method, int kills)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsMacOS(), "SIGKILL is of Unix.");
        string[] figures = Run("kills", "--methods", method, "--kills", kills.ToString(CultureInfo.InvariantCulture)).Split('\n')
            .Single(line => line.StartsWith(method + " ", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(kills, Number(figures[1]));
        if (kills > 2)
            Assert.InRange(Number(figures[2]), kills / 4, kills); // in a checkpoint's writing
        Assert.InRange(Number(figures[3]), 1, kills + 1);
        Assert.Equal(figures[3], figures[4]);
    }

    [Fact]
    public void Neither_tensors_nor_memory_grow_in_long_runs()
    {
        string output = Run("memory", "--methods", nameof(MoCoV2), "--steps", "5000", "--batches", "20000");
        Assert.Contains("5000", output, StringComparison.Ordinal);
        Assert.Contains("20000", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_no_method_do_tensors_or_memory_grow()
    {
        string[] others = [.. Benchmarks.AllMethods.ByName.Keys.Where(name => name != nameof(MoCoV2))];
        string output = Run("memory", "--methods", string.Join(',', others), "--steps", "300", "--batches", "1000");
        Assert.All(others, name => Assert.Contains(name, output, StringComparison.Ordinal));
    }

    [Fact]
    public void A_disk_that_fills_up_leaves_the_last_good_checkpoint_and_the_run_goes_on_from_it()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The limit on a file's size is set by a Linux shell.");
        string unbroken = Path.Combine(_folder, "unbroken"), broken = Path.Combine(_folder, "broken");
        Assert.Equal(0, KilledRun(unbroken));
        Directory.CreateDirectory(broken);
        foreach (string early in Directory.GetFiles(unbroken).Order(StringComparer.Ordinal).Take(1))
            File.Copy(early, Path.Combine(broken, Path.GetFileName(early)));

        // Writing beyond the limit fails as it does on a full disk, in the middle of a file.
        (int exitCode, string output, string error) = BuiltProgram.RunCommand("bash", ["-c", "trap '' XFSZ; ulimit -f 300; export DOTNET_EnableWriteXorExecute=0; exec dotnet \"$@\"", "bash", BuiltProgram.Benchmarks, "endurance", "killed-run", nameof(MoCoV2), broken]);
        Assert.Equal(1, exitCode);
        Assert.Contains("could not be written", output + error, StringComparison.Ordinal);
        Assert.Contains(broken, output + error, StringComparison.Ordinal);
        Assert.Single(Directory.GetFileSystemEntries(broken));

        Assert.Equal(0, KilledRun(broken));
        Assert.Equal(File.ReadAllBytes(Directory.GetFiles(unbroken).Max()!), File.ReadAllBytes(Directory.GetFiles(broken).Max()!));
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static string Run(params string[] arguments)
    {
        (int exitCode, string output, string error) = BuiltProgram.Run(BuiltProgram.Benchmarks, ["endurance", .. arguments]);
        Assert.True(exitCode == 0, output + error);
        return output + error;
    }

    private static int KilledRun(string folder) => BuiltProgram.Run(BuiltProgram.Benchmarks, "endurance", "killed-run", nameof(MoCoV2), folder).ExitCode;
}
