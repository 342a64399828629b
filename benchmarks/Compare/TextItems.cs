using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Microsoft.ML.Data;
using Microsoft.ML.OnnxRuntime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>SimCSE's training step, and embedding of sentences as Transform does it, with BERT-shaped networks of random weights.</summary>
internal static class TextItems
{
    private const double Rate = 1e-4;
    private const int TokensOfThread = 512; // of a batch, on all sides

    private static readonly TextTransformer s_miniLm = new() { Width = 384, Depth = 6, Heads = 12, TokenLimit = 128 };
    private static readonly TextTransformer s_bertBase = new() { Width = 768, Depth = 12, Heads = 12, TokenLimit = 128 };

    public static IEnumerable<Item> Steps { get; } = [Step("simcse-4x256", 4, 256, heads: 4, rounds: 9), Step("simcse-6x384", 6, 384, heads: 12, rounds: 7)];

    public static IEnumerable<Item> Embedding { get; } =
    [
        OfPyTorch("minilm", "6x384 (MiniLM's shape)", s_miniLm, texts: 512), OfOnnx("minilm", "6x384 (MiniLM's shape)", s_miniLm, texts: 512),
        OfOnnx("minilm", "6x384 (MiniLM's shape)", s_miniLm, texts: 512, Precision.BFloat16),
        OfPyTorch("bert-base", "12x768 (BERT-base's shape)", s_bertBase, texts: 96), OfOnnx("bert-base", "12x768 (BERT-base's shape)", s_bertBase, texts: 96),
        OfOnnx("bert-base", "12x768 (BERT-base's shape)", s_bertBase, texts: 96, Precision.BFloat16),
    ];

    private static Item Step(string name, int depth, int width, int heads, int rounds) => new(
        name, FormattableString.Invariant($"SimCSE step, {depth}x{width} encoder, 64 texts of 32 tokens, twice"), "PyTorch", "step", 1.0, 1.3, rounds,
        workshop => OpenStep(workshop, new TextTransformer { Depth = depth, Width = width, Heads = heads, TokenLimit = 32 }));

    private static Item OfPyTorch(string name, string what, TextTransformer shape, int texts) => new(
        name + "-pytorch", $"embedding sentences, {what}, single precision", "PyTorch, sorted by length", "sentence", 1.0, 1.5, Rounds: 7, workshop => OpenEmbedding(workshop, shape, texts, onnx: null));

    private static Item OfOnnx(string name, string what, TextTransformer shape, int texts, Precision precision = Precision.Single)
    {
        bool single = precision == Precision.Single;
        return new(
            $"{name}-onnx{(single ? "" : "-bf16")}", $"embedding sentences, {what}, {(single ? "single precision" : "bfloat16 where it is faster")}", $"ONNX Runtime, sorted by length{(single ? "" : ", single precision")}",
            "sentence", single ? 0.9 : 1.1, single ? 1.2 : 2, Rounds: 7, workshop => OpenEmbedding(workshop, shape, texts, Path.Combine(workshop.Folder, name + ".onnx"), precision));
    }

    private static Contest OpenStep(Workshop workshop, TextTransformer shape)
    {
        const int rows = 64, tokens = 32, times = 2;
        using var generator = new Generator(4);
        var facts = new RunFacts(10_000, rows, 1000, 0, 0, 0, shape.FeatureSize) { Encoder = shape, TextsPerExample = 1 };
        var method = (SimCse)new SimCse().Resolve(facts);
        Learner learner = method.CreateLearner(new LearnerSetup(() => shape.Build(generator), shape.FeatureSize, generator, facts));
        learner.train();
        Tensor ids = randint(5, shape.VocabularySize, [rows, tokens], ScalarType.Int64, generator: generator);
        var views = new Views(ids, ids.alias());
        string file = workshop.Write("simcse", [.. Workshop.State(learner), ("ids", ids)]);
        var runner = new StepRunner(learner, method.Optimizer!, method.MaxGradientNorm);
        var peer = new Peer("texts.py", workshop.Threads);
        long done = 0;
        return new Contest
        {
            Ours = () => Workshop.Seconds(() => runner.Run(views, new Step(done++, long.MaxValue, 1), Rate, Rate), times),
            Theirs = peer.Round,
            Check = new Check("first loss, without dropout", 1e-3, () =>
            {
                using var scope = NewDisposeScope();
                using var noGradient = no_grad();
                learner.eval();
                double loss = learner.Loss(views, new Step(0, 1, 1)).ToDouble();
                learner.train();
                return Check.Largest([loss], peer.Values());
            }),
            Threads = workshop.Threads,
            Versions = peer.Prepare(Settings(workshop, shape, file, new JsonObject { ["what"] = "simcse", ["times"] = times, ["rate"] = Rate, ["temperature"] = method.Temperature })),
            Operations = Flops.Training(Flops.Transformer(shape.Depth, shape.Width, shape.Middle, tokens), 2 * rows),
        }.Owning([learner, views, runner, peer]);
    }

