using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Clip from nothing on small pictures with captions, and how well words find pictures that it has not seen.</summary>
internal sealed class ClipBenchmark
{
    private const int BatchSize = 256, EmojiSide = 24, CifarSide = 32, OwnSide = 36;
    private const int DesignEpochs = 180, ConceptEpochs = 30, OtherEpochs = 10, LeastSteps = 400;
    private static readonly string[] s_heldOut = ["deer", "truck"];
    private readonly ClipOptions _options;
    private readonly MLContext _ml;
    private readonly List<ClipRow> _rows = [];

    private ClipBenchmark(ClipOptions options)
    {
        (_options, _ml) = (options, new MLContext(options.Seed));
        _ml.Log += (_, entry) =>
        {
            if (entry.Kind == ChannelMessageKind.Warning)
                Console.Error.WriteLine(entry.Message);
        };
    }

    public static int Run(string[] args)
    {
        try
        {
            new ClipBenchmark(ClipOptions.Parse(args)).Run();
            return 0;
        }
        catch (Exception error) when (error is BenchmarkException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(error.Message);
            return error is BenchmarkException ? 2 : 1;
        }
    }

    private void Run()
    {
        foreach (string task in _options.Tasks)
        {
            switch (task)
            {
                case ClipOptions.NewDesign:
                    Emoji(newConcepts: false);
                    break;
                case ClipOptions.NewConcept:
                    Emoji(newConcepts: true);
                    break;
                case ClipOptions.Cifar:
                    Cifar(heldOut: []);
                    break;
                case ClipOptions.Unseen:
                    Cifar(s_heldOut);
                    break;
                default:
                    OwnPairs();
                    break;
            }
            ClipRow.WriteAll(_options.Out, string.Create(
                CultureInfo.InvariantCulture,
                $"Trained from nothing: {Image} (emoji: {DrawnImage}); {Text}; batches of {BatchSize}, seed {_options.Seed}; {Environment.ProcessorCount} processors. A query's rank counts equally near candidates against it."), _rows);
        }
    }

    private static SmallConvNet Image => ImageEncoder.SmallConvNet(32, grid: 2);

    /// <summary>Of a drawing it matters what is where in it.</summary>
    private static SmallConvNet DrawnImage => ImageEncoder.SmallConvNet(32, grid: 4);

    /// <summary>Few pictures of each thing: shape must be learned, not one hand's colours.</summary>
    public static ImageAugmentation View => new() { Crop = new(0.4, 1), FlipProbability = 0, Jitter = new(0.4, 0.4, 0.4, 0.1, Probability: 0.8), GrayscaleProbability = 0.2 };

    /// <summary>Two hands that draw one thing agree on its colours and where they are, not on lines: chosen in the other direction, from Twitter's designs to Noto's.</summary>
    private static ImageAugmentation DrawnView => new() { Crop = new(0.8, 1), FlipProbability = 0, Jitter = new(0.3, 0.3, 0.3, 0.03, Probability: 0.8), GrayscaleProbability = 0, Blur = new(0.8) };

    public static ClipTextTransformer Text => new() { VocabularySize = 4096, ContextLength = 24, Width = 128, Depth = 2, Heads = 4, EmbeddingSize = 256 };

    /// <summary>One vendor's emoji in training and the other's in the test; or both vendors' in both, and a fifth of the ids, skin variants with them, in the test alone.</summary>
    private void Emoji(bool newConcepts)
    {
        string folder = Path.Combine(_options.Data, "emoji"), table = Path.Combine(folder, "emoji-captions.tsv");
        var pictures = new CaptionedPictures(_options.Size ?? EmojiSide);
        CaptionedRow[] noto = Vendor("noto"), twitter = Vendor("twitter");
        HashSet<string> both = [.. noto.Where(IsPlain).Select(Concept).Intersect(twitter.Where(IsPlain).Select(Concept))];
        if (!newConcepts)
        {
            Others others = ReadOthers(pictures);
            using ImageTextTransformer model = Train(pictures, [.. noto.Where(IsPlain)], DrawnImage, DrawnView, DesignEpochs, out ClipRun run);
            Retrieval("new design", pictures, model, [.. twitter.Where(row => IsPlain(row) && both.Contains(Concept(row)))], run);
            Measure(others, ", by emoji", pictures, model, run);
            return;
        }
        string[] ids = [.. both.Order(StringComparer.Ordinal)];
        new Random(_options.Seed).Shuffle(ids);
        HashSet<string> test = [.. ids.Take(ids.Length / 5)];
        HashSet<string> words = [.. noto.Concat(twitter).Where(row => IsPlain(row) && test.Contains(Concept(row))).Select(row => row.Caption)];
        CaptionedRow[] train = [.. noto.Concat(twitter).Where(row => !test.Contains(Concept(row)) && !words.Contains(row.Caption.Split(':')[0]))];
        Others more = ReadOthers(pictures);
        using ImageTextTransformer other = Train(pictures, train, DrawnImage, DrawnView, ConceptEpochs, out ClipRun otherRun);
        foreach ((string vendor, CaptionedRow[] rows) in new[] { ("noto", noto), ("twitter", twitter) })
            Retrieval($"new concept, {vendor}", pictures, other, [.. rows.Where(row => IsPlain(row) && test.Contains(Concept(row)))], otherRun);
        Measure(more, ", by four fifths of the emoji", pictures, other, otherRun);

        CaptionedRow[] Vendor(string set) => pictures.Read(table, Path.Combine(folder, $"emoji-{set}.zip"), cell => cell("set") != set ? null
            : new CaptionedRow { Caption = cell("caption"), Label = $"{cell("id")}|{cell("is_skin_variant")}" });

        static bool IsPlain(CaptionedRow row) => row.Label.EndsWith("|0", StringComparison.Ordinal);

        // A skin variant has its emoji's id with tones in it; of two people, sometimes only the words in front of the colon in common.
        static string Concept(CaptionedRow row) => string.Join('-', row.Label.Split('|')[0].Split('-').Where(point => point is not ("fe0f" or "1f3fb" or "1f3fc" or "1f3fd" or "1f3fe" or "1f3ff")));
    }

