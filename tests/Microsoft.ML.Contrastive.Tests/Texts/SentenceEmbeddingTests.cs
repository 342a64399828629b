using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Texts;

/// <summary>Text columns, from reading to the zip.</summary>
public sealed class SentenceEmbeddingTests
{
    private static readonly TextTransformer s_small = new() { VocabularySize = 400, Width = 32, Depth = 2, Heads = 2, TokenLimit = 24 };
    private static readonly TrainingOptions s_short = new() { Steps = 6, BatchSize = 16 };

    [Theory]
    [MemberData(nameof(AllMethods.OfTexts), MemberType = typeof(AllMethods))]
    public void It_trains_and_its_zip_gives_the_same_vectors_anywhere(TextMethod method)
    {
        var ml = new MLContext(3);
        IDataView data = ml.View(SmallCorpus.Make(64, 1));
        using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding("Features", "Text", s_small, method, s_short).Fit(data);
        float[][] vectors = encoder.Vectors(data);
        Assert.Equal(64, vectors.Length);
        Assert.All(vectors, vector => Assert.All(vector, number => Assert.True(float.IsFinite(number))));

        using var stream = new MemoryStream();
        ml.Model.Save(encoder, data.Schema, stream);
        stream.Position = 0;
        ITransformer loaded = new MLContext().Model.Load(stream, out _);
        Assert.Equal(vectors, loaded.Vectors(data));

        PredictionEngine<SmallCorpus.Row, SmallCorpus.Vector> engine = ml.Model.CreatePredictionEngine<SmallCorpus.Row, SmallCorpus.Vector>(loaded);
        float[] alone = engine.Predict(new SmallCorpus.Row { Text = SmallCorpus.Make(64, 1)[5].Text }).Features;
        Assert.All(alone.Zip(vectors[5]), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
    }

    [Theory]
    [MemberData(nameof(AllMethods.OfTexts), MemberType = typeof(AllMethods))]
    public void ContrastivePretrain_on_a_text_column_is_the_same_training(TextMethod method)
    {
        var ml = new MLContext(3);
        IDataView data = ml.View(SmallCorpus.Make(64, 1));
        using SentenceEmbeddingTransformer one = ml.Transforms.SentenceEmbedding("Features", "Text", s_small, method, s_short).Fit(data);
        using ContrastivePretrainTransformer other = ml.Transforms.ContrastivePretrain("Features", "Text", method, s_small, s_short).Fit(data);
        Assert.Equal(one.Vectors(data), other.Vectors(data));
        Assert.Equal(one.TrainingRecord, other.TrainingRecord);
    }

    [Theory]
    [MemberData(nameof(AllMethods.OfTexts), MemberType = typeof(AllMethods))]
    public void It_learns_what_belongs_together(TextMethod method)
    {
        var ml = new MLContext(4);
        SmallCorpus.Row[] held = SmallCorpus.Make(60, 7);
        IDataView data = ml.View(SmallCorpus.Make(384, 2));
        SentenceEmbeddingEstimator estimator = ml.Transforms.SentenceEmbedding("Features", "Text", s_small with { Normalizes = true }, method, new TrainingOptions { Epochs = 12, BatchSize = 32 });
        using SentenceEmbeddingTransformer untrained = estimator.Untrained(data), trained = estimator.Fit(data);
        (double Alignment, double Uniformity) before = Geometry(untrained), after = Geometry(trained);
        Assert.True(after.Uniformity < before.Uniformity - 0.3, $"uniformity {before.Uniformity:f2} -> {after.Uniformity:f2}");
        Assert.True(
            SmallCorpus.NearestIsOfKind(trained.Vectors(ml.View(held)), held) >= SmallCorpus.NearestIsOfKind(untrained.Vectors(ml.View(held)), held) - 0.05,
            "training lost what words alone tell");

        (double, double) Geometry(SentenceEmbeddingTransformer encoder)
        {
            Tensor vectors = stack(encoder.Vectors(ml.View(held)).Select(vector => tensor(vector)));
            return (0, UnitSphere.Uniformity(vectors, 2).ToDouble());
        }
    }

    [Fact]
    public void Supervised_pairs_bring_texts_of_one_kind_together()
    {
        var ml = new MLContext(5);
        SmallCorpus.Row[] held = SmallCorpus.Make(60, 7);
        IDataView data = ml.View(SmallCorpus.Make(256, 2));
        SentenceEmbeddingEstimator estimator = ml.Transforms.SentenceEmbedding(
            "Features", "Text", s_small, new SimCse(), new TrainingOptions { Epochs = 8, BatchSize = 32 }, positiveColumnName: "Positive", negativeColumnName: "Negative");
        using SentenceEmbeddingTransformer untrained = estimator.Untrained(data), trained = estimator.Fit(data);
        double before = Contrast(untrained), after = Contrast(trained);
        Assert.True(after > before + 0.3, $"cosine within less between kinds: {before:f2} -> {after:f2}");

        double Contrast(SentenceEmbeddingTransformer encoder)
        {
            float[][] texts = encoder.Embed(held.Select(row => row.Text), TestContext.Current.CancellationToken), positives = encoder.Embed(held.Select(row => row.Positive), TestContext.Current.CancellationToken), negatives = encoder.Embed(held.Select(row => row.Negative), TestContext.Current.CancellationToken);
            return Enumerable.Range(0, held.Length).Average(i => SmallCorpus.Cosine(texts[i], positives[i]) - SmallCorpus.Cosine(texts[i], negatives[i]));
        }
    }

    [Theory]
    [InlineData(TextAugmentation.Adversarial, TextAugmentation.Dropout)]
    [InlineData(TextAugmentation.TokenCutoff, TextAugmentation.Shuffle)]
    public void ConSert_learns_jointly_from_pairs_with_classes(TextAugmentation first, TextAugmentation second)
    {
        var ml = new MLContext(5);
        SmallCorpus.Row[] held = SmallCorpus.Make(60, 7);
        // Half of the pairs belong together, half do not.
        IEnumerable<SmallCorpus.Row> Pairs(IEnumerable<SmallCorpus.Row> rows) => rows.SelectMany(row => new[]
        {
            new SmallCorpus.Row { Text = row.Text, Positive = row.Positive, Kind = "same" }, new SmallCorpus.Row { Text = row.Text, Positive = row.Negative, Kind = "other" },
        });
        IDataView data = ml.View(Pairs(SmallCorpus.Make(192, 2)));
        IDataView labelled = ml.Transforms.Conversion.MapValueToKey("Kind").Fit(data).Transform(data);
        var options = new SentenceEmbeddingEstimator.Options
        {
            OutputColumnName = "Features", InputColumnName = "Text", Encoder = s_small, Method = new ConSert { First = first, Second = second, LearningRate = new(2e-3, Scaling: RateScaling.None) },
            Training = new TrainingOptions { Epochs = 10, BatchSize = 32 }, PositiveColumnName = "Positive", LabelColumnName = "Kind",
        };
        using SentenceEmbeddingTransformer untrained = ml.Transforms.SentenceEmbedding(options).Untrained(labelled), trained = ml.Transforms.SentenceEmbedding(options).Fit(labelled);
        double before = Contrast(untrained), after = Contrast(trained);
        Assert.True(after > before + 0.1, $"cosine within less between kinds: {before:f2} -> {after:f2}");
        Assert.Contains("LabelColumnName", Assert.Throws<ArgumentException>(() => ml.Transforms.SentenceEmbedding(options with { LabelColumnName = null })).Message, StringComparison.Ordinal);
        Assert.Contains("leave LabelColumnName out", Assert.Throws<ArgumentException>(() => ml.Transforms.SentenceEmbedding(options with { Method = new SimCse() })).Message, StringComparison.Ordinal);
        Assert.Contains("needs a classifier", Assert.Throws<ArgumentException>(
            () => ml.Transforms.SentenceEmbedding("F", "Text", s_small, new ConSert { First = TextAugmentation.Adversarial }, s_short).Fit(data)).Message, StringComparison.Ordinal);

        double Contrast(SentenceEmbeddingTransformer encoder)
        {
            CancellationToken token = TestContext.Current.CancellationToken;
            float[][] texts = encoder.Embed(held.Select(row => row.Text), token), positives = encoder.Embed(held.Select(row => row.Positive), token), negatives = encoder.Embed(held.Select(row => row.Negative), token);
            return Enumerable.Range(0, held.Length).Average(i => SmallCorpus.Cosine(texts[i], positives[i]) - SmallCorpus.Cosine(texts[i], negatives[i]));
        }
    }

    /// <summary>A thousand together are so many tokens that threads take parts for themselves.</summary>
    [Theory]
    [InlineData(50, 7)]
    [InlineData(1_000, 1_000)]
    public void A_text_has_the_same_vector_in_any_company_and_order(int count, int together)
    {
        var ml = new MLContext(6);
        SmallCorpus.Row[] rows = SmallCorpus.Make(count, 3);
        rows[20].Text = string.Concat(Enumerable.Repeat("the old dog plays on the sofa, ", 10)); // longer than the limit
        IDataView data = ml.View(rows);
        using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding(new SentenceEmbeddingEstimator.Options
        {
            OutputColumnName = "Features", InputColumnName = "Text", Encoder = s_small, Method = new SimCse(), Training = s_short, TransformBatchSize = together,
        }).Fit(data);
        float[][] vectors = encoder.Vectors(data), backwards = encoder.Vectors(ml.View([.. rows.AsEnumerable().Reverse()]));
        for (int i = 0; i < rows.Length; i++)
        {
            Same(vectors[i], encoder.Embed([rows[i].Text], TestContext.Current.CancellationToken)[0]);
            Same(vectors[i], backwards[^(i + 1)]);
        }

        static void Same(float[] expected, float[] actual) => Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
    }

    [Fact]
    public void The_same_seed_gives_the_same_vectors_and_leaves_the_global_generator_alone()
    {
        using Tensor before = get_rng_state();
        float[][][] runs = [.. Enumerable.Range(0, 2).Select(_ =>
        {
            var ml = new MLContext(8);
            IDataView data = ml.View(SmallCorpus.Make(64, 1));
            using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding("Features", "Text", s_small, new SimCse(), s_short).Fit(data);
            return encoder.Vectors(data);
        })];
        using Tensor after = get_rng_state();
        Assert.Equal(runs[0], runs[1]);
        Assert.Equal(before.bytes.ToArray(), after.bytes.ToArray());
    }

    [Theory]
    [MemberData(nameof(AllMethods.OfTexts), MemberType = typeof(AllMethods))]
    public void A_run_that_is_cancelled_ends_in_the_vectors_of_an_unbroken_one(TextMethod method)
    {
        string folder = Directory.CreateTempSubdirectory("texts-").FullName;
        try
        {
            float[][] unbroken = Fit(s_short);
            using var cancelled = new CancellationTokenSource();
            TrainingOptions kept = s_short with { CheckpointFolder = Path.Combine(folder, "run"), ReportEvery = 1 };
            Assert.Throws<OperationCanceledException>(() => Fit(kept with
            {
                CancellationToken = cancelled.Token, Progress = new OnProgress(report => { if (report.Step == 3) cancelled.Cancel(); }),
            }));
            Assert.Equal(unbroken, Fit(kept));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        float[][] Fit(TrainingOptions training)
        {
            var ml = new MLContext(8);
            IDataView data = ml.View(SmallCorpus.Make(64, 1));
            using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding("Features", "Text", s_small, method, training).Fit(data);
            return encoder.Vectors(data);
        }
    }

    [Fact]
    public void Training_goes_on_from_an_earlier_encoder_and_its_vocabulary()
    {
        var ml = new MLContext(9);
        IDataView data = ml.View(SmallCorpus.Make(64, 1));
        SentenceEmbeddingEstimator estimator = ml.Transforms.SentenceEmbedding("Features", "Text", s_small, new SimCse(), s_short);
        using SentenceEmbeddingTransformer first = estimator.Fit(data);
        IDataView other = ml.View(SmallCorpus.Make(32, 5).Select(row => new SmallCorpus.Row { Text = row.Text + " zebra" }));
        using SentenceEmbeddingTransformer second = estimator.Fit(other, first);
        Assert.Equal(first.Encoder, second.Encoder);
        Assert.NotEqual(first.Vectors(data), second.Vectors(data));
        Assert.Contains("\"learningRate\":{\"base\":3E-05", second.TrainingRecord, StringComparison.OrdinalIgnoreCase); // a published model's rate
    }

    [Fact]
    public void Blank_texts_have_the_empty_texts_vector_or_fail_by_name()
    {
        var ml = new MLContext(10);
        SmallCorpus.Row[] rows = SmallCorpus.Make(32, 1);
        rows[4].Text = "";
        rows[9].Text = "  \t";
        rows[11].Text = null!;
        IDataView data = ml.View(rows);
        var messages = new List<string>();
        ml.Log += (_, args) => messages.Add(args.Message);
        var options = new SentenceEmbeddingEstimator.Options { OutputColumnName = "Features", InputColumnName = "Text", Encoder = s_small, Method = new SimCse(), Training = s_short };
        using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding(options).Fit(data);
        Assert.Contains(messages, message => message.Contains("Left out 3 of 32 rows: column 'Text' held no readable text there.", StringComparison.Ordinal));
        float[][] vectors = encoder.Vectors(data);
        foreach (float[] same in new[] { vectors[9], vectors[11], encoder.Embed([null], TestContext.Current.CancellationToken)[0] })
            Assert.All(vectors[4].Zip(same), pair => Assert.Equal(pair.First, pair.Second, 1e-5));

        var error = Assert.Throws<InvalidOperationException>(() => ml.Transforms.SentenceEmbedding(options with { EmptyTexts = EmptyTexts.Fail }).Fit(data));
        Assert.Contains("Row 4 of column 'Text' has no text", error.Message, StringComparison.Ordinal);
        using SentenceEmbeddingTransformer strict = ml.Transforms.SentenceEmbedding(options with { EmptyTexts = EmptyTexts.Fail }).Fit(ml.View(SmallCorpus.Make(32, 1)));
        error = Assert.Throws<InvalidOperationException>(() => strict.Embed([.. Enumerable.Repeat("a cat", 300), " "], TestContext.Current.CancellationToken));
        Assert.Contains("Text 300, counted from 0, is blank", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_cut_is_counted_and_told_once()
    {
        var ml = new MLContext(11);
        var messages = new List<string>();
        ml.Log += (_, args) => messages.Add(args.Message);
        SmallCorpus.Row[] rows = SmallCorpus.Make(32, 1);
        rows[3].Text = rows[7].Text = string.Concat(Enumerable.Repeat("the bank opens ", 30));
        using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding("Features", "Text", s_small, new SimCse(), s_short).Fit(ml.View(rows));
        Told("2 of 32 texts were longer than the encoder's 24 tokens, and were cut");
        Assert.Contains(messages, message => message.Contains("split them, or choose an encoder with a larger TokenLimit", StringComparison.Ordinal));

        messages.Clear();
        encoder.Vectors(ml.View(rows[..3])); // of which none is cut
        Assert.DoesNotContain(messages, message => message.Contains("were longer", StringComparison.Ordinal));
        encoder.Vectors(ml.View(rows));
        encoder.Vectors(ml.View(rows));
        Told("2 of 32 texts");

        messages.Clear();
        using SentenceEmbeddingTransformer other = encoder.WithPrecision(Precision.Single);
        other.Embed([rows[0].Text, rows[3].Text], TestContext.Current.CancellationToken);
        other.Embed([rows[3].Text], TestContext.Current.CancellationToken);
        Told("1 of 2 texts");

        void Told(string part) => Assert.Contains(part, Assert.Single(messages, message => message.Contains("were longer", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_prompt_stands_before_every_text()
    {
        var ml = new MLContext(12);
        IDataView data = ml.View(SmallCorpus.Make(32, 1));
        using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding(new SentenceEmbeddingEstimator.Options
        {
            OutputColumnName = "Features", InputColumnName = "Text", Encoder = s_small, Method = new SimCse(), Training = s_short, Prompt = "kitten: ",
        }).Fit(data);
        using SentenceEmbeddingTransformer plain = ml.Transforms.SentenceEmbedding("Features", "Text", s_small, new SimCse(), s_short).Fit(data);
        Assert.NotEqual(plain.Vectors(data)[0], encoder.Vectors(data)[0]);
        using var stream = new MemoryStream();
        ml.Model.Save(encoder, data.Schema, stream);
        stream.Position = 0;
        Assert.Equal(encoder.Vectors(data), ml.Model.Load(stream, out _).Vectors(data));
    }

    [Fact]
    public void What_does_not_fit_is_refused_before_training()
    {
        var ml = new MLContext(13);
        IDataView data = ml.View(SmallCorpus.Make(32, 1));
        Refused("start", () => ml.Transforms.SentenceEmbedding("F", "Text"));
        Refused("PositiveColumnName", () => ml.Transforms.SentenceEmbedding("F", "Text", s_small, new ESimCse(), positiveColumnName: "Positive"));
        Refused("PositiveColumnName", () => ml.Transforms.SentenceEmbedding("F", "Text", s_small, new SimCse(), negativeColumnName: "Negative"));
        Refused("takes no texts", () => ml.Transforms.ContrastivePretrain("F", "Text", new SimCse(), ImageEncoder.SmallConvNet()));
        Refused("Augmentations", () => ml.Transforms.SentenceEmbedding("F", "Text", s_small, new SimCse { Augmentations = [ImageAugmentations.MoCoV1] }));
        Refused("'Nowhere'", () => ml.Transforms.SentenceEmbedding("F", "Nowhere", s_small, new SimCse(), s_short).Fit(data));
        Refused("column 'Text' has no rows", () => ml.Transforms.SentenceEmbedding("F", "Text", s_small, new SimCse(), s_short).Fit(ml.View(Array.Empty<SmallCorpus.Row>())));
        Refused("column 'Text' has no readable text", () => ml.Transforms.SentenceEmbedding("F", "Text", s_small, new SimCse(), s_short).Fit(ml.View(new[] { new SmallCorpus.Row { Text = " " } })));
        Refused("expected text", () => ml.Transforms.SentenceEmbedding("F", "Kind", s_small, new SimCse(), s_short).Fit(ml.Transforms.Conversion.MapValueToKey("Kind").Fit(data).Transform(data)));
        Refused("fewer than one batch", () => ml.Transforms.SentenceEmbedding("F", "Text", s_small, new SimCse(), s_short with { BatchSize = 64 }).Fit(data));
        Refused("MatryoshkaSizes", () => ml.Transforms.SentenceEmbedding("F", "Text", s_small, new SimCse { MatryoshkaSizes = [8, 64] }, s_short).Fit(data));
        Refused("Two views", () => ml.Transforms.SentenceEmbedding("F", "Text", s_small, new ConSert { First = TextAugmentation.None, Second = TextAugmentation.None }));
        Refused("Heads", () => ml.Transforms.SentenceEmbedding("F", "Text", s_small with { Heads = 17 }, new SimCse()));

        static void Refused(string part, Func<object> action)
            => Assert.Contains(part, Assert.ThrowsAny<ArgumentException>(action).Message, StringComparison.Ordinal);
    }
}
