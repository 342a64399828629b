using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests.Evaluation;

/// <summary>Search, doubles, groups, and the measures of pairs, over views.</summary>
public sealed class NeighbourTests
{
    private sealed class Row
    {
        [VectorType(2)]
        public float[] Features { get; set; } = [];

        [VectorType(2)]
        public float[] Other { get; set; } = [];

        public string Label { get; set; } = "";

        public float Score { get; set; }
    }

    private static readonly MLContext s_ml = new(1);

    private static IDataView View(params double[] angles)
        => s_ml.Data.LoadFromEnumerable(angles.Select((angle, row) => new Row { Features = [2 * (float)Math.Cos(angle), 2 * (float)Math.Sin(angle)], Label = $"{row % 2}" }));

    [Fact]
    public void Search_gives_the_nearest_first_and_of_equals_the_earlier()
    {
        IReadOnlyList<IReadOnlyList<SearchHit>> hits = s_ml.Representation().Search(View(0, 1, 0.5, 0.5, 3), View(0.4, 3.1), k: 3);
        Assert.Equal([2, 3, 0], hits[0].Select(hit => hit.Row));
        Assert.Equal(Math.Cos(0.1), hits[0][0].Cosine, 1e-5);
        Assert.Equal(4, hits[1][0].Row);
        Assert.Equal(5, s_ml.Representation().Search(View(0, 1, 0.5, 0.5, 3), View(0.4), k: 100)[0].Count);
    }

    [Fact]
    public void Queries_may_have_their_vectors_in_another_column()
    {
        IDataView queries = s_ml.Data.LoadFromEnumerable([new Row { Features = [0, 1], Other = [1, 0] }]);
        Assert.Equal(1, s_ml.Representation().Search(View(0, 1.5), queries, k: 1)[0][0].Row);
        Assert.Equal(0, s_ml.Representation().Search(View(0, 1.5), queries, k: 1, queryColumnName: "Other")[0][0].Row);
        Assert.Contains("'Text'", Assert.Throws<ArgumentException>(() => s_ml.Representation().Search(View(0), queries, queryColumnName: "Text")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Pairs_and_groups_are_those_of_a_double_loop()
    {
        var random = new Random(3);
        double[] angles = [.. Enumerable.Range(0, 200).Select(_ => 2 * Math.PI * random.NextDouble())];
        double least = Math.Cos(0.02);
        (int, int)[] expected = [.. Enumerable.Range(0, 200).SelectMany(i => Enumerable.Range(i + 1, 199 - i).Where(j => Math.Cos(angles[i] - angles[j]) >= least).Select(j => (i, j)))];
        IReadOnlyList<NearPair> pairs = s_ml.Representation().FindNearDuplicates(View(angles), cosine: least);
        Assert.Equal(expected, pairs.Select(pair => (pair.First, pair.Second)));
        Assert.Contains("higher", Assert.Throws<InvalidOperationException>(() => s_ml.Representation().FindNearDuplicates(View(angles), cosine: least, most: 5)).Message, StringComparison.Ordinal);

        IReadOnlyList<IReadOnlyList<int>> groups = s_ml.Representation().FindGroups(View(0, 3, 0.1, 0.2, 3.05, 5), cosine: Math.Cos(0.11));
        Assert.Equal([[0, 2, 3], [1, 4]], groups);
    }

    [Fact]
    public void Similarity_is_the_rank_correlation_of_cosines()
    {
        double[] angles = [0.1, 0.9, 0.4, 2];
        IDataView pairs = s_ml.Data.LoadFromEnumerable(angles.Select((angle, row) => new Row
        {
            Features = [3, 0], Other = [(float)Math.Cos(angle), (float)Math.Sin(angle)], Score = new[] { 5, 2, 1, 0 }[row], Label = row < 2 ? "a" : "b",
        }));
        SimilarityMetrics metrics = s_ml.Representation().EvaluateSimilarity(pairs, "Features", "Other", setColumnName: "Label");
        Assert.Equal(0.8, metrics.Spearman, 1e-6);
        Assert.Equal(1, metrics.OfSets["a"], 1e-6);
        Assert.Throws<ArgumentException>(() => s_ml.Representation().EvaluateSimilarity(pairs, "Features", "Other", "Label"));
    }

    [Fact]
    public void Retrieval_finds_candidates_of_the_querys_label()
    {
        RetrievalMetrics metrics = s_ml.Representation().EvaluateRetrieval(View(0.3), View(0, 0.29, 1));
        Assert.Equal([2L], metrics.Ranks); // the wrong one is nearest
    }
}