    private void Cifar(string[] heldOut)
    {
        var pictures = new CaptionedPictures(_options.Size ?? CifarSide);
        CaptionedRow[] train = pictures.ReadCifar(_options.Data, "train"), test = pictures.ReadCifar(_options.Data, "test");
        string[] classes = [.. test.Select(row => row.Label).Distinct().Order(StringComparer.Ordinal)];
        CaptionedRow[] seen = [.. train.Where(row => !heldOut.Contains(row.Label))];
        Others others = ReadOthers(pictures);
        using ImageTextTransformer model = Train(pictures, seen, Image, View, OtherEpochs, out ClipRun run);
        Measure(others, heldOut.Length == 0 ? ", by CIFAR-10" : ", by eight classes of CIFAR-10", pictures, model, run);
        if (heldOut.Length == 0)
        {
            ZeroShot("CIFAR-10", pictures, model, test, classes, run);
            using ImageTextTransformer images = model.Only("ImageVector");
            LinearProbeMetrics probe = _ml.Representation().EvaluateLinearProbe(images.Transform(pictures.View(_ml, train)), images.Transform(pictures.View(_ml, test)), "ImageVector");
            Add(new ClipRow("CIFAR-10, linear probe on the same vectors", probe.Accuracy, 1.0 / classes.Length, null, null, null)
            {
                Gallery = classes.Length, Queries = test.Length, Prompts = "labels", Pairs = run.Pairs, Steps = run.Steps, Seconds = run.Seconds,
            });
            return;
        }
        ZeroShot("CIFAR-10, classes in training captions", pictures, model, [.. test.Where(row => !heldOut.Contains(row.Label))], classes, run);
        ZeroShot($"CIFAR-10, never seen: {string.Join(", ", heldOut)}", pictures, model, [.. test.Where(row => heldOut.Contains(row.Label))], classes, run);
    }

    private void OwnPairs()
    {
        var pictures = new CaptionedPictures(_options.Size ?? OwnSide);
        (string file, string images) = _options.Train!.Value;
        CaptionedRow[] rows = pictures.Read(file, images, Pair);
        if (rows.Length < 2)
            throw new BenchmarkException($"{file} has one pair alone: there is nothing to tell it from.");
        Others others = ReadOthers(pictures, own: true);
        int steps = rows.Length / Math.Min(BatchSize, rows.Length); // of an epoch
        using ImageTextTransformer model = Train(pictures, rows, Image, View, Math.Max(OtherEpochs, (LeastSteps + steps - 1) / steps), out ClipRun run);
        Measure(others, "", pictures, model, run);
    }

    /// <summary>What the user wants measured beside the task; read before any training, which a mistyped name would waste.</summary>
    /// <param name="own">Whether the model is of the user's own pairs, which alone measures where there are such.</param>
    private Others ReadOthers(CaptionedPictures pictures, bool own = false) => _options.Train is not null && !own ? new([], [])
        : new(_options.Test is var (file, images) ? pictures.Read(file, images, Pair) : [], _options.Classes is { } classes ? pictures.ReadClasses(classes) : []);

    private void Measure(Others others, string by, CaptionedPictures pictures, ImageTextTransformer model, ClipRun run)
    {
        if (others.Pairs.Length > 0)
            Retrieval($"own pairs{by}", pictures, model, others.Pairs, run);
        if (others.OfClasses.Length > 0)
            ZeroShot($"own classes{by}", pictures, model, others.OfClasses, [.. others.OfClasses.Select(row => row.Label).Distinct().Order(StringComparer.Ordinal)], run);
    }