    private static Contest OpenEmbedding(Workshop workshop, TextTransformer shape, int count, string? onnx, Precision precision = Precision.Single)
    {
        var ml = new MLContext(1);
        string[] texts = MadeTexts.Make(count);
        IDataView data = ml.Data.LoadFromEnumerable(texts.Select(text => new Row { Text = text }).ToArray());
        SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding(new SentenceEmbeddingEstimator.Options
        {
            OutputColumnName = "Vector", InputColumnName = nameof(Row.Text), Encoder = shape, Method = new SimCse(), Training = new() { BatchSize = 32 }, TransformBatchSize = count,
        }).Untrained(data).WithPrecision(precision);
        var fitted = (TextTransformer)encoder.Encoder;
        int[][] ids = [.. texts.Select(text => encoder.Weights.Tokenizer!.Encode(text, fitted.TokenLimit))];
        using Tensor tokens = TextTensors.Of(ids);
        string file = workshop.Write("texts", [.. Workshop.State(encoder.Weights.Module), ("ids", tokens)]);
        var peer = new Peer("texts.py", workshop.Threads);
        var settings = new JsonObject { ["what"] = "embedding", ["tokens"] = TokensOfThread * workshop.Threads };
        if (onnx is not null)
            settings["onnx"] = onnx;
        IReadOnlyDictionary<string, string> versions = peer.Prepare(Settings(workshop, fitted, file, settings));
        OnnxEmbedding? other = onnx is null ? null : new OnnxEmbedding(onnx, ids, shape.FeatureSize, TokensOfThread * workshop.Threads, workshop.Threads);
        return new Contest
        {
            Ours = () => Workshop.Seconds(() => Embed()) / count,
            Theirs = other is null ? peer.Round : () => Workshop.Seconds(() => other.Embed()) / count,
            Check = new Check("1 - least cosine of two vectors", precision == Precision.Single ? 1e-5 : 1e-2, () => Check.FarthestRow(Embed(), other?.Embed() ?? peer.Values(), shape.FeatureSize)),
            Threads = workshop.Threads,
            Versions = other is null ? versions : new Dictionary<string, string> { ["ONNX Runtime"] = OrtEnv.Instance().GetVersionString() },
            Operations = ids.Average(text => Flops.Transformer(shape.Depth, shape.Width, shape.Middle, text.Length)),
        }.Owning(other is null ? [encoder, peer] : [encoder, peer, other]);

        double[] Embed()
        {
            var vectors = new List<double>(count * shape.FeatureSize);
            foreach (float[] vector in encoder.Transform(data).GetColumn<float[]>("Vector"))
                vectors.AddRange(Array.ConvertAll(vector, number => (double)number));
            return [.. vectors];
        }
    }

    private static JsonObject Settings(Workshop workshop, TextTransformer shape, string file, JsonObject more)
    {
        foreach ((string name, int value) in new[]
        {
            ("threads", workshop.Threads), ("vocabulary", shape.VocabularySize), ("positions", shape.Positions), ("width", shape.Width), ("depth", shape.Depth),
            ("heads", shape.Heads), ("middle", shape.Middle),
        })
            more[name] = value;
        more["file"] = file;
        return more;
    }

    private sealed class Row
    {
        public string Text { get; set; } = "";
    }
}

/// <summary>The exported network in ONNX Runtime, on texts sorted by length.</summary>
internal sealed class OnnxEmbedding : IDisposable
{
    private static readonly string[] s_inputs = ["ids"], s_outputs = ["vectors"];
    private readonly InferenceSession _session;
    private readonly SessionOptions _options;
    private readonly (int[] Rows, long[] Ids, long[] Shape)[] _batches;
    private readonly int _texts, _width;

    public OnnxEmbedding(string model, int[][] texts, int width, int tokensTogether, int threads)
    {
        _options = new SessionOptions { IntraOpNumThreads = threads, GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL };
        _options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"); // it shares the processors with the other side
        _session = new InferenceSession(model, _options);
        (_texts, _width) = (texts.Length, width);
        int[] order = [.. Enumerable.Range(0, texts.Length).OrderByDescending(row => texts[row].Length)];
        var batches = new List<(int[], long[], long[])>();
        for (int start = 0; start < order.Length;)
        {
            int longest = texts[order[start]].Length;
            int[] rows = order[start..Math.Min(order.Length, start + Math.Max(1, tokensTogether / longest))];
            batches.Add((rows, [.. rows.SelectMany(row => texts[row].Select(id => (long)id).Concat(Enumerable.Repeat(-1L, longest - texts[row].Length)))], [rows.Length, longest]));
            start += rows.Length;
        }
        _batches = [.. batches];
    }

    /// <summary>All vectors, in the texts' order.</summary>
    public double[] Embed()
    {
        var vectors = new double[_texts * _width];
        using var run = new RunOptions();
        foreach ((int[] rows, long[] ids, long[] shape) in _batches)
        {
            using OrtValue input = OrtValue.CreateTensorValueFromMemory(ids, shape);
            using IDisposableReadOnlyCollection<OrtValue> outputs = _session.Run(run, s_inputs, [input], s_outputs);
            ReadOnlySpan<float> numbers = outputs[0].GetTensorDataAsSpan<float>();
            for (int i = 0; i < rows.Length; i++)
                for (int j = 0; j < _width; j++)
                    vectors[rows[i] * _width + j] = numbers[i * _width + j];
        }
        return vectors;
    }

    public void Dispose()
    {
        _session.Dispose();
        _options.Dispose();
    }
}

/// <summary>Sentences of made words: lengths about those of English sentences, the commoner words shorter, as Zipf has it.</summary>
internal static class MadeTexts
{
    private const int Words = 4000;

    public static string[] Make(int count, int seed = 1)
    {
        var random = new Random(seed);
        string[] words = [.. Enumerable.Range(0, Words).Select(word => Word(random, 2 + (int)Math.Log2(1 + word / 8.0)))];
        return [.. Enumerable.Range(0, count).Select(_ => string.Join(' ', Enumerable.Range(0, Length(random)).Select(_ => words[(int)Math.Exp(random.NextDouble() * Math.Log(Words)) % Words])) + ".")];
    }

    /// <summary>4 to 60 words, half of them under 17.</summary>
    private static int Length(Random random)
    {
        double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        return Math.Clamp((int)Math.Round(17 * Math.Exp(0.55 * normal)), 4, 60);
    }

    private static string Word(Random random, int letters) => string.Concat(Enumerable.Range(0, letters).Select(_ => (char)('a' + random.Next(26))));
}
