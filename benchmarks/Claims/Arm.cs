using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>One side of a claim: something that is trained and measured.</summary>
/// <param name="Label">What it is called within its claim.</param>
internal abstract record Arm(string Label)
{
    /// <summary>How many times the examples of a standard arm it sees.</summary>
    public double Length { get; init; } = 1;

    /// <summary>Whether the quick form of the claim has it.</summary>
    public bool InQuick { get; init; } = true;

    /// <summary>Whether the page shows its method by it: the method as it is meant. All such arms of one method have one setup.</summary>
    public bool Shows { get; init; }

    /// <summary>What a table says of it beside its figures, such as where its negatives come from.</summary>
    public IReadOnlyDictionary<string, string> Traits { get; init; } = new Dictionary<string, string>();

    /// <summary>Its method's type, by which the page's history knows it.</summary>
    public abstract string MethodName { get; }

    /// <summary>All that decides its outcome but the seed, as JSON.</summary>
    public string Setup(ClaimsOptions options)
    {
        JsonObject setup = Describe(options);
        (setup["length"], setup["quick"]) = (Length, options.Quick);
        if (options.Steps is { } steps)
            setup["steps"] = steps;
        return setup.ToJsonString();
    }

    /// <summary>Throws where the arm's records contradict themselves, as far as that is known without data.</summary>
    public abstract void Validate();

    /// <exception cref="BenchmarkException">Data that it needs are not there.</exception>
    public abstract ClaimRow Run(ClaimsData data, int seed);

    protected abstract JsonObject Describe(ClaimsOptions options);

    protected static JsonNode Of(object settings)
    {
        JsonNode described = EncoderManifest.Describe(settings)!;
        described["kind"] = settings.GetType().Name;
        return described;
    }

    protected ClaimRow Row(ClaimsOptions options, int seed, Training training, Dictionary<string, double> figures) => new()
    {
        Setup = Setup(options), Seed = seed, Figures = figures, Curve = training.Curve, Steps = training.Steps, Seconds = training.Clock.Elapsed.TotalSeconds,
    };

    /// <summary>A training that is followed.</summary>
    internal sealed class Training(string name, long steps) : IProgress<TrainingProgress>
    {
        private const int Points = 40;
        private long _said = Stopwatch.GetTimestamp();

        public long Steps => steps;

        public Stopwatch Clock { get; } = new();

        public List<CurvePoint> Curve { get; } = [];

        public TrainingOptions Options(int batch) => new()
        {
            BatchSize = batch, Steps = steps > 0 ? (int)steps : null, KeepFreedMemory = true, ReportEvery = (int)Math.Max(1, steps / Points), Progress = this,
        };

        public T Time<T>(Func<T> fit)
        {
            Clock.Start();
            T fitted = fit();
            Clock.Stop();
            return fitted;
        }

        public void Report(TrainingProgress value)
        {
            Curve.Add(new CurvePoint(value.Step, value.Loss, value.EmbeddingDeviation));
            if (Stopwatch.GetElapsedTime(_said) < TimeSpan.FromSeconds(30))
                return;
            _said = Stopwatch.GetTimestamp();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name}: step {value.Step} of {value.TotalSteps}, loss {value.Loss:f3}, {value.TimeLeft:hh\\:mm\\:ss} left"));
        }
    }
}
