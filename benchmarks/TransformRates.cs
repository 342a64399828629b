using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>
/// Rows a second of a fitted encoder through one cursor, which works in batches, and through ML.NET's row mapping, which
/// PredictionEngine uses, one row at a time: rounds of both in turn, medians, and whether they agree.
/// </summary>
internal static class TransformRates
{
    private const int Rounds = 3;
    private const double Tolerance = 1e-5; // relative to max(1, |feature|)

    public static int Run()
    {
        Console.WriteLine($"{"encoder",-26}{"batches rows/s",16}{"one row rows/s",16}{"ratio",8}{"worst diff.",13}");
        bool agree = Measure("SmallConvNet, 28x28x1", ImageEncoder.SmallConvNet(), 28, 1, rows: 512)
            & Measure("ResNet-18, 32x32x3", ImageEncoder.ResNet18(Stem.Small), 32, 3, rows: 64);
        return agree ? 0 : 1;
    }

    private static bool Measure(string what, ImageEncoder shape, int side, int channels, int rows)
    {
        var ml = new MLContext(1);
        IDataView data = MadePictures.View(ml, rows, side, channels);
        using ContrastivePretrainTransformer encoder = ml.Transforms
            .ContrastivePretrain("Features", "Image", encoder: shape, training: new() { BatchSize = 64 }, imageShape: new(side, side, channels))
            .Untrained(data);

        double[] inBatches = new double[Rounds], oneByOne = new double[Rounds];
        var (batched, single) = (new float[rows][], new float[rows][]);
        for (int round = -1; round < Rounds; round++) // the first lets the runtime compile
        {
            double fast = Seconds(() => ReadInBatches(encoder, data, batched)), slow = Seconds(() => ReadOneByOne(encoder, data, single));
            if (round >= 0)
                (inBatches[round], oneByOne[round]) = (fast, slow);
        }
        double worst = batched.SelectMany(row => row).Zip(single.SelectMany(row => row), (a, b) => Math.Abs(a - b) / Math.Max(1.0, Math.Abs(b))).Aggregate(0.0, Math.Max);
        (double batchTime, double rowTime) = (Median(inBatches), Median(oneByOne));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{what,-26}{rows / batchTime,16:N0}{rows / rowTime,16:N0}{rowTime / batchTime,8:0.0}{worst,13:0.0e+0}{(worst <= Tolerance ? "" : "  DIFFERS")}"));
        return worst <= Tolerance;
    }

    private static void ReadInBatches(ContrastivePretrainTransformer encoder, IDataView data, float[][] features)
    {
        IDataView view = encoder.Transform(data);
        DataViewSchema.Column column = view.Schema[encoder.OutputColumnName];
        using DataViewRowCursor cursor = view.GetRowCursor([column]);
        Read(cursor.MoveNext, cursor.GetGetter<VBuffer<float>>(column), features);
    }

    private static void ReadOneByOne(ContrastivePretrainTransformer encoder, IDataView data, float[][] features)
    {
        IRowToRowMapper mapper = ((ITransformer)encoder).GetRowToRowMapper(data.Schema);
        DataViewSchema.Column column = mapper.OutputSchema[encoder.OutputColumnName];
        using DataViewRowCursor cursor = data.GetRowCursor(mapper.GetDependencies([column]));
        using DataViewRow row = mapper.GetRow(cursor, [column]);
        Read(cursor.MoveNext, row.GetGetter<VBuffer<float>>(column), features);
    }

    private static void Read(Func<bool> moveNext, ValueGetter<VBuffer<float>> getter, float[][] features)
    {
        VBuffer<float> value = default;
        for (int row = 0; moveNext(); row++)
        {
            getter(ref value);
            features[row] = [.. value.DenseValues()];
        }
    }

    private static double Seconds(Action work)
    {
        var clock = Stopwatch.StartNew();
        work();
        return clock.Elapsed.TotalSeconds;
    }

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);
}
