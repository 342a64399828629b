namespace Microsoft.ML.Contrastive.Tests.Data;

public sealed class ScratchFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("scratch-file-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void What_was_appended_is_read_once_it_is_mapped()
    {
        using var file = new ScratchFile(_folder.FullName);
        file.Append([1, 2, 3]);
        file.Append([4, 5]);
        file.Map();
        Assert.Equal(5, file.Length);
        Assert.Equal([2, 3, 4], file.Read(1, 3).ToArray());
    }

    [Fact]
    public void The_system_can_be_asked_to_read_ahead_from_any_byte()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Asked of glibc only.");
        using var file = new ScratchFile(_folder.FullName);
        file.Append(new byte[20_000]);
        file.Map();
        Assert.True(CLibrary.ReadAhead(file.Read(0, 20_000)));
        Assert.True(CLibrary.ReadAhead(file.Read(5_001, 7_000)));
    }

    [Fact]
    public void Nothing_may_be_mapped()
    {
        using var file = new ScratchFile(_folder.FullName);
        file.Map();
        Assert.Equal(0, file.Read(0, 0).Length);
    }

    /// <summary>A file without a name is freed by the kernel with the process that holds it, SIGKILL or not.</summary>
    [Fact]
    public void The_file_has_no_name_on_unix_and_is_gone_after_dispose_everywhere()
    {
        using (var file = new ScratchFile(_folder.FullName))
        {
            file.Append([1]);
            Assert.Equal(OperatingSystem.IsWindows() ? 1 : 0, _folder.GetFiles().Length);
        }
        Assert.Empty(_folder.GetFiles());
    }

    [Fact]
    public void Files_of_dead_processes_are_swept_and_no_others()
    {
        string stale = Old("contrastiveml-1.scratch"), held = Old("contrastiveml-2.scratch"), foreign = Old("other-3.scratch");
        string young = Path.Combine(_folder.FullName, "contrastiveml-4.scratch");
        File.WriteAllBytes(young, [1]);
        using (new FileStream(held, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
        using (new ScratchFile(_folder.FullName))
        {
            Assert.False(File.Exists(stale));
            Assert.True(File.Exists(held));
            Assert.True(File.Exists(foreign));
            Assert.True(File.Exists(young));
        }
        using (new ScratchFile(_folder.FullName))
            Assert.False(File.Exists(held)); // whose holder is gone now
    }

    [Fact]
    public void A_missing_folder_is_made()
    {
        string folder = Path.Combine(_folder.FullName, "a", "b");
        using var file = new ScratchFile(folder);
        Assert.True(Directory.Exists(folder));
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_named_with_the_option()
    {
        string taken = Path.Combine(_folder.FullName, "file");
        File.WriteAllBytes(taken, []);
        AssertSays(Assert.Throws<IOException>(() => new ScratchFile(taken)), taken);
        AssertSays(Assert.Throws<IOException>(() => ScratchFile.RequireRoom(taken, 1)), taken);
    }

    [Fact]
    public void A_folder_that_cannot_be_written_to_is_named_with_the_option()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs a folder that refuses everybody.");
        AssertSays(Assert.Throws<IOException>(() => new ScratchFile("/proc")), "'/proc'");
    }

    /// <summary>/dev/full answers each write as a full disk does.</summary>
    [Fact]
    public void A_full_disk_is_an_error_that_says_what_was_needed_and_what_helps()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs /dev/full.");
        using var file = new ScratchFile(_folder.FullName, new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite));
        IOException error = Assert.Throws<IOException>(() => file.Append(new byte[1_234]));
        AssertSays(error, _folder.FullName);
        Assert.Contains("1234", error.Message, StringComparison.Ordinal);
        Assert.Matches(@" has \d+ bytes free", error.Message);
        Assert.Equal(0, file.Length);
    }

    private string Old(string name)
    {
        string path = Path.Combine(_folder.FullName, name);
        File.WriteAllBytes(path, [1]);
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddHours(-1));
        return path;
    }

    private static void AssertSays(IOException error, string folder)
        => Assert.All([folder, "TrainingOptions.ScratchFolder", "TrainingOptions.MemoryBudget"], part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
}
