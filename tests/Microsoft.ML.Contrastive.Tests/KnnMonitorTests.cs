namespace Microsoft.ML.Contrastive.Tests;

/// <summary>Nearest neighbours while it trains: what is measured, that training does not notice, and which encoder is kept.</summary>
public sealed class KnnMonitorTests : IDisposable
{
    private const int Total = 12;
    private readonly MLContext _ml = new(1);
    private readonly string _folder = Directory.CreateTempSubdirectory("monitor").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void It_measures_when_it_is_due_what_the_representation_catalog_measures_and_tells_progress_log_and_record()
    {
        var reports = new List<TrainingProgress>();
        var messages = new List<string>();
        _ml.Log += (_, entry) => messages.Add(entry.Message);
        using ContrastivePretrainTransformer encoder = Fit(Monitor() with { EverySteps = 5 }, progress: new OnProgress(reports.Add));
        Assert.Equal([5L, 10, 12], reports.Where(report => report.KnnAccuracy is not null).Select(report => report.Step));
        KnnMetrics after = _ml.Representation().EvaluateKnn(encoder, Bank(), Queries(), k: 5);
        Assert.Equal(_ml.Representation().EvaluateKnn(encoder.Transform(Bank()), encoder.Transform(Queries()), k: 5).Accuracy, after.Accuracy);
        Assert.Equal(after.Accuracy, reports[^1].KnnAccuracy!.Value, 1e-9);
        Assert.InRange(after.Accuracy, 0.3, 1); // of four classes
        Assert.Contains(messages, message => message.Contains("Step 5 of 12", StringComparison.Ordinal) && message.Contains("nearest neighbours", StringComparison.Ordinal));
        Assert.Contains("\"bestKnn\"", encoder.TrainingRecord, StringComparison.Ordinal);
        Assert.Contains("\"kept\":false", encoder.TrainingRecord, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_number_of_steps_each_epoch_is_measured_and_the_end()
    {
        var reports = new List<TrainingProgress>();
        Fit(Monitor(), progress: new OnProgress(reports.Add)).Dispose(); // 70 rows: two steps an epoch
        Assert.Equal([2L, 4, 6, 8, 10, 12], reports.Where(report => report.KnnAccuracy is not null).Select(report => report.Step));
        reports.Clear();
        Fit(Monitor() with { EveryEpochs = 4 }, progress: new OnProgress(reports.Add)).Dispose();
        Assert.Equal([8L, 12], reports.Where(report => report.KnnAccuracy is not null).Select(report => report.Step));
    }

    public static TheoryData<ContrastiveMethod> Noticing => [new SimClrV1(), new MoCoV2(), new Byol()];

    [Theory]
    [MemberData(nameof(Noticing))]
    public void Training_ends_in_the_same_bits_with_and_without_it(ContrastiveMethod method)
    {
        using ContrastivePretrainTransformer without = Fit(null, method), with = Fit(Monitor() with { EverySteps = 1 }, method);
        Assert.Equal(without.Transform(Queries()).Features(), with.Transform(Queries()).Features());
        foreach ((string name, TorchSharp.torch.Tensor value) in without.Weights.Module.state_dict())
            TensorAssert.Equal(value, with.Weights.Module.state_dict()[name], 0);
    }

    [Fact]
    public void The_best_encoder_is_kept_where_that_is_asked_for()
    {
        // A rate that soon spoils what is learned: the best is not the last.
        ContrastiveMethod method = new SimClrV1 { Optimizer = new Sgd(), LearningRate = new(3, Scaling: RateScaling.None) };
        var reports = new List<TrainingProgress>();
        using ContrastivePretrainTransformer kept = Fit(Monitor() with { EverySteps = 1, KeepBest = true }, method, new OnProgress(reports.Add));
        TrainingProgress best = reports.MaxBy(report => report.KnnAccuracy)!; // the first of equals
        Assert.True(best.Step < Total && best.KnnAccuracy > reports[^1].KnnAccuracy);
        Assert.Equal(best.KnnAccuracy!.Value, _ml.Representation().EvaluateKnn(kept.Transform(Bank()), kept.Transform(Queries()), k: 5).Accuracy, 1e-9);
        Assert.Contains($"\"step\":{best.Step}", kept.TrainingRecord, StringComparison.Ordinal);
        Assert.Contains("\"kept\":true", kept.TrainingRecord, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(9)]
    public void A_run_that_was_stopped_keeps_the_same_best(int stop)
    {
        ContrastiveMethod method = new SimClrV1 { Optimizer = new Sgd(), LearningRate = new(3, Scaling: RateScaling.None) };
        KnnMonitor monitor = Monitor() with { EverySteps = 1, KeepBest = true };
        using ContrastivePretrainTransformer unbroken = Fit(monitor, method);
        using var cancel = new CancellationTokenSource();
        TrainingOptions kept = Options(monitor) with { CheckpointFolder = _folder };
        Assert.Throws<OperationCanceledException>(() => Fit(method, kept with
        {
            Progress = new OnProgress(report => { if (report.Step == stop) cancel.Cancel(); }), CancellationToken = cancel.Token,
        }));
        using ContrastivePretrainTransformer broken = Fit(method, kept), again = Fit(method, kept with { Progress = new OnProgress(_ => Assert.Fail("A step was made.")) });
        Assert.Equal(unbroken.Transform(Queries()).Features(), broken.Transform(Queries()).Features());
        Assert.Equal(unbroken.Transform(Queries()).Features(), again.Transform(Queries()).Features());
        Assert.Equal(unbroken.TrainingRecord, broken.TrainingRecord);
        Assert.Contains("monitor", Assert.Throws<ArgumentException>(() => Fit(method, kept with { Monitor = null })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bad_input_is_named_before_training()
    {
        TrainingOptions good = Options(Monitor()) with { Progress = new OnProgress(_ => Assert.Fail("A step was made.")) };
        Assert.Contains("rows of its Bank, 40", Throws<ArgumentOutOfRangeException>(Monitor() with { K = 41 }), StringComparison.Ordinal);
        Assert.Contains("'Kind'", Throws<ArgumentException>(Monitor() with { LabelColumnName = "Kind" }), StringComparison.Ordinal);
        Assert.Contains("Monitor.Queries", Throws<ArgumentException>(Monitor() with { Queries = _ml.View([]) }), StringComparison.Ordinal);
        PictureRow[] unlabelled = Pictures.Make(3);
        unlabelled[1].Label = "";
        Assert.Contains("row 1 of Monitor.Bank", Throws<InvalidOperationException>(Monitor() with { Bank = _ml.View(unlabelled), K = 1 }), StringComparison.Ordinal);
        Assert.Contains("Monitor.Bank must hold", Throws<ArgumentException>(Monitor() with { Bank = _ml.View(Pictures.Make(8, channels: 3), 3), K = 1 }), StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Fit(new SimClrV1(), good with { Monitor = Monitor() with { EverySteps = 0 } }));
        Assert.Throws<ArgumentOutOfRangeException>(() => Fit(new SimClrV1(), good with { Monitor = Monitor() with { Temperature = 0 } }));

        string Throws<T>(KnnMonitor monitor) where T : Exception => Assert.Throws<T>(() => Fit(new SimClrV1(), good with { Monitor = monitor })).Message;
    }

    private IDataView Bank() => _ml.View(Pictures.Make(40, seed: 2));

    private IDataView Queries() => _ml.View(Pictures.Make(30, seed: 3));

    private KnnMonitor Monitor() => new() { Bank = Bank(), Queries = Queries(), K = 5 };

    private static TrainingOptions Options(KnnMonitor? monitor) => new() { Steps = Total, BatchSize = 32, ReportEvery = 100, Monitor = monitor };

    private ContrastivePretrainTransformer Fit(KnnMonitor? monitor, ContrastiveMethod? method = null, IProgress<TrainingProgress>? progress = null)
        => Fit(method ?? new SimClrV1(), Options(monitor) with { Progress = progress });

    private ContrastivePretrainTransformer Fit(ContrastiveMethod method, TrainingOptions options)
        => _ml.Transforms.ContrastivePretrain("Features", "Image", method, ImageEncoder.SmallConvNet(8), options, Pictures.Shape()).Fit(_ml.View(Pictures.Make(70)));
}
