using System.Text.RegularExpressions;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>
/// The same Fit with the same folder goes on where it stopped. Final checkpoints are compared as files: they hold every weight,
/// target, statistic, queue and optimizer buffer. Processes that are killed are the part of the endurance tests.
/// </summary>
public sealed class CheckpointTests : IDisposable
{
    private const int Total = 12, Rows = 70;
    private static readonly TrainingOptions Run = new() { Steps = Total, BatchSize = 32, ReportEvery = 1, CheckpointSteps = 2 };
    private readonly string _folder = Directory.CreateTempSubdirectory("checkpoints").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>State that no method has by default: NCE's constant, and noise that is drawn in each step.</summary>
    public static TheoryData<ContrastiveMethod> FurtherForms =>
    [
        new InstDisc { Contrast = BankContrast.Nce, Partition = NcePartition.MovingAverage() },
        new Cmc { Contrast = BankContrast.Nce },
    ];

    [Theory]
    [MemberData(nameof(AllMethods.Data), MemberType = typeof(AllMethods))]
    [MemberData(nameof(FurtherForms))]
    public void A_run_that_is_cancelled_twice_ends_in_the_bytes_of_an_unbroken_one(ContrastiveMethod method)
    {
        byte[] unbroken = FinalOf(Fit(method, In("unbroken")), "unbroken");
        foreach (int stop in new[] { 5, 7 })
        {
            Assert.Throws<OperationCanceledException>(() => Fit(method, In("broken"), cancelAt: stop));
            Assert.Equal(stop, Steps("broken").Max()); // a step at which none was due
        }
        Assert.Equal(unbroken, FinalOf(Fit(method, In("broken")), "broken"));
    }

    [Fact]
    public void The_hosts_cancelling_leaves_a_checkpoint_too()
    {
        var ml = new MLContext(1);
        TrainingOptions options = In("host") with { Progress = new OnProgress(report => { if (report.Step == 5) ml.CancelExecution(); }) };
        Assert.Throws<OperationCanceledException>(() => Estimator(ml, new SimClrV1(), options).Fit(ml.View(Pictures.Make(Rows))));
        Assert.Equal(5, Steps("host").Max());
    }

    [Fact]
    public void The_newest_few_are_kept_and_nothing_else_stays_in_the_folder()
    {
        Fit(new SimSiam(), In("kept") with { CheckpointsKept = 2 });
        Assert.Equal([10L, 12L], Steps("kept"));
        Assert.Equal(2, Directory.GetFileSystemEntries(Path.Combine(_folder, "kept")).Length);
    }

    [Fact]
    public void Time_alone_makes_checkpoints_too()
    {
        Fit(new SimSiam(), In("time") with { CheckpointSteps = null, CheckpointInterval = TimeSpan.FromTicks(1), CheckpointsKept = 100 });
        Assert.Equal(Enumerable.Range(1, Total).Select(step => (long)step), Steps("time"));
        Fit(new SimSiam(), In("end") with { CheckpointSteps = null });
        Assert.Equal([(long)Total], Steps("end"));
    }

    [Fact]
    public void A_finished_run_is_read_not_trained_again()
    {
        var ml = new MLContext(1);
        IDataView data = ml.View(Pictures.Make(Rows));
        using ContrastivePretrainTransformer first = Fit(new MoCoV2(), In("done")), again = Fit(
            new MoCoV2(), In("done") with { Progress = new OnProgress(_ => Assert.Fail("A training step was made.")) });
        Assert.Equal(first.Transform(data).Features(), again.Transform(data).Features());
    }

