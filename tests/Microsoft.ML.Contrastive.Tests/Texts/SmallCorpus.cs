using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests.Texts;

/// <summary>Made sentences of a few kinds, each in other words.</summary>
internal static class SmallCorpus
{
    private static readonly string[][] s_subjects =
    [
        ["the cat", "a kitten", "the old dog", "my hamster"], ["the market", "a stock", "the bank", "this bond"], ["the striker", "a goalkeeper", "our team", "the referee"],
    ];

    private static readonly string[][] s_verbs = [["sleeps", "eats", "plays", "hides"], ["rises", "falls", "opens", "recovers"], ["scores", "runs", "fouls", "celebrates"]];

    private static readonly string[][] s_ends =
    [
        ["on the sofa", "under the bed", "in the warm kitchen", "behind the curtain"], ["after the report", "before noon", "against the dollar", "by three percent"],
        ["in the second half", "near the goal", "before the whistle", "on the wet pitch"],
    ];

    public sealed class Row
    {
        public string Text { get; set; } = "";

        public string Positive { get; set; } = "";

        public string Negative { get; set; } = "";

        public string Kind { get; set; } = "";
    }

    public sealed class Vector
    {
        public float[] Features { get; set; } = [];
    }

    public static int Kinds => s_subjects.Length;

    public static Row[] Make(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            int kind = i % Kinds;
            return new Row { Text = Sentence(random, kind), Positive = Sentence(random, kind), Negative = Sentence(random, (kind + 1) % Kinds), Kind = $"kind {kind}" };
        })];
    }

    public static IDataView View(this MLContext ml, IEnumerable<Row> rows) => ml.Data.LoadFromEnumerable(rows);

    public static float[][] Vectors(this ITransformer transformer, IDataView data)
        => [.. transformer.Transform(data).GetColumn<float[]>(nameof(Vector.Features))];

    public static double Cosine(float[] a, float[] b)
        => a.Zip(b, (x, y) => (double)x * y).Sum() / Math.Sqrt(a.Sum(x => (double)x * x) * b.Sum(y => (double)y * y));

    /// <summary>Share of vectors whose nearest other is of their own kind.</summary>
    public static double NearestIsOfKind(float[][] vectors, IReadOnlyList<Row> rows)
        => Enumerable.Range(0, vectors.Length).Count(i => rows[Enumerable.Range(0, vectors.Length).Where(j => j != i).MaxBy(j => Cosine(vectors[i], vectors[j]))].Kind == rows[i].Kind) / (double)vectors.Length;

    private static string Sentence(Random random, int kind)
    {
        string clause = $"{Pick(s_subjects)} {Pick(s_verbs)} {Pick(s_ends)}";
        return random.Next(2) == 0 ? clause + "." : $"{clause}, and {Pick(s_subjects)} {Pick(s_verbs)}.";

        string Pick(string[][] of) => of[kind][random.Next(of[kind].Length)];
    }
}
