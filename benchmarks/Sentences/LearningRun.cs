using System.Diagnostics;
using System.Globalization;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Trains one method with one seed, and measures it before and behind.</summary>
internal sealed class LearningRun(SentencesOptions options, SentenceData data, LearningMethod method, int seed)
{
    private const int QuickFactor = 3;
    private readonly MLContext _ml = new(seed);

    private int Steps => options.Steps ?? (options.Quick ? method.Steps / QuickFactor : method.Steps);

    /// <param name="row">Gets the figures.</param>
    /// <exception cref="FewLabels.DataException">A file that this method needs is not there.</exception>
    public SentenceRow Run(SentenceRow row)
    {
        TextExample[] examples = [.. Examples()];
        string checkpoints = Path.Combine(options.Out, "checkpoints", FormattableString.Invariant($"{method.Name}-{seed}"));
        var said = new Said();
        SentenceEmbeddingEstimator estimator = Estimator(new TrainingOptions
        {
            BatchSize = Math.Min(method.BatchSize, Math.Max(2, examples.Length)),
            Steps = Math.Max(1, Steps),
            KeepFreedMemory = true,
            Precision = options.Precision,
            SortedBatches = options.SortedBatches,
            CheckpointFolder = checkpoints,
            CheckpointInterval = TimeSpan.FromMinutes(1),
            Progress = said,
        });
        // Vocabulary and word counts come from all texts that are there, also where few of them are learned from.
        using SentenceEmbeddingTransformer start = estimator.Untrained(View(data.AllTexts.Select(text => new TextExample { Text = text, Positive = text, Negative = text })));
        if (method.From == LearnsFrom.Nothing)
            return SentenceMeasures.Measure(row, texts => Vectors(start, texts), data);
        var spent = new SpentTime(checkpoints);
        said.Spent = spent;
        using SentenceEmbeddingTransformer trained = estimator.Fit(View(examples), start);
        double seconds = spent.Seconds;
        spent.Forget();
        row = SentenceMeasures.Measure(row, texts => Vectors(trained, texts), data) with
        {
            Start = SentenceMeasures.Similarity(texts => Vectors(start, texts), data),
            Steps = Steps,
            Seconds = seconds,
        };
        Directory.Delete(checkpoints, recursive: true);
        return row;
    }

    /// <summary>[N, D].</summary>
    public static Tensor Vectors(SentenceEmbeddingTransformer encoder, IEnumerable<string> texts)
    {
        float[][] vectors = encoder.Embed(texts);
        return tensor(vectors.SelectMany(vector => vector).ToArray()).view(vectors.Length, encoder.FeatureSize);
    }

    private Tensor Vectors(SentenceEmbeddingTransformer encoder, IReadOnlyList<string> texts) => Vectors(encoder, texts.Select(method.Rewrite));

    private IEnumerable<TextExample> Examples() => method.From == LearnsFrom.Triplets ? data.Triplets : data.Texts.Select(text => new TextExample { Text = text });

    private IDataView View(IEnumerable<TextExample> examples) => _ml.Data.LoadFromEnumerable(examples.Select(example => new TextExample
    {
        Text = method.Rewrite(example.Text), Positive = method.Rewrite(example.Positive), Negative = method.Rewrite(example.Negative),
    }));

    private SentenceEmbeddingEstimator Estimator(TrainingOptions training) => _ml.Transforms.SentenceEmbedding(new SentenceEmbeddingEstimator.Options
    {
        OutputColumnName = "Vector",
        InputColumnName = nameof(TextExample.Text),
        PositiveColumnName = method.From == LearnsFrom.Triplets ? nameof(TextExample.Positive) : null,
        NegativeColumnName = method.From == LearnsFrom.Triplets ? nameof(TextExample.Negative) : null,
        Encoder = method.Encoder(data),
        Method = method.Method,
        Training = training,
    });

    private sealed class Said : IProgress<TrainingProgress>
    {
        private long _last = Stopwatch.GetTimestamp();

        public SpentTime? Spent { get; set; }

        public void Report(TrainingProgress value)
        {
            Spent?.Keep();
            if (Stopwatch.GetElapsedTime(_last) < TimeSpan.FromSeconds(30))
                return;
            _last = Stopwatch.GetTimestamp();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  step {value.Step} of {value.TotalSteps}, loss {value.Loss:f3}, {value.TimeLeft:hh\\:mm\\:ss} left"));
        }
    }
}
