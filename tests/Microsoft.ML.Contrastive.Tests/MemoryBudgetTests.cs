using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>Where the pictures lie changes nothing, and nothing of it stays.</summary>
public sealed class MemoryBudgetTests : IDisposable
{
    private static readonly TrainingOptions FewSteps = new() { Steps = 6, BatchSize = 32, ReportEvery = 1 };
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("memory-budget-");
    private readonly MLContext _ml = new(1);

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Pictures_on_the_disk_train_the_same_encoder_as_pictures_in_memory()
    {
        const int Size = Pictures.Side * Pictures.Side;
        IDataView data = _ml.View(Pictures.Make(100));
        var log = new List<string>();
        _ml.Log += (_, entry) => log.Add(entry.Message);
        float[][] memory = Features(100 * Size);
        Assert.DoesNotContain(log, line => line.Contains("scratch file", StringComparison.Ordinal));
        Assert.Equal(memory, Features(null));
        Assert.Equal(memory, Features(40 * Size));
        Assert.Contains(log, line => line.Contains("scratch file", StringComparison.Ordinal));
        Assert.Equal(memory, Features(0));

        float[][] Features(long? budget)
        {
            using ContrastivePretrainTransformer encoder = Estimator(FewSteps with { MemoryBudget = budget, ViewThreads = 2 }).Fit(data);
            return encoder.Transform(data).Features();
        }
    }

    public static TheoryData<string> Ends => ["well", "a wrong row", "an error in training", "cancelled"];

    [Theory]
    [MemberData(nameof(Ends))]
    public void No_scratch_file_is_left_or_held_after_fit_however_it_ends(string end)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs /proc.");
        using var source = new CancellationTokenSource();
        int heldInReading = 0, heldInTraining = 0;
        TrainingOptions training = FewSteps with
        {
            MemoryBudget = 0,
            ScratchFolder = _folder.FullName,
            CancellationToken = source.Token,
            Progress = new OnProgress(_ =>
            {
                heldInTraining = Held();
                if (end == "an error in training")
                    throw new NotSupportedException();
                if (end == "cancelled")
                    source.Cancel();
            }),
        };
        ContrastivePretrainEstimator estimator = Estimator(training);
        IDataView data = _ml.View(Rows());
        switch (end)
        {
            case "well":
                estimator.Fit(data).Dispose();
                break;
            case "a wrong row":
                Assert.Throws<InvalidOperationException>(() => estimator.Fit(data));
                break;
            case "cancelled":
                Assert.Throws<OperationCanceledException>(() => estimator.Fit(data));
                break;
            default:
                Assert.Throws<NotSupportedException>(() => estimator.Fit(data));
                break;
        }
        Assert.True(heldInReading > 0);
        Assert.Equal(end == "a wrong row" ? 0 : 2, heldInTraining); // the file and its mapping
        Assert.Equal(0, Held());
        Assert.Empty(_folder.GetFiles());

        IEnumerable<PictureRow> Rows()
        {
            foreach ((int index, PictureRow row) in Pictures.Make(100).Index())
            {
                heldInReading = Held();
                yield return index == 90 && end == "a wrong row" ? new PictureRow { Image = new byte[3] } : row;
            }
        }

        int Held() => new DirectoryInfo("/proc/self/fd").GetFiles().Count(file => IsOurs(file.LinkTarget))
            + (File.ReadLines("/proc/self/maps").Any(IsOurs) ? 1 : 0);

        bool IsOurs(string? text) => text?.Contains(_folder.FullName, StringComparison.Ordinal) == true;
    }

    [Fact]
    public void More_rows_than_the_disk_has_room_for_are_refused_before_the_first_is_read()
    {
        IDataView many = new Uncountable(_ml.View(Pictures.Make(4)));
        var error = Assert.Throws<IOException>(() => Estimator(FewSteps with { MemoryBudget = 0, ScratchFolder = _folder.FullName }).Fit(many));
        Assert.Contains($"{Uncountable.Rows * Pictures.Side * Pictures.Side} bytes", error.Message, StringComparison.Ordinal);
        Assert.Contains(_folder.FullName, error.Message, StringComparison.Ordinal);
    }

    private ContrastivePretrainEstimator Estimator(TrainingOptions training)
        => _ml.Transforms.ContrastivePretrain("Features", "Image", new SimClrV1(), ImageEncoder.SmallConvNet(8), training, Pictures.Shape());

    /// <summary>Claims more rows than any disk holds, and gives none.</summary>
    private sealed class Uncountable(IDataView inner) : IDataView
    {
        public const long Rows = 1L << 50;

        public bool CanShuffle => false;

        public DataViewSchema Schema => inner.Schema;

        public long? GetRowCount() => Rows;

        public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) => throw new NotSupportedException();

        public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) => throw new NotSupportedException();
    }
}
