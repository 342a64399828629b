using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>A <see cref="SimilarityMonitor"/>'s texts and scores.</summary>
internal sealed class MonitoredPairs(SimilarityMonitor settings, string[] first, string[] second, double[] scores) : MonitoredExamples
{
    public override TrainingMonitor Settings => settings;

    protected override JsonObject Data => new()
    {
        ["pairs"] = Checkpoint.Digest(stream =>
        {
            using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
            foreach ((string one, string other, double score) in first.Zip(second, scores))
            {
                writer.Write(one);
                writer.Write(other);
                writer.Write(score);
            }
        }),
    };

    /// <exception cref="ArgumentException">A column is missing or of another type, or there are fewer than two rows.</exception>
    /// <exception cref="InvalidOperationException">A text is blank, and those shall fail.</exception>
    public static MonitoredPairs Read(SimilarityMonitor settings, EmptyTexts emptyTexts, ColumnReading reading)
    {
        const string argument = $"{nameof(TrainingOptions.Monitor)}.{nameof(SimilarityMonitor.Pairs)}";
        string[] first = Texts(settings.FirstColumnName), second = Texts(settings.SecondColumnName);
        if (first.Length < 2)
            throw new ArgumentException($"{argument} has {first.Length} row(s): a correlation needs two.", argument);
        return new MonitoredPairs(settings, first, second, ScoreColumn.Read(settings.Pairs, settings.ScoreColumnName));

        string[] Texts(string column) => [.. reading.Texts(settings.Pairs, [new TextColumn(settings.Pairs.Schema, column)], emptyTexts, blanks: true)];
    }

    public override void Dispose()
    {
    }

    /// <summary>Spearman's correlation of cosines with scores.</summary>
    public override double Measure(PretrainedEncoder network)
    {
        float[][] ones = TextVectors.Of(network, first), others = TextVectors.Of(network, second);
        double spearman = new SimilarityMetrics([.. ones.Zip(others, Cosine)], scores).Spearman;
        return double.IsNaN(spearman) ? -1 : spearman; // a collapsed encoder has no order of pairs

        static double Cosine(float[] one, float[] other)
        {
            double product = 0, ofOne = 0, ofOther = 0;
            for (int i = 0; i < one.Length; i++)
                (product, ofOne, ofOther) = (product + (double)one[i] * other[i], ofOne + (double)one[i] * one[i], ofOther + (double)other[i] * other[i]);
            return product / Math.Sqrt(ofOne * ofOther);
        }
    }
}