    [Fact]
    public void A_run_without_a_seed_goes_on_with_the_seed_that_it_drew()
    {
        Assert.Throws<OperationCanceledException>(() => Fit(new SimClrV1(), In("drawn"), cancelAt: 3, seed: null));
        using ContrastivePretrainTransformer encoder = Fit(new SimClrV1(), In("drawn"), seed: null);
        int seed = int.Parse(Regex.Match(encoder.TrainingRecord, "\"seed\":(\\d+)").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(FinalOf(Fit(new SimClrV1(), In("given"), seed: seed), "given"), FinalOf(encoder, "drawn"));
    }

    public static TheoryData<string, string> OtherRuns => new()
    {
        { "settings", "settings.temperature is 0.2 in the checkpoint, 0.3 in this Fit" },
        { "method", "method is \"SimClrV1\" in the checkpoint, \"SimSiam\" in this Fit" },
        { "encoder", "encoder.width is 8 in the checkpoint, 4 in this Fit" },
        { "kind of encoder", "encoder.kind is \"smallConvNet\" in the checkpoint, \"resNet\" in this Fit" },
        { "one pixel", "data is \"" },
        { "rows", "rows is 70 in the checkpoint, 80 in this Fit" },
        { "batch", "batchSize is 32 in the checkpoint, 16 in this Fit" },
        { "steps", "steps is 12 in the checkpoint, 13 in this Fit" },
        { "seed", "seed is 1 in the checkpoint, 2 in this Fit" },
        { "start", "startsFrom is \"random weights\" in the checkpoint" },
    };

    [Theory]
    [MemberData(nameof(OtherRuns))]
    public void A_checkpoint_of_another_run_is_refused_with_the_difference_named(string what, string named)
    {
        Assert.Throws<OperationCanceledException>(() => Fit(new SimClrV1(), In("one"), cancelAt: 3));
        PictureRow[] rows = Pictures.Make(what == "rows" ? 80 : Rows);
        if (what == "one pixel")
            rows[^1].Image[^1] ^= 1;
        var ml = new MLContext(what == "seed" ? 2 : 1);
        ContrastiveMethod method = what switch { "settings" => new SimClrV1 { Temperature = 0.3 }, "method" => new SimSiam(), _ => new SimClrV1() };
        ImageEncoder encoder = what switch { "encoder" => ImageEncoder.SmallConvNet(4), "kind of encoder" => ImageEncoder.ResNet18(Stem.Small), _ => ImageEncoder.SmallConvNet(8) };
        TrainingOptions options = In("one") with { BatchSize = what == "batch" ? 16 : 32, Steps = what == "steps" ? 13 : Total };
        ContrastivePretrainEstimator estimator = Estimator(ml, method, options, encoder);
        IDataView data = ml.View(rows);
        using ContrastivePretrainTransformer? start = what == "start" ? estimator.Untrained(data) : null;

        var error = Assert.Throws<ArgumentException>(() => estimator.Fit(data, start));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.Contains("CheckpointFolder of its own", error.Message, StringComparison.Ordinal);
        Assert.Equal([2L, 3L], Steps("one")); // untouched
    }

    [Fact]
    public void Damaged_checkpoints_are_skipped_for_the_one_before_and_said()
    {
        byte[] unbroken = FinalOf(Fit(new MoCoV2(), In("unbroken")), "unbroken");
        Assert.Throws<OperationCanceledException>(() => Fit(new MoCoV2(), In("broken") with { CheckpointsKept = 6 }, cancelAt: 9));
        string[] files = [.. Files("broken")]; // 2 4 6 8 9
        Damage(files[4], bytes => bytes[bytes.Length / 2] ^= 1); // a weight
        File.WriteAllBytes(files[3], File.ReadAllBytes(files[3])[..^100]);
        File.WriteAllBytes(files[2], []);

        var warnings = new List<string>();
        byte[] broken = FinalOf(Fit(new MoCoV2(), In("broken") with { CheckpointsKept = 6, Progress = new OnProgress(Once(report => Assert.Equal(5, report.Step))) }, warnings: warnings), "broken");
        Assert.Equal(unbroken, broken);
        Assert.Equal(3, warnings.Count(text => text.Contains("skipped", StringComparison.Ordinal)));
        Assert.Contains(warnings, text => text.Contains(Path.GetFileName(files[4]), StringComparison.Ordinal));
    }

    [Fact]
    public void Damage_of_any_byte_is_noticed()
    {
        Assert.Throws<OperationCanceledException>(() => Fit(new SimSiam(), In("bytes"), cancelAt: 1));
        string file = Assert.Single(Files("bytes"));
        byte[] whole = File.ReadAllBytes(file);
        var random = new Random(1);
        for (int i = 0; i < 200; i++)
        {
            byte[] bytes = [.. whole];
            bytes[i < 100 ? random.Next(3000) : random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8)); // the header is at the start
            File.WriteAllBytes(file, bytes);
            Assert.Throws<InvalidDataException>(() => Checkpoint.Read(file));
        }
        File.WriteAllBytes(file, whole);
        Assert.Equal(1, Checkpoint.Read(file).Step);
    }

    [Fact]
    public void With_every_checkpoint_damaged_the_run_starts_anew_and_its_own_checkpoints_stay()
    {
        byte[] unbroken = FinalOf(Fit(new SimSiam(), In("unbroken")), "unbroken");
        Assert.Throws<OperationCanceledException>(() => Fit(new SimSiam(), In("broken"), cancelAt: 9));
        foreach (string file in Files("broken"))
            Damage(file, bytes => bytes[^1] ^= 1);
        Assert.Throws<OperationCanceledException>(() => Fit(new SimSiam(), In("broken"), cancelAt: 5));
        Assert.Contains(5L, Steps("broken")); // the damaged later ones don't push it out
        Assert.Equal(unbroken, FinalOf(Fit(new SimSiam(), In("broken") with { Progress = new OnProgress(Once(report => Assert.Equal(6, report.Step))) }), "broken"));
    }

    [Fact]
    public void A_folder_serves_one_run_at_a_time_and_what_a_killed_process_left_half_written_goes()
    {
        string half = Path.Combine(_folder, "one", "step-000000000004.safetensors.0123.tmp");
        Directory.CreateDirectory(Path.Combine(_folder, "one"));
        File.WriteAllText(half, "half");
        Fit(new SimSiam(), In("one") with
        {
            Progress = new OnProgress(Once(_ =>
            {
                Assert.False(File.Exists(half));
                var error = Assert.Throws<IOException>(() => Fit(new SimSiam(), In("one")));
                Assert.Contains("one Fit at a time", error.Message, StringComparison.Ordinal);
            })),
        });
        Fit(new SimSiam(), In("one")); // let go
    }