    private static CaptionedRow Pair(Func<string, string> cell) => new() { Caption = cell("caption") };

    /// <param name="standard">Epochs where the user names none.</param>
    private ImageTextTransformer Train(CaptionedPictures pictures, CaptionedRow[] rows, ImageEncoder image, ImageAugmentation view, int standard, out ClipRun run)
    {
        int epochs = _options.Epochs ?? standard;
        int batch = Math.Min(BatchSize, rows.Length);
        ImageTextEstimator estimator = _ml.Transforms.ContrastivePretrain(
            new InputOutputColumnPair[] { new("ImageVector", "Image"), new("TextVector", "Caption") }, new Clip { Augmentations = [view] }, new ImageTextEncoder(image, Text),
            new TrainingOptions
            {
                Epochs = epochs, BatchSize = batch, KeepFreedMemory = true, ReportEvery = 50,
                Progress = new OnProgress(progress => Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  step {progress.Step} of {progress.TotalSteps}: loss {progress.Loss:f3}, {progress.TimeLeft:hh\\:mm\\:ss} left"))),
            },
            pictures.Shape);
        var clock = Stopwatch.StartNew();
        ImageTextTransformer model = estimator.Fit(pictures.View(_ml, rows));
        run = new ClipRun(rows.Length, (long)epochs * (rows.Length / batch), clock.Elapsed.TotalSeconds);
        return model;
    }

    /// <summary>Which of the test's own captions belong to a picture, and which of its pictures to a caption; there may be several of either.</summary>
    private void Retrieval(string task, CaptionedPictures pictures, ImageTextTransformer model, CaptionedRow[] rows, ClipRun run)
    {
        string[] captions = [.. rows.Select(row => row.Caption).Distinct()];
        CaptionedRow[] gallery = [.. rows.DistinctBy(row => row.File)];
        Dictionary<string, int> placeOfCaption = captions.Index().ToDictionary(entry => entry.Item, entry => entry.Index), placeOfPicture = gallery.Index().ToDictionary(entry => entry.Item.File, entry => entry.Index);
        ILookup<string, int> captionsOf = rows.ToLookup(row => row.File, row => placeOfCaption[row.Caption]), picturesOf = rows.ToLookup(row => row.Caption, row => placeOfPicture[row.File]);
        ZeroShot($"{task}, picture to text", pictures, model, gallery, captions, [.. gallery.Select(row => captionsOf[row.File].Distinct().ToArray())], run, PromptTemplates.Drawings);

        int[][] rights = [.. captions.Select(caption => picturesOf[caption].Distinct().ToArray())];
        using var scope = NewDisposeScope();
        using ImageTextTransformer images = model.Only("ImageVector");
        Tensor vectors = tensor(images.Transform(pictures.View(_ml, gallery)).GetColumn<float[]>("ImageVector").SelectMany(vector => vector).ToArray()).view(gallery.Length, -1);
        long[] ranks = [.. model.EmbedTexts(captions).Zip(rights, (text, right) =>
        {
            using Tensor query = tensor(text), nearness = vectors.mv(query);
            return ZeroShotRanks.Rank(nearness.data<float>().ToArray(), right);
        })];
        Add(ClipRow.Of($"{task}, text to picture", "the word", ranks, rights.Select(right => right.Length), gallery.Length, run));
    }

    private void ZeroShot(string task, CaptionedPictures pictures, ImageTextTransformer model, CaptionedRow[] rows, string[] classes, ClipRun run)
        => ZeroShot(task, pictures, model, rows, classes, ZeroShotRanks.OwnClass(rows, classes), run, PromptTemplates.Photos);

    /// <summary>Which word belongs to a picture: by the word alone, and by sentences about it.</summary>
    private void ZeroShot(string task, CaptionedPictures pictures, ImageTextTransformer model, CaptionedRow[] rows, string[] classes, int[][] rights, ClipRun run, PromptTemplates ensemble)
    {
        foreach ((string prompts, PromptTemplates templates) in new[] { ("the word", PromptTemplates.None), ("ensemble", ensemble) })
            Add(ClipRow.Of(task, prompts, ZeroShotRanks.Of(_ml, pictures, model, rows, classes, rights, templates), rights.Select(right => right.Length), classes.Length, run));
    }

    private void Add(ClipRow row)
    {
        _rows.Add(row);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Task}, {row.Prompts}: {row.Accuracy:P1} of {row.Queries}, chance {row.Chance:P2}, recall@10 {row.Recall10:P1}"));
    }
}

/// <summary>What the user wants a model measured on; either may be empty.</summary>
internal sealed record Others(CaptionedRow[] Pairs, CaptionedRow[] OfClasses);
