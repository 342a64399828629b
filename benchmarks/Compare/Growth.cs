using System.Globalization;
using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>How time grows with the size of what is asked: one table for each quantity, all else as it is by default.</summary>
internal static class Growth
{
    private const int Side = 28, Batch = 128, Rounds = 5;

    private static readonly Dictionary<string, Action> s_curves = new()
    {
        ["batch"] = () => Curve("batch, SimCLR, small conv net", "ms a step", "ms an example", [64, 128, 256, 512, 1024, 2048], rows => SimClr(rows, 32), (rows, time) => time / rows),
        ["queue"] = () => Curve("queue, MoCo v2, small conv net, batch 128", "ms a step", null, [1024, 4096, 16_384, 65_536, 262_144], Queue, null),
        ["width"] = () => Curve("width of the small conv net, SimCLR, batch 128", "ms a step", "ms a million weights", [8, 16, 32, 64, 128], width => SimClr(Batch, width),
            (width, time) => time / (ImageEncoder.SmallConvNet(width).CountWeights(1, Side, Side) / 1e6)),
        ["tokens"] = () => Curve("tokens a text, SimCSE, 4x256, batch 64", "ms a step", "us a token", [8, 16, 32, 64, 128, 256], Tokens, (tokens, time) => 1000 * time / (2 * 64 * tokens)),
        ["rows"] = () => Curve("rows, an epoch of Fit with SimCLR, small conv net", "ms an epoch", "us a row", [5_120, 10_240, 20_480, 40_960], Epoch, (rows, time) => 1000 * time / rows),
        ["threads"] = () => Curve("threads, Transform, small conv net", "ms for 4,096 rows", "rows a second", [.. Enumerable.Range(1, Environment.ProcessorCount)], Transform, (_, time) => 4096 / (time / 1000)),
    };

    public static int Run(string[] args)
    {
        if (args.FirstOrDefault(arg => !s_curves.ContainsKey(arg)) is { } unknown)
        {
            Console.Error.WriteLine($"'{unknown}' is none of {string.Join(", ", s_curves.Keys)}.");
            return 2;
        }
        NativeTorch.EnsureLoaded();
        CLibrary.KeepFreedMemory();
        foreach (string curve in args.Length > 0 ? args : [.. s_curves.Keys])
            s_curves[curve]();
        return 0;
    }

    /// <summary>Medians of <see cref="Rounds"/> calls of what <paramref name="create"/> gives, after one that warms.</summary>
    private static void Curve(string what, string unit, string? perUnit, int[] sizes, Func<int, (Func<double> Milliseconds, IDisposable Owned)> create, Func<int, double, double>? per)
    {
        Console.WriteLine($"\n| {what} | {unit} |{(perUnit is null ? "" : $" {perUnit} |")}\n|---|---|{(perUnit is null ? "" : "---|")}");
        foreach (int size in sizes)
        {
            using var scope = NewDisposeScope();
            (Func<double> milliseconds, IDisposable owned) = create(size);
            using (owned)
            {
                milliseconds();
                double median = Enumerable.Range(0, Rounds).Select(_ => milliseconds()).Order().ElementAt(Rounds / 2);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {size:N0} | {Three(median)} |{(per is null ? "" : $" {Three(per(size, median))} |")}"));
            }
        }
    }

    /// <summary>Three digits, or all of a whole number.</summary>
    private static string Three(double value) => value.ToString(value >= 100 ? "N0" : "g3", CultureInfo.InvariantCulture);

    private static (Func<double>, IDisposable) SimClr(int rows, int width)
    {
        ImageEncoder shape = ImageEncoder.SmallConvNet(width);
        var facts = new RunFacts(10 * rows, rows, 1000, Side, Side, 1, shape.FeatureSize) { Encoder = shape };
        return Pictures(new SimClrV1().Resolve(facts), shape, facts);
    }

    private static (Func<double>, IDisposable) Queue(int length)
    {
        ImageEncoder shape = ImageEncoder.SmallConvNet();
        var facts = new RunFacts(4L * length, Batch, 1000, Side, Side, 1, shape.FeatureSize) { Encoder = shape };
        return Pictures(new MoCoV2 { QueueLength = length }.Resolve(facts), shape, facts);
    }

    private static (Func<double>, IDisposable) Pictures(ContrastiveMethod method, ImageEncoder shape, RunFacts facts)
    {
        using var generator = new Generator(1);
        var views = new Views([.. method.Augmentations!.Select(_ => randn([facts.BatchSize, Side, Side, 1], generator: generator).permute(0, 3, 1, 2))]);
        return Steps(method, () => shape.Build(1, Side, Side, generator), facts, views, generator);
    }

    private static (Func<double>, IDisposable) Tokens(int tokens)
    {
        using var generator = new Generator(1);
        var shape = new TextTransformer { TokenLimit = tokens };
        var facts = new RunFacts(10_000, 64, 1000, 0, 0, 0, shape.FeatureSize) { Encoder = shape, TextsPerExample = 1 };
        Tensor ids = randint(5, shape.VocabularySize, [64, tokens], ScalarType.Int64, generator: generator);
        return Steps(new SimCse().Resolve(facts), () => shape.Build(generator), facts, new Views(ids, ids.alias()), generator);
    }

    private static (Func<double>, IDisposable) Steps(ContrastiveMethod method, Func<nn.Module<Tensor, Tensor>> build, RunFacts facts, Views views, Generator generator)
    {
        Learner learner = method.CreateLearner(new LearnerSetup(build, facts.FeatureSize, generator, facts));
        foreach (MomentumPair pair in learner.MomentumPairs)
            pair.CopyToTarget();
        learner.train();
        var runner = new StepRunner(learner, method.Optimizer!, method.MaxGradientNorm);
        long step = 0;
        return (() => 1000 * Workshop.Seconds(() => runner.Run(views, new Step(step++, 1000, 1), 1e-4, 1e-4)), runner);
    }

    private static (Func<double>, IDisposable) Epoch(int rows)
    {
        var ml = new MLContext(1);
        IDataView data = MadePictures.View(ml, rows, Side, 1);
        var shape = new ImageShape(Side, Side, 1);
        return (() => 1000 * Workshop.Seconds(() => ml.Transforms.ContrastivePretrain(
            "Features", "Image", new SimClrV1(), ImageEncoder.SmallConvNet(), new TrainingOptions { Epochs = 1 }, shape).Fit(data).Dispose()), new MemoryStream());
    }

    private static (Func<double>, IDisposable) Transform(int threads)
    {
        var ml = new MLContext(1);
        IDataView data = MadePictures.View(ml, 4096, Side, 1);
        ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", encoder: ImageEncoder.SmallConvNet(), training: new() { BatchSize = 64 }, imageShape: new ImageShape(Side, Side, 1)).Untrained(data);
        set_num_threads(threads);
        return (() => 1000 * Workshop.Seconds(Read), encoder);

        void Read()
        {
            foreach (float[] _ in encoder.Transform(data).GetColumn<float[]>("Features"))
            {
                // Reading computes.
            }
        }
    }
}