    [Fact]
    public void A_folder_that_cannot_be_written_stops_before_any_training()
    {
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        foreach (string folder in new[] { Path.Combine(file, "below"), file, "/proc/nowhere" })
        {
            if (folder.StartsWith("/proc", StringComparison.Ordinal) && !OperatingSystem.IsLinux())
                continue;
            var error = Assert.Throws<IOException>(() => Fit(new SimSiam(), Run with { CheckpointFolder = folder, Progress = new OnProgress(_ => Assert.Fail("A training step was made.")) }));
            Assert.Contains("CheckpointFolder", error.Message, StringComparison.Ordinal);
            Assert.Contains(folder, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_folder_that_cannot_be_written_any_more_stops_with_the_last_good_checkpoint_intact()
    {
        byte[] unbroken = FinalOf(Fit(new MoCoV2(), In("unbroken")), "unbroken");
        string blocked = Path.Combine(_folder, "broken", "step-000000000006.safetensors");
        var error = Assert.Throws<IOException>(() => Fit(new MoCoV2(), In("broken") with
        {
            Progress = new OnProgress(report => { if (report.Step == 5) Directory.CreateDirectory(blocked); }), // no file can take its name
        }));
        Assert.Contains("step 6", error.Message, StringComparison.Ordinal);
        Assert.Equal([2L, 4L], Steps("broken"));
        Assert.Equal(2, Directory.GetFiles(Path.Combine(_folder, "broken")).Length); // no half one
        Directory.Delete(blocked);
        Assert.Equal(unbroken, FinalOf(Fit(new MoCoV2(), In("broken")), "broken"));
    }

    [Fact]
    public void Options_out_of_range_are_refused_by_name()
    {
        Refused(nameof(TrainingOptions.CheckpointFolder), Run with { CheckpointFolder = " " });
        Refused(nameof(TrainingOptions.CheckpointSteps), Run with { CheckpointSteps = 0 });
        Refused(nameof(TrainingOptions.CheckpointInterval), Run with { CheckpointInterval = TimeSpan.Zero });
        Refused(nameof(TrainingOptions.CheckpointsKept), Run with { CheckpointsKept = 0 });

        static void Refused(string name, TrainingOptions options)
            => Assert.Equal(name, Assert.ThrowsAny<ArgumentException>(() => Estimator(new MLContext(), new SimSiam(), options)).ParamName);
    }

    private static ContrastivePretrainEstimator Estimator(MLContext ml, ContrastiveMethod method, TrainingOptions options, ImageEncoder? encoder = null)
        => ml.Transforms.ContrastivePretrain("Features", "Image", method, encoder ?? ImageEncoder.SmallConvNet(8), options, Pictures.ShapeFor(method));

    private TrainingOptions In(string name) => Run with { CheckpointFolder = Path.Combine(_folder, name) };

    private static ContrastivePretrainTransformer Fit(
        ContrastiveMethod method, TrainingOptions options, int? cancelAt = null, int? seed = 1, List<string>? warnings = null)
    {
        var ml = new MLContext(seed);
        ml.Log += (_, message) =>
        {
            if (message.Kind == Runtime.ChannelMessageKind.Warning)
                warnings?.Add(message.Message);
        };
        using var source = new CancellationTokenSource();
        if (cancelAt is { } stop)
            options = options with { CancellationToken = source.Token, Progress = new OnProgress(report => { if (report.Step == stop) source.Cancel(); }) };
        return Estimator(ml, method, options).Fit(ml.ViewFor(method, Rows));
    }

    /// <summary>The bytes of the run's last checkpoint.</summary>
    private byte[] FinalOf(ContrastivePretrainTransformer encoder, string name)
    {
        encoder.Dispose();
        Assert.Equal(Total, Steps(name).Max());
        return File.ReadAllBytes(Files(name).Last());
    }

    private IEnumerable<string> Files(string name) => Directory.GetFiles(Path.Combine(_folder, name), "*.safetensors").Order(StringComparer.Ordinal);

    private IEnumerable<long> Steps(string name)
        => Files(name).Select(file => long.Parse(Path.GetFileNameWithoutExtension(file)[5..], System.Globalization.CultureInfo.InvariantCulture));

    private static void Damage(string file, Action<byte[]> change)
    {
        byte[] bytes = File.ReadAllBytes(file);
        change(bytes);
        File.WriteAllBytes(file, bytes);
    }

    private static Action<TrainingProgress> Once(Action<TrainingProgress> act)
    {
        bool done = false;
        return report =>
        {
            if (!done)
            {
                done = true;
                act(report);
            }
        };
    }
}
