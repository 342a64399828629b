using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Data;
using TorchSharp;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>One method with one seed: trains, measures, and writes its row. The whole of a process of its own.</summary>
internal sealed class SurveyRun(SurveyOptions options, string method, int seed)
{
    private const int TimedSteps = 20, UntimedSteps = 5;
    private const int FrozenSteps = 500; // by then batch norm's statistics have long settled, and nothing else changes
    private const int Neighbours = 200, ProbeEpochs = 30;
    private readonly MLContext _ml = new(seed);
    private readonly SurveyPictures _pictures = SurveyPictures.Read(options);

    private int Batch => Math.Min(SmallDataSettings.BatchSize, _pictures.Train.Length);

    public void Run()
    {
        IDataView train = _pictures.View(_ml, _pictures.Train), test = _pictures.View(_ml, _pictures.Test);
        SurveyRow row = method switch
        {
            SurveyOptions.Raw => Measure(_ml.Transforms.Conversion.ConvertType("Features", "Image", DataKind.Single).Fit(train), train, test, PeakMemory()),
            SurveyOptions.Untrained => Untrained(train, test),
            _ => Trained(train, test),
        };
        options.Runs.Write(row);
    }

    /// <summary>
    /// The better of two random networks: as Fit starts from it, and with batch norm's statistics taken from the pictures. A method that
    /// did no more than calibrate them would gain on the first alone.
    /// </summary>
    private SurveyRow Untrained(IDataView train, IDataView test)
    {
        using ContrastivePretrainTransformer encoder = Estimator(new SimClrV1(), new TrainingOptions { BatchSize = Batch }).Untrained(train);
        SurveyRow initial = Measure(encoder, train, test, PeakMemory());
        encoder.Weights.Module.train();
        foreach (float[] _ in encoder.Transform(train).GetColumn<float[]>("Features"))
        {
            // Each batch that is computed moves the running statistics.
        }
        encoder.Weights.Module.eval();
        SurveyRow calibrated = Measure(encoder, train, test, PeakMemory());
        return initial with
        {
            Knn = Math.Max(initial.Knn!.Value, calibrated.Knn!.Value),
            Linear = Math.Max(initial.Linear!.Value, calibrated.Linear!.Value),
        };
    }

    private SurveyRow Trained(IDataView train, IDataView test)
    {
        var facts = new RunFacts(_pictures.Train.Length, Batch, 1_000, _pictures.Shape.Height, _pictures.Shape.Width, _pictures.Shape.Channels, SmallDataSettings.Encoder.FeatureSize);
        string checkpoints = Path.Combine(options.Out, "checkpoints", FormattableString.Invariant($"{method}-{seed}"));
        long peak, steps;
        double seconds;
        ContrastivePretrainTransformer encoder;
        var clock = new StepWatch();
        try
        {
            ContrastiveMethod recipe = method == SurveyOptions.Frozen ? SmallDataSettings.Frozen(facts) : SmallDataSettings.Method(method, facts);
            var training = new TrainingOptions { BatchSize = Batch, KeepFreedMemory = true, Precision = options.Precision, ReportEvery = 1, Progress = clock };
            training = training with { Steps = Steps(recipe, training, clock, train, facts), CheckpointFolder = checkpoints, CheckpointInterval = TimeSpan.FromMinutes(1) };
            var spent = new SpentTime(checkpoints);
            clock.Spent = spent;
            encoder = Estimator(recipe, training).Fit(train);
            (seconds, steps, peak) = (spent.Seconds, training.Steps!.Value, PeakMemory());
            spent.Forget();
        }
        catch (ArgumentException error) when (clock.Reports.Count == 0)
        {
            // Estimator and Fit say what does not fit before they train: colours, sizes, views. Later it would be a fault.
            return new SurveyRow { Method = method, Seed = seed, NotApplicable = error.Message.ReplaceLineEndings(" "), Budget = options.Budget };
        }
        using (encoder)
        {
            SurveyRow row = Measure(encoder, train, test, peak) with { Steps = steps, Seconds = seconds };
            Directory.Delete(checkpoints, recursive: true);
            return row;
        }
    }

