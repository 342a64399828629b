using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>What ML.NET's own tests ask of a transformer, of the fitted encoder.</summary>
public sealed class RowMapperTests(RowMapperTests.Fitted fitted) : IClassFixture<RowMapperTests.Fitted>
{
    private static readonly string[] Columns = ["Image", "Label", "Id", "Features"];

    public static TheoryData<int> Subsets => [.. Enumerable.Range(0, 16)];

    [Theory]
    [MemberData(nameof(Subsets))]
    public void The_row_mapper_and_the_cursor_agree_for_any_subset_of_columns(int subset)
    {
        string[] active = [.. Columns.Where((_, index) => (subset >> index & 1) == 1)];
        IDataView data = fitted.Data(100), view = fitted.Encoder.Transform(data);
        IRowToRowMapper mapper = ((ITransformer)fitted.Encoder).GetRowToRowMapper(data.Schema);
        Assert.Equal(view.Schema.Select(column => (column.Name, column.Type)), mapper.OutputSchema.Select(column => (column.Name, column.Type)));
        DataViewSchema.Column[] wanted = [.. active.Select(name => mapper.OutputSchema[name])];
        string[] needed = [.. mapper.GetDependencies(wanted).Select(column => column.Name)];
        Assert.Equal(active.Contains("Features") || active.Contains("Image"), needed.Contains("Image"));

        using DataViewRowCursor input = data.GetRowCursor([.. needed.Select(name => data.Schema[name])]);
        using DataViewRow row = mapper.GetRow(input, wanted);
        using DataViewRowCursor cursor = view.GetRowCursor(active.Select(name => view.Schema[name]));
        Assert.All(Columns, name => Assert.Equal(active.Contains(name), cursor.IsColumnActive(view.Schema[name])));
        Func<object>[] one = [.. active.Select(name => Getter(row, name))], other = [.. active.Select(name => Getter(cursor, name))];
        int rows = 0;
        for (; cursor.MoveNext(); rows++)
        {
            Assert.True(input.MoveNext());
            for (int i = 0; i < active.Length; i++)
                AssertSame(one[i](), other[i]());
        }
        Assert.Equal(100, rows);
        Assert.False(input.MoveNext());
    }

    [Fact]
    public void Nothing_is_read_until_it_is_asked_for()
    {
        int read = 0;
        IDataView data = fitted.Ml.View(Counted());
        IDataView view = fitted.Encoder.Transform(data);
        _ = view.Schema;
        _ = view.GetRowCount();
        Assert.Equal(0, read);
        using DataViewRowCursor cursor = view.GetRowCursor([view.Schema["Features"]]);
        Assert.Equal(0, read);
        Assert.True(cursor.MoveNext());
        Assert.InRange(read, 1, 65); // a batch

        IEnumerable<PictureRow> Counted()
        {
            foreach (PictureRow row in Pictures.Make(200))
            {
                read++;
                yield return row;
            }
        }
    }

    [Fact]
    public void It_gives_the_same_rows_each_time_in_any_order_and_in_part()
    {
        IDataView data = fitted.Data(150), view = fitted.Encoder.Transform(data);
        var expected = new Dictionary<int, float[]>(Rows(view));
        Assert.Equal(150, expected.Count);
        Assert.Equal(150, view.GetRowCount());
        AssertSame(Rows(view));
        AssertSame(Rows(fitted.Encoder.Transform(fitted.Ml.Data.ShuffleRows(data, seed: 1))));
        AssertSame(Rows(fitted.Ml.Data.ShuffleRows(view, seed: 1)));
        AssertSame(Rows(fitted.Ml.Data.TakeRows(view, 70)), 70);
        AssertSame(Rows(fitted.Ml.Data.SkipRows(view, 149)), 1);
        AssertSame(Rows(fitted.Ml.Data.FilterRowsByColumn(view, "Number", 10, 20)), 10);
        AssertSame(Rows(fitted.Ml.Data.Cache(view)));

        IEnumerable<KeyValuePair<int, float[]>> Rows(IDataView rows)
            => rows.GetColumn<int>("Id").Zip(rows.Features(), (id, features) => KeyValuePair.Create(id, features)).ToArray();

        void AssertSame(IEnumerable<KeyValuePair<int, float[]>> rows, int count = 150)
        {
            Assert.Equal(count, rows.Select(row => row.Key).Distinct().Count());
            Assert.All(rows, row => Assert.All(row.Value.Zip(expected[row.Key]), pair => Assert.Equal(pair.First, pair.Second, 1e-5f)));
        }
    }

