using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Texts;

/// <summary>What SimCSE can do beside its objective: duplicates, hidden words, watching, mining.</summary>
public sealed class SimCseTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Views_under_one_dropout_are_the_same_and_otherwise_not(bool shares)
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var random = new Generator(1);
        TextTransformer encoder = s_small with { Dropout = 0.3 };
        var facts = new RunFacts(8, 4, 2, 0, 0, 0, encoder.FeatureSize) { Encoder = encoder, TextsPerExample = 1 };
        using Learner learner = new SimCse { SharesDropout = shares }.Resolve(facts).CreateLearner(new LearnerSetup(() => encoder.Build(random), encoder.FeatureSize, random, facts));
        learner.train();
        Tensor text = arange(4 * 6).view(4, 6).fmod(8);
        IReadOnlyList<Tensor> views = ((IChunkedLearner)learner).Represent(new Contrastive.Views(text, text), new Step(0, 2, 1), chunk: 0);
        Assert.Equal(shares, views[0].equal(views[1]).all().item<bool>());
    }

    [Fact]
    public void An_encoder_without_dropout_learns_from_texts_alone_only_where_that_is_meant()
    {
        var facts = new RunFacts(8, 4, 2, 0, 0, 0, 16) { Encoder = s_small with { Dropout = 0, AttentionDropout = 0 }, TextsPerExample = 1 };
        Assert.Contains("SharesDropout", Assert.Throws<ArgumentException>(() => new SimCse().Resolve(facts)).Message, StringComparison.Ordinal);
        new SimCse { SharesDropout = true }.Resolve(facts);
    }

    private static readonly TextTransformer s_small = new() { VocabularySize = 400, Width = 16, Depth = 1, Heads = 2, TokenLimit = 24, Dropout = 0, AttentionDropout = 0 };

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Texts_that_read_the_same_are_not_each_others_negatives(bool symmetric, bool ofTexts)
    {
        using var generator = new Generator(1);
        var facts = new RunFacts(8, 4, 10, 0, 0, 0, 16) { TextsPerExample = 2, Encoder = s_small };
        // Either row 2's text reads as row 1's, or row 3's positive as row 0's.
        Tensor texts = tensor(new long[,] { { 5, 6, -1 }, { 7, 8, 9 }, { 7, 8, ofTexts ? 9 : 16 }, { 10, -1, -1 } });
        Tensor positives = tensor(new long[,] { { 11, 12, -1 }, { 13, -1, -1 }, { 14, 15, -1 }, { 11, 12, ofTexts ? 17 : -1 } });
        // At this temperature no column is less than 4 % of the sum, whatever the cosines.
        var method = new SimCse { KeepsMlp = false, Temperature = 1, Symmetric = symmetric };
        double spared = Loss(method), counted = Loss(method with { SparesDuplicates = false });
        Assert.True(spared < counted - 0.01, $"{spared} against {counted}");

        double Loss(SimCse trained)
        {
            using var same = new Generator(3);
            using Learner learner = trained.Resolve(facts).CreateLearner(new LearnerSetup(() => s_small.Build(same), 16, same, facts));
            using var views = new Views(texts.clone(), positives.clone());
            return learner.Loss(views, new Step(0, 10, 1)).ToDouble();
        }
    }

    [Fact]
    public void Excluded_columns_count_as_if_they_were_not_there()
    {
        Tensor anchors = tensor(new[,] { { 1.0, 0.2 }, { 0.1, 1 }, { -1, 0.3 } }), partners = tensor(new[,] { { 0.9, 0.1 }, { 0.3, 0.8 }, { -0.7, 0.2 } });
        Tensor excluded = tensor(new[,] { { false, false, true }, { false, false, false }, { false, false, false } });
        Tensor perRow = InBatchContrast.PerRow(anchors, partners, 0.5, excluded: excluded);
        TensorAssert.Equal(InBatchContrast.PerRow(anchors.narrow(0, 0, 2), partners.narrow(0, 0, 2), 0.5)[0], perRow[0], 1e-12);
        TensorAssert.Equal(InBatchContrast.PerRow(anchors, partners, 0.5)[1], perRow[1], 1e-12);
        double back = InBatchContrast.Loss(partners, anchors, 0.5, excluded: excluded.t()).item<double>();
        Assert.Equal((perRow.mean().item<double>() + back) / 2, InBatchContrast.Symmetric(anchors, partners, 0.5, excluded).item<double>(), 1e-12);
        Assert.Throws<ArgumentException>(() => InBatchContrast.PerRow(anchors, partners, 0.5, excluded: tensor(new[] { true })));
    }

    [Fact]
    public void Lengths_are_cut_from_the_vector_that_stays_and_the_whole_counts_once()
    {
        NativeTorch.EnsureLoaded();
        var method = new SimCse { MatryoshkaSizes = [8] };
        TextEncoder encoder = method.EncoderFor(s_small with { Dropout = 0.1 }, texts: 1);
        Assert.Equal(16, ((TextTransformer)encoder).DenseSize);
        var facts = new RunFacts(8, 4, 10, 0, 0, 0, 16) { TextsPerExample = 1, Encoder = encoder };
        (double once, bool isWhole) = Train(method);
        Assert.True(isWhole, "There is something behind the encoder, which training ends without.");
        Assert.Equal(once, Train(method with { MatryoshkaSizes = [8, 16] }).Loss);
        Assert.Contains("throws away", Assert.Throws<ArgumentException>(() => (method with { KeepsMlp = false }).Validate(4)).Message, StringComparison.Ordinal);
        (method with { KeepsMlp = false, HasMlp = false }).Validate(4);

        (double Loss, bool IsWhole) Train(SimCse trained)
        {
            using var same = new Generator(3);
            using Learner learner = trained.Resolve(facts).CreateLearner(new LearnerSetup(() => encoder.Build(same), 16, same, facts));
            Tensor text = tensor(new long[,] { { 5, 6, 7 }, { 8, 9, 10 }, { 11, 12, -1 }, { 13, 14, -1 } });
            using var views = new Contrastive.Views(text, text.clone());
            return (learner.Loss(views, new Step(0, 10, 1)).ToDouble(), learner.parameters().Count() == learner.Encoder.parameters().Count());
        }
    }

    [Fact]
    public void Words_are_hidden_as_in_BERT_and_guessing_them_is_learned()
    {
        var tokens = new TokenKinds(100, id => id < 5, 4);
        var shown = new Dictionary<string, int> { ["mask"] = 0, ["same"] = 0, ["other"] = 0 };
        int hidden = 0, words = 0;
        for (int row = 0; row < 2000; row++)
        {
            int[] ids = [2, 50, 51, 52, 53, 54, 55, 56, 57, 3], seen = HiddenWords.Hide(ids, tokens, new SeededRandom(1, 0, (ulong)row));
            Assert.Equal((2, 3), (seen[0], seen[^1]));
            for (int place = 1; place < 9; place++, words++)
                if (seen[place] != ids[place])
                {
                    hidden++;
                    int there = -2 - seen[place];
                    Assert.InRange(there, 0, 99);
                    shown[there == 4 ? "mask" : there == ids[place] ? "same" : "other"]++;
                }
        }
        Assert.Equal(0.15, hidden / (double)words, 0.01);
        Assert.Equal(0.8, shown["mask"] / (double)hidden, 0.03);
        Assert.Equal(0.1, shown["same"] / (double)hidden, 0.03);

        // With the weight so high that the rest does not matter, the loss falls well below guessing at random.
        var ml = new MLContext(2);
        var losses = new List<double>();
        using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding(
            "Features", "Text", s_small with { Width = 32, Dropout = 0.1 }, new SimCse { MaskedWordWeight = 100, LearningRate = new(5e-3, Scaling: RateScaling.None) },
            new TrainingOptions { Steps = 120, BatchSize = 32, ReportEvery = 20, Progress = new OnProgress(report => losses.Add(report.Loss)) })
            .Fit(ml.View(SmallCorpus.Make(128, 1)));
        Assert.True(losses[^1] < 0.6 * losses[0], $"{losses[0]} -> {losses[^1]}");
    }

    [Fact]
    public void A_batch_in_chunks_trains_as_the_whole()
    {
        float[][][] runs = [.. new int?[] { null, 5 }.Select(chunk =>
        {
            var ml = new MLContext(6);
            IDataView data = ml.View(SmallCorpus.Make(64, 1));
            using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding(
                "Features", "Text", s_small, new SimCse { MaskedWordWeight = 0.1, MatryoshkaSizes = [8] }, new TrainingOptions { Steps = 4, BatchSize = 16, ChunkSize = chunk },
                positiveColumnName: "Positive", negativeColumnName: "Negative").Fit(data);
            return encoder.Vectors(data);
        })];
        for (int row = 0; row < 64; row++)
            Assert.All(runs[0][row].Zip(runs[1][row]), pair => Assert.Equal(pair.First, pair.Second, 1e-3));
    }

    [Fact]
    public void Repetition_never_exceeds_the_networks_positions_and_keeps_the_end()
    {
        var tokens = new TokenKinds(100, id => id < 5, 4, MostTokens: 12);
        int[] ids = [2, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 3];
        var lengths = new HashSet<int>();
        for (ulong row = 0; row < 200; row++)
        {
            int[] repeated = WordRepetition.Repeat(ids, tokens, 0.5, releasedCode: false, new SeededRandom(1, 0, row));
            Assert.Equal(12, repeated.Length);
            Assert.Equal((2, 3), (repeated[0], repeated[^1]));
            int[] longer = WordRepetition.Repeat(ids, tokens with { MostTokens = 100 }, 0.5, releasedCode: false, new SeededRandom(1, 0, row));
            lengths.Add(longer.Length);
            Assert.Equal(ids, longer.Where((id, place) => place == 0 || id != longer[place - 1]));
        }
        Assert.Equal(Enumerable.Range(12, 6), lengths.Order()); // up to max(2, 0.5 * 10) more
    }

    [Fact]
    public void A_network_without_dropout_has_nothing_to_learn_from_texts_alone()
    {
        var ml = new MLContext(6);
        IDataView data = ml.View(SmallCorpus.Make(32, 1));
        var training = new TrainingOptions { Steps = 2, BatchSize = 16 };
        foreach (TextEncoder encoder in new TextEncoder[] { s_small, new WordVectorEncoder { VocabularySize = 300, Width = 8 } })
        {
            Assert.Contains("PositiveColumnName", Assert.Throws<ArgumentException>(() => ml.Transforms.SentenceEmbedding("F", "Text", encoder, new SimCse(), training).Fit(data)).Message, StringComparison.Ordinal);
            ml.Transforms.SentenceEmbedding("F", "Text", encoder, new ESimCse(), training).Fit(data).Dispose(); // whose views differ
            ml.Transforms.SentenceEmbedding("F", "Text", encoder, new SimCse(), training, positiveColumnName: "Positive").Fit(data).Dispose();
        }
    }

    private sealed class Pair
    {
        public string First { get; set; } = "";

        public string Second { get; set; } = "";

        public float Score { get; set; }
    }

    private static IDataView Pairs(MLContext ml) => ml.Data.LoadFromEnumerable(SmallCorpus.Make(40, 9).SelectMany(row => new[]
    {
        new Pair { First = row.Text, Second = row.Positive, Score = 1 }, new Pair { First = row.Text, Second = row.Negative, Score = 0 },
    }));

    [Fact]
    public void A_run_is_watched_by_scored_pairs_and_its_best_encoder_kept()
    {
        var ml = new MLContext(4);
        var figures = new Dictionary<long, double>();
        IDataView data = ml.View(SmallCorpus.Make(128, 1)), pairs = Pairs(ml);
        var training = new TrainingOptions { Steps = 12, BatchSize = 32, Progress = new OnProgress(report => { if (report.Similarity is { } figure) figures[report.Step] = figure; }) };
        // A rate that is far too high after a few steps: the best is not the last.
        var method = new SimCse { LearningRate = new(0.02, Scaling: RateScaling.None) { Schedule = new ConstantRate() } };
        using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding("Features", "Text", s_small with { Dropout = 0.1 }, method, training with
        {
            Monitor = new SimilarityMonitor { Pairs = pairs, EverySteps = 3, KeepBest = true },
        }).Fit(data);
        Assert.Equal([3L, 6, 9, 12], figures.Keys);
        Assert.Contains($"\"bestSimilarity\":{{\"spearman\":{figures.Values.Max().ToString("R", System.Globalization.CultureInfo.InvariantCulture)}", encoder.TrainingRecord, StringComparison.Ordinal);

        // What is kept has the figure that was told.
        var vectors = ml.Transforms.SentenceEmbedding(new SentenceEmbeddingEstimator.Options { OutputColumnName = "x", InputColumnName = "First", Encoder = s_small, Method = method });
        Pair[] rows = [.. ml.Data.CreateEnumerable<Pair>(pairs, reuseRowObject: false)];
        float[][] first = encoder.Embed(rows.Select(row => row.First), TestContext.Current.CancellationToken), second = encoder.Embed(rows.Select(row => row.Second), TestContext.Current.CancellationToken);
        double spearman = RankCorrelation.Spearman([.. first.Zip(second, SmallCorpus.Cosine)], [.. rows.Select(row => (double)row.Score)]);
        Assert.Equal(figures.Values.Max(), spearman, 1e-3);
        Assert.NotNull(vectors);
        var strict = new SentenceEmbeddingEstimator.Options
        {
            OutputColumnName = "F", InputColumnName = "Text", Encoder = s_small with { Dropout = 0.1 }, Method = method, EmptyTexts = EmptyTexts.Fail,
            Training = training with { Monitor = new SimilarityMonitor { Pairs = ml.Data.LoadFromEnumerable(new[] { new Pair { First = "a", Second = "b" }, new Pair { First = "a", Second = " " } }) } },
        };
        Assert.Contains("Row 1 of column 'Second'", Assert.Throws<InvalidOperationException>(() => ml.Transforms.SentenceEmbedding(strict).Fit(data)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => ml.Transforms.SentenceEmbedding("F", "Text", s_small, method, training with { Monitor = new KnnMonitor { Bank = data, Queries = data } }));
        Assert.Throws<ArgumentException>(() => ml.Transforms.ContrastivePretrain("F", "Image", new SimClrV1(), training: training with { Monitor = new SimilarityMonitor { Pairs = pairs } }));
    }

    [Fact]
    public void Hard_negatives_are_near_and_never_the_text_or_its_positive()
    {
        var ml = new MLContext(5);
        SmallCorpus.Row[] rows = SmallCorpus.Make(64, 3);
        rows[7].Positive = rows[0].Positive; // a duplicate is no negative of its row
        IDataView data = ml.View(rows);
        using SentenceEmbeddingTransformer encoder = ml.Transforms.SentenceEmbedding("Features", "Text", s_small, new SimCse(), new TrainingOptions { Steps = 5, BatchSize = 32 }, positiveColumnName: "Positive").Fit(data);
        IReadOnlyList<string> nearest = encoder.MineHardNegatives(data, "Positive", mostShare: 1), fourth = encoder.MineHardNegatives(data, "Positive", skip: 3, mostShare: 1);
        Assert.Equal(64, nearest.Count);
        CancellationToken token = TestContext.Current.CancellationToken;
        float[][] texts = encoder.Embed(rows.Select(row => row.Text), token), positives = encoder.Embed(rows.Select(row => row.Positive), token), near = encoder.Embed(nearest, token), far = encoder.Embed(fourth, token);
        for (int i = 0; i < 64; i++)
        {
            Assert.NotEqual(rows[i].Positive, nearest[i]);
            Assert.NotEqual(rows[i].Text, nearest[i]);
            Assert.True(SmallCorpus.Cosine(texts[i], near[i]) <= SmallCorpus.Cosine(texts[i], positives[i]) + 1e-5 || nearest[i] != fourth[i]);
            Assert.True(SmallCorpus.Cosine(texts[i], far[i]) <= SmallCorpus.Cosine(texts[i], near[i]) + 1e-5);
        }
        Assert.Throws<ArgumentException>(() => encoder.MineHardNegatives(ml.View(rows.Select(row => new SmallCorpus.Row { Text = row.Text, Positive = "the same" })), "Positive"));
    }
}