    /// <summary>How long to train. What was timed once is kept: a run that goes on must have the length that it began with.</summary>
    private int Steps(ContrastiveMethod recipe, TrainingOptions training, StepWatch clock, IDataView train, RunFacts facts)
    {
        long epoch = facts.StepsPerEpoch;
        if (options.Minutes is not { } minutes)
            return (int)Math.Min(int.MaxValue, Limit((long)Math.Ceiling(options.Epochs * epoch * SmallDataSettings.EpochFactor(method))));
        string kept = Path.Combine(options.Out, "runs", FormattableString.Invariant($"{method}-{seed}.steps"));
        if (File.Exists(kept))
            return int.Parse(File.ReadAllText(kept), CultureInfo.InvariantCulture);
        Estimator(recipe, training with { Steps = UntimedSteps + TimedSteps }).Fit(train).Dispose();
        double secondsAStep = (clock.Reports[^1] - clock.Reports[UntimedSteps - 1]).TotalSeconds / TimedSteps;
        int steps = (int)Limit((long)Math.Clamp(60 * minutes / secondsAStep, 1, int.MaxValue));
        AtomicFile.Write(kept, stream => stream.Write(System.Text.Encoding.ASCII.GetBytes(steps.ToString(CultureInfo.InvariantCulture))));
        return steps;

        long Limit(long wanted) => method == SurveyOptions.Frozen ? Math.Min(wanted, FrozenSteps) : wanted;
    }

    private ContrastivePretrainEstimator Estimator(ContrastiveMethod recipe, TrainingOptions training)
        => _ml.Transforms.ContrastivePretrain(new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = "Features",
            InputColumnName = "Image",
            Method = recipe,
            Encoder = SmallDataSettings.Encoder,
            Training = training,
            ImageShape = _pictures.Shape,
            TransformBatchSize = 256,
        });

    private SurveyRow Measure(ITransformer encoder, IDataView train, IDataView test, long peak)
    {
        IDataView known = _ml.Data.Cache(encoder.Transform(train), "Features", "Label"), asked = _ml.Data.Cache(encoder.Transform(test), "Features", "Label");
        RepresentationCatalog measures = _ml.Representation();
        KnnMetrics knn = measures.EvaluateKnn(known, asked, k: Math.Min(Neighbours, _pictures.Train.Length));
        LinearProbeMetrics linear = measures.EvaluateLinearProbe(known, asked, options: new() { Epochs = ProbeEpochs });
        GeometryMetrics geometry = measures.EvaluateGeometry(asked);
        return new SurveyRow
        {
            Method = method,
            Seed = seed,
            Knn = knn.Accuracy,
            Linear = linear.Accuracy,
            LearningRate = linear.LearningRate,
            EmbeddingDeviation = geometry.EmbeddingDeviation,
            EffectiveRank = geometry.EffectiveRank,
            PeakMemoryBytes = peak,
            TestPictures = _pictures.Test.Length,
            Budget = options.Budget,
        };
    }

    private static long PeakMemory()
    {
        using var self = Process.GetCurrentProcess();
        return self.PeakWorkingSet64;
    }

    private sealed class StepWatch : IProgress<TrainingProgress>
    {
        private readonly Stopwatch _clock = Stopwatch.StartNew();
        private TimeSpan _said;

        public List<TimeSpan> Reports { get; } = [];

        /// <summary>Null while steps are only timed.</summary>
        public SpentTime? Spent { get; set; }

        public void Report(TrainingProgress value)
        {
            Reports.Add(_clock.Elapsed);
            Spent?.Keep();
            if (_clock.Elapsed - _said < TimeSpan.FromSeconds(30))
                return;
            _said = _clock.Elapsed;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  step {value.Step} of {value.TotalSteps}, loss {value.Loss:f3}, embedding deviation {value.EmbeddingDeviation:f2}, {value.TimeLeft:hh\\:mm\\:ss} left"));
        }
    }
}