    [Fact]
    public void After_many_passes_one_hint_advises_a_cache()
    {
        var ml = new MLContext(2);
        var hints = new List<string>();
        ml.Log += (_, message) =>
        {
            if (message.RawMessage.Contains("AppendCacheCheckpoint", StringComparison.Ordinal))
                hints.Add(message.RawMessage);
        };
        IDataView data = ml.View(Pictures.Make(4));
        using ContrastivePretrainTransformer encoder = Fitted.Estimator(ml).Untrained(data);
        IDataView view = encoder.Transform(data);
        for (int pass = 1; pass <= 19; pass++)
            _ = view.Features();
        Assert.Empty(hints);
        for (int pass = 20; pass <= 60; pass++)
            _ = view.Features();
        Assert.Contains("'Features'", Assert.Single(hints), StringComparison.Ordinal);

        // Through a cache there is one pass.
        hints.Clear();
        IDataView cached = ml.Data.Cache(encoder.Transform(data));
        for (int pass = 1; pass <= 60; pass++)
            _ = cached.Features();
        Assert.Empty(hints);
    }

    [Fact]
    public void A_large_batch_of_large_pictures_is_computed_in_parts_that_fit_memory()
    {
        var ml = new MLContext(3);
        using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = "Features",
            InputColumnName = "Image",
            Encoder = ImageEncoder.SmallConvNet(1),
            Training = new TrainingOptions { BatchSize = 2 },
            ImageShape = Pictures.Shape(),
            ImageSize = 256,
            TransformBatchSize = 65_536, // times 256 * 256: 2^32 numbers
        }).Untrained(ml.View(Pictures.Make(4)));
        Assert.Equal(3, encoder.Transform(ml.View(Pictures.Make(3))).Features().Length);
    }

    /// <summary>Features to rounding: what a row comes to hangs on how many were computed with it, in the last digits.</summary>
    private static void AssertSame(object expected, object actual)
    {
        if (expected is float[] features)
            Assert.All(features.Zip((float[])actual), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
        else
            Assert.Equal(expected, actual);
    }

    private static Func<object> Getter(DataViewRow row, string name)
    {
        DataViewSchema.Column column = row.Schema[name];
        return name switch
        {
            "Image" => Read<VBuffer<byte>>(value => string.Join(" ", value.DenseValues())),
            "Label" => Read<ReadOnlyMemory<char>>(value => value.ToString()),
            "Id" => Read<int>(value => $"{value}"),
            _ => Read<VBuffer<float>>(value => value.DenseValues().ToArray()),
        };

        Func<object> Read<T>(Func<T, object> show)
        {
            ValueGetter<T> get = row.GetGetter<T>(column);
            T value = default!;
            return () =>
            {
                get(ref value);
                return show(value);
            };
        }
    }

    public sealed class Fitted : IDisposable
    {
        public Fitted() => Encoder = Estimator(Ml).Fit(Data(64));

        public MLContext Ml { get; } = new(1);

        public ContrastivePretrainTransformer Encoder { get; }

        public IDataView Data(int rows)
        {
            IDataView data = Ml.View(Pictures.Make(rows));
            return Ml.Transforms.Conversion.ConvertType("Number", "Id").Fit(data).Transform(data);
        }

        public static ContrastivePretrainEstimator Estimator(MLContext ml) => ml.Transforms.ContrastivePretrain(
            "Features", "Image", new SimClrV1(), ImageEncoder.SmallConvNet(4), new TrainingOptions { Steps = 3, BatchSize = 4 }, Pictures.Shape());

        public void Dispose() => Encoder.Dispose();
    }
}
