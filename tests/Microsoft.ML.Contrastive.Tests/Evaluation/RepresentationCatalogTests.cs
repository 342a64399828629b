using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests.Evaluation;

public sealed class RepresentationCatalogTests
{
    private readonly MLContext _ml = new(seed: 3);

    [Theory]
    [InlineData(1, 0.1)]
    [InlineData(7, 0.1)]
    [InlineData(7, 0.005)] // where exp(cosine / t) itself overflows
    [InlineData(60, 0.5)]
    public void Neighbours_vote_as_counted_by_hand(int k, double temperature)
    {
        RepresentationRow[] train = RepresentationRows.Clouds(60, distance: 0.4, seed: 1), test = RepresentationRows.Clouds(40, distance: 0.4, seed: 2);
        string[] expected = [.. test.Select(row => ByHand(row, train, k, temperature))];
        KnnMetrics metrics = _ml.Representation().EvaluateKnn(View(train), View(test), k: k, temperature: temperature);
        Assert.Equal(expected.Zip(test).Count(pair => pair.First == pair.Second.Label) / 40.0, metrics.Accuracy, 12);
        Assert.InRange(metrics.Accuracy, 0.34, 0.99); // else all and nothing would agree too
        Assert.Equal(40, metrics.Rows);
        foreach ((string name, double accuracy) in metrics.Classes.Zip(metrics.ClassAccuracies))
            Assert.Equal(expected.Zip(test).Where(pair => pair.Second.Label == name).Average(pair => pair.First == name ? 1.0 : 0), accuracy, 12);
        Assert.Equal(metrics.ClassAccuracies.Average(), metrics.MacroAccuracy, 12);
    }

    [Fact]
    public void A_label_is_compared_by_what_it_reads_as_whatever_its_type()
    {
        IDataView train = View(RepresentationRows.Clouds(60, 0.4, seed: 1)), test = View(RepresentationRows.Clouds(40, 0.4, seed: 2));
        double expected = _ml.Representation().EvaluateKnn(train, test, k: 5).Accuracy;
        Assert.Equal(expected, _ml.Representation().EvaluateKnn(train, test, labelColumnName: "Number", k: 5).Accuracy);

        // Fitted on each view by itself, the same class has another number in each.
        var key = _ml.Transforms.Conversion.MapValueToKey("Label");
        KnnMetrics keyed = _ml.Representation().EvaluateKnn(key.Fit(train).Transform(train), key.Fit(test).Transform(test), k: 5);
        Assert.Equal(expected, keyed.Accuracy);
        Assert.Contains("class 2", keyed.Classes);
    }

    [Fact]
    public void Rows_beyond_one_chunk_are_all_read()
    {
        RepresentationRow[] train = RepresentationRows.Clouds(5_000, distance: 3, seed: 1);
        Assert.Equal(1, _ml.Representation().EvaluateKnn(View(train), View(train), k: 1).Accuracy);
        Assert.Equal(5_000, _ml.Representation().EvaluateGeometry(View(train)).Rows);
        Assert.Equal(10, _ml.Representation().EvaluateGeometry(View(train), rows: 10).Rows);
    }

    [Fact]
    public void A_class_without_training_rows_counts_as_wrong()
    {
        RepresentationRow[] train = [.. RepresentationRows.Clouds(90, 3, seed: 1).Where(row => row.Number < 2)], test = RepresentationRows.Clouds(60, 3, seed: 2);
        double known = test.Count(row => row.Number < 2) / 60.0;
        Assert.Equal(known, _ml.Representation().EvaluateKnn(View(train), View(test), k: 3).Accuracy, 12);
        LinearProbeMetrics probe = _ml.Representation().EvaluateLinearProbe(View(train), View(test));
        Assert.Equal(known, probe.Accuracy, 12);
        Assert.Equal(0, probe.ClassAccuracies[probe.Classes.ToList().IndexOf("class 2")]);
    }

    [Fact]
    public void A_probe_tells_separable_classes_apart_and_finds_nothing_where_nothing_is()
    {
        LinearProbeMetrics apart = _ml.Representation().EvaluateLinearProbe(
            View(RepresentationRows.Clouds(300, distance: 1.5, seed: 1)), View(RepresentationRows.Clouds(200, distance: 1.5, seed: 2)));
        Assert.InRange(apart.Accuracy, 0.99, 1);
        LinearProbeMetrics nothing = _ml.Representation().EvaluateLinearProbe(
            View(RepresentationRows.Clouds(300, distance: 0, seed: 1)), View(RepresentationRows.Clouds(200, distance: 0, seed: 2)));
        Assert.InRange(nothing.Accuracy, 0.2, 0.5);
    }

    [Fact]
    public void A_probe_takes_the_rate_that_does_best_on_held_out_rows_and_is_the_same_for_the_same_seed()
    {
        IDataView train = View(RepresentationRows.Clouds(300, 0.5, seed: 1)), test = View(RepresentationRows.Clouds(200, 0.5, seed: 2));
        var options = new LinearProbeOptions { LearningRates = [1e-9, 0.05, 1e6], Epochs = 20 };
        LinearProbeMetrics metrics = _ml.Representation().EvaluateLinearProbe(train, test, options: options);
        Assert.Equal(options.LearningRates[metrics.HeldOutAccuracies.ToList().IndexOf(metrics.HeldOutAccuracies.Max())], metrics.LearningRate);
        Assert.Equal(3, metrics.HeldOutAccuracies.Count);
        LinearProbeMetrics again = new MLContext(seed: 3).Representation().EvaluateLinearProbe(train, test, options: options);
        Assert.Equal((metrics.Accuracy, metrics.LearningRate), (again.Accuracy, again.LearningRate));
        Assert.Equal(metrics.HeldOutAccuracies, again.HeldOutAccuracies);
    }

    [Fact]
    public void Geometry_measures_partners_where_they_are_named()
    {
        IDataView data = View(RepresentationRows.Clouds(100, 0, seed: 1));
        Assert.Null(_ml.Representation().EvaluateGeometry(data).Alignment);
        GeometryMetrics metrics = _ml.Representation().EvaluateGeometry(data, partnerColumnName: "Partner");
        Assert.Equal(0, metrics.Alignment!.Value, 9); // the same directions, twice as long
        Assert.Equal(RepresentationRows.Size, metrics.FeatureSize);
        Assert.InRange(metrics.EmbeddingDeviation, 0.9, 1.01);
        Assert.InRange(metrics.EffectiveRank, 5, 6);
    }

    [Fact]
    public void Collapsed_features_show_it_in_every_sign()
    {
        RepresentationRow[] rows = [.. Enumerable.Range(1, 50).Select(id => new RepresentationRow { Features = [1, 2, 3, 4, 5, 6], Partner = [1, 0, 0, 0, 0, 0] })];
        GeometryMetrics metrics = _ml.Representation().EvaluateGeometry(View(rows));
        Assert.Equal((0, 0, 1), (Math.Round(metrics.Uniformity, 4), Math.Round(metrics.EmbeddingDeviation, 4), Math.Round(metrics.EffectiveRank, 4)));
    }

    [Fact]
    public void Bad_input_is_named()
    {
        RepresentationRow[] rows = RepresentationRows.Clouds(20, 1, seed: 1);
        IDataView good = View(rows), few = View(rows[..1]);
        RepresentationCatalog measures = _ml.Representation();
        Assert.Contains("'Nothing'", Assert.Throws<ArgumentException>(() => measures.EvaluateKnn(good, good, "Nothing", k: 2)).Message, StringComparison.Ordinal);
        Assert.Contains("'Class'", Assert.Throws<ArgumentException>(() => measures.EvaluateKnn(good, good, labelColumnName: "Class", k: 2)).Message, StringComparison.Ordinal);
        Assert.Contains("'Label'", Assert.Throws<ArgumentException>(() => measures.EvaluateGeometry(good, "Label")).Message, StringComparison.Ordinal);
        Assert.Contains("'Partner'", Assert.Throws<ArgumentException>(() => measures.EvaluateKnn(good, good, labelColumnName: "Partner", k: 2)).Message, StringComparison.Ordinal);
        Assert.Contains("number of training rows, 20", Assert.Throws<ArgumentOutOfRangeException>(() => measures.EvaluateKnn(good, good, k: 21)).Message, StringComparison.Ordinal);
        Assert.Contains("temperature", Assert.Throws<ArgumentOutOfRangeException>(() => measures.EvaluateKnn(good, good, temperature: 0)).Message, StringComparison.Ordinal);
        Assert.Contains("at least 2", Assert.Throws<ArgumentException>(() => measures.EvaluateGeometry(few)).Message, StringComparison.Ordinal);
        Assert.Contains("HeldOut", Assert.Throws<ArgumentOutOfRangeException>(() => measures.EvaluateLinearProbe(good, good, options: new() { HeldOut = 1 })).Message, StringComparison.Ordinal);
        Assert.Contains("LearningRates", Assert.Throws<ArgumentException>(() => measures.EvaluateLinearProbe(good, good, options: new() { LearningRates = [] })).Message, StringComparison.Ordinal);

        rows[7].Features[2] = float.NaN; // as the transformer gives for a missing picture
        Assert.Contains("row 7 of test", Assert.Throws<InvalidOperationException>(() => measures.EvaluateKnn(View(RepresentationRows.Clouds(20, 1, 2)), View(rows), k: 2)).Message, StringComparison.Ordinal);
        rows[7].Features[2] = 0;
        rows[4].Label = "";
        Assert.Contains("'Label' has no value in row 4 of train", Assert.Throws<InvalidOperationException>(() => measures.EvaluateKnn(View(rows), good, k: 2)).Message, StringComparison.Ordinal);
    }

    private IDataView View(RepresentationRow[] rows) => RepresentationRows.View(_ml, rows);

    /// <summary>The definition, in loops.</summary>
    private static string ByHand(RepresentationRow asked, RepresentationRow[] bank, int k, double temperature)
        => bank.Select(row => (row.Label, Cosine: Cosine(row.Features, asked.Features)))
            .OrderByDescending(row => row.Cosine).Take(k)
            .GroupBy(row => row.Label).MaxBy(group => group.Sum(row => Math.Exp(row.Cosine / temperature)))!.Key;

    private static double Cosine(float[] x, float[] y)
        => x.Zip(y, (a, b) => (double)a * b).Sum() / Math.Sqrt(x.Sum(a => (double)a * a) * y.Sum(b => (double)b * b));
}
