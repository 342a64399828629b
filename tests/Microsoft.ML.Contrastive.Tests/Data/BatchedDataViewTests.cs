using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.Contrastive.Tests;

public sealed class BatchedDataViewTests : IDisposable
{
    private const int Count = 103;
    private const int BatchSize = 8;
    private readonly MLContext context = new(1);
    private readonly Row[] rows;
    private readonly IDataView input;
    private readonly ToyMapper mapper;
    private readonly BatchedDataView view;

    public BatchedDataViewTests()
    {
        rows = [.. Enumerable.Range(0, Count).Select(i => new Row(i))];
        input = context.Data.LoadFromEnumerable(rows);
        mapper = new ToyMapper(input.Schema);
        view = View(input, mapper);
    }

    public void Dispose()
    {
        foreach (Row row in rows)
            row.Picture?.Dispose();
    }

    [Fact]
    public void Every_column_of_every_type_passes_through_beside_the_outputs()
    {
        Assert.Equal([.. input.Schema.Select(column => column.Name), "Sum", "Mean"], view.Schema.Select(column => column.Name));
        Assert.Equal(Count, view.GetRowCount() ?? Count);
        // ids and values as the input gives them
        using DataViewRowCursor expected = input.GetRowCursor(input.Schema), actual = view.GetRowCursor(view.Schema);
        var columns = input.Schema.Select(column => (column.Name, Expected: Reader(expected, column), Actual: Reader(actual, view.Schema[column.Name]))).ToList();
        ValueGetter<VBuffer<float>> sum = actual.GetGetter<VBuffer<float>>(view.Schema["Sum"]), mean = actual.GetGetter<VBuffer<float>>(view.Schema["Mean"]);
        VBuffer<float> value = default;
        int count = 0;
        for (; expected.MoveNext(); count++)
        {
            Assert.True(actual.MoveNext());
            Assert.Equal(expected.Position, actual.Position);
            Assert.Equal(expected.Batch, actual.Batch);
            Assert.Equal(Id(expected), Id(actual));
            foreach (var (name, expectedValue, actualValue) in columns)
                Assert.Equal((name, expectedValue()), (name, actualValue()));
            sum(ref value);
            Assert.Equal([rows[count].X.DenseValues().Sum(), 2 * rows[count].X.DenseValues().Sum()], value.DenseValues());
            mean(ref value);
            Assert.Equal(rows[count].Picture is null ? float.NaN : rows[count].Shade, value.DenseValues().Single());
        }
        Assert.Equal(Count, count);
        Assert.False(actual.MoveNext());
        Assert.Equal(-1, actual.Position);
        Assert.Equal((Count + BatchSize - 1) / BatchSize, mapper.Forwards);
    }

    [Theory]
    [InlineData("Sum")]
    [InlineData("Mean")]
    [InlineData("Mean", "Sum")]
    [InlineData("Text", "Sum", "X")]
    [InlineData("Id", "Picture", "Mean")]
    [InlineData("Key")]
    [InlineData]
    public void Any_subset_of_columns_is_right(params string[] names)
    {
        var columns = names.Select(name => view.Schema[name]).ToList();
        using DataViewRowCursor all = view.GetRowCursor(view.Schema), some = view.GetRowCursor(columns);
        Assert.Equal(view.Schema.Select(column => names.Contains(column.Name)), view.Schema.Select(some.IsColumnActive));
        var readers = columns.Select(column => (All: Reader(all, column), Some: Reader(some, column))).ToList();
        while (all.MoveNext())
        {
            Assert.True(some.MoveNext());
            Assert.All(readers, reader => Assert.Equal(reader.All(), reader.Some()));
        }
        Assert.False(some.MoveNext());
        Assert.Throws<ArgumentException>(() => some.GetGetter<long>(view.Schema["Other"]));
    }

    [Fact]
    public void Without_outputs_nothing_is_read_ahead_or_computed_and_sources_are_not_asked_for()
    {
        var spy = new SpyView(input);
        BatchedDataView spied = View(spy, mapper);
        using (DataViewRowCursor cursor = spied.GetRowCursor([spied.Schema["Id"]]))
        {
            Assert.Equal(["Id"], spy.Asked);
            cursor.MoveNext();
            Assert.Equal(1, spy.Moves);
        }
        using (DataViewRowCursor cursor = spied.GetRowCursor([spied.Schema["Id"], spied.Schema["Sum"]]))
        {
            Assert.Equal(["Id", "X"], spy.Asked);
            cursor.MoveNext();
            Assert.Equal(1 + BatchSize, spy.Moves);
        }
        Assert.Equal((2, 0), (mapper.Workers, mapper.Forwards)); // one for each half of what the cursor keeps
    }

    [Fact]
    public void A_batch_is_computed_when_and_only_when_one_of_its_outputs_is_read()
    {
        using DataViewRowCursor cursor = view.GetRowCursor([view.Schema["Id"], view.Schema["Sum"]]);
        ValueGetter<VBuffer<float>> sum = cursor.GetGetter<VBuffer<float>>(view.Schema["Sum"]);
        VBuffer<float> value = default;
        for (int i = 0; cursor.MoveNext(); i++)
        {
            if (i / BatchSize % 2 == 1 && i % BatchSize is 3 or 5) // some rows of every other batch
            {
                sum(ref value);
                float first = value.GetItemOrDefault(0);
                sum(ref value);
                Assert.Equal(first, value.GetItemOrDefault(0));
                Assert.Equal(rows[i].X.DenseValues().Sum(), first);
            }
        }
        Assert.Equal(Enumerable.Range(0, Count).Where(i => i / BatchSize % 2 == 1 && i % BatchSize is 3 or 5).Select(i => i / BatchSize).Distinct().Count(), mapper.Forwards);
    }

    [Fact]
    public void Values_stay_right_after_the_cursor_enters_the_next_batch_and_end()
    {
        using DataViewRowCursor cursor = view.GetRowCursor(view.Schema);
        var values = new List<(VBuffer<float> Sum, VBuffer<float> X, MLImage? Picture, VBuffer<ReadOnlyMemory<char>> Words)>();
        var sum = cursor.GetGetter<VBuffer<float>>(view.Schema["Sum"]);
        var x = cursor.GetGetter<VBuffer<float>>(view.Schema["X"]);
        var picture = cursor.GetGetter<MLImage?>(view.Schema["Picture"]);
        var words = cursor.GetGetter<VBuffer<ReadOnlyMemory<char>>>(view.Schema["Words"]);
        while (cursor.MoveNext())
        {
            VBuffer<float> sumValue = default, xValue = default;
            MLImage? pictureValue = null;
            VBuffer<ReadOnlyMemory<char>> wordsValue = default;
            sum(ref sumValue);
            x(ref xValue);
            picture(ref pictureValue);
            words(ref wordsValue);
            values.Add((sumValue, xValue, pictureValue, wordsValue));
        }
        for (int i = 0; i < Count; i++)
        {
            Assert.Equal(rows[i].X.DenseValues().Sum(), values[i].Sum.GetItemOrDefault(0));
            Assert.Equal(rows[i].X.DenseValues(), values[i].X.DenseValues());
            Assert.Equal(rows[i].Words, values[i].Words.DenseValues().Select(word => word.ToString()));
            Assert.Equal(rows[i].Picture?.Pixels.ToArray(), values[i].Picture?.Pixels.ToArray());
            values[i].Picture?.Dispose();
        }
        VBuffer<float> late = default;
        Assert.Throws<InvalidOperationException>(() => sum(ref late));
    }

    [Fact]
    public void Images_of_the_user_live_on_and_each_enumeration_is_the_same()
    {
        for (int pass = 0; pass < 2; pass++)
        {
            using DataViewRowCursor cursor = view.GetRowCursor(view.Schema);
            var picture = cursor.GetGetter<MLImage?>(view.Schema["Picture"]);
            MLImage? value = null, before = null;
            for (int i = 0; cursor.MoveNext(); i++)
            {
                picture(ref value); // disposes what it gave for the last row, as ML.NET's image getters do
                if (before is not null)
                    Assert.Throws<InvalidOperationException>(() => before.Width);
                Assert.True(value is null || value != rows[i].Picture);
                Assert.Equal(rows[i].Picture?.Pixels.ToArray(), value?.Pixels.ToArray());
                Assert.Equal(rows[i].Picture?.Tag, value?.Tag);
                before = value;
            }
            value?.Dispose();
        }
        Assert.All(rows.Where(row => row.Picture is not null), row => Assert.Equal(2, row.Picture!.Height));
    }

    [Fact]
    public void Sources_that_dispose_their_images_and_readers_that_do_so_fit()
    {
        // A resizing that changes nothing gives away the very image that it disposes at its next call; extraction disposes what it gets.
        Row[] pictured = [.. Enumerable.Range(0, Count).Select(i => new Row(i)).Where(row => row.Picture is not null)];
        float[] shades = [.. pictured.Select(row => row.Shade)];
        IDataView source = context.Data.LoadFromEnumerable(pictured);
        IDataView grown = context.Transforms.ResizeImages("Picture", 4, 4, nameof(Row.Picture), ImageResizingEstimator.ResizingKind.Fill)
            .Append(context.Transforms.ResizeImages("Picture", 4, 4, "Picture")).Fit(source).Transform(source);
        IDataView batched = View(grown, new ToyMapper(grown.Schema));
        IDataView extracted = context.Transforms.ExtractPixels("Pixels", "Picture").Fit(batched).Transform(batched);
        for (int pass = 0; pass < 2; pass++)
        {
            Assert.Equal(shades, extracted.GetColumn<float[]>("Mean").Select(mean => mean[0]));
            Assert.Equal(shades, extracted.GetColumn<float[]>("Pixels").Select(pixels => pixels[0]));
        }
    }

    [Fact]
    public void Cursor_sets_give_each_row_once_on_their_threads()
    {
        IDataView cached = context.Data.Cache(input);
        var own = new ToyMapper(cached.Schema);
        BatchedDataView batched = View(cached, own);
        DataViewRowCursor[] cursors = batched.GetRowCursorSet([batched.Schema["Id"], batched.Schema["Sum"]], 4);
        var seen = new System.Collections.Concurrent.ConcurrentBag<(int Id, float Sum, DataViewRowId RowId)>();
        Thread[] threads = [.. cursors.Select(cursor => new Thread(() =>
        {
            using (cursor)
            {
                var id = cursor.GetGetter<int>(batched.Schema["Id"]);
                var sum = cursor.GetGetter<VBuffer<float>>(batched.Schema["Sum"]);
                VBuffer<float> value = default;
                int number = 0;
                while (cursor.MoveNext())
                {
                    id(ref number);
                    sum(ref value);
                    seen.Add((number, value.GetItemOrDefault(0), Id(cursor)));
                }
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Equal(Enumerable.Range(0, Count), seen.Select(row => row.Id).Order());
        Assert.All(seen, row => Assert.Equal(rows[row.Id].X.DenseValues().Sum(), row.Sum));
        Assert.Equal(Count, seen.Select(row => row.RowId).Distinct().Count());
        Assert.Equal((2 * cursors.Length, 2 * cursors.Length), (own.Workers, own.DisposedWorkers));
    }

    [Fact]
    public void Shuffled_taken_cached_and_previewed_rows_keep_their_outputs()
    {
        IDataView cached = context.Data.Cache(input);
        IDataView[] views =
        [
            context.Data.ShuffleRows(view, 3), View(context.Data.ShuffleRows(input, 3), mapper), context.Data.Cache(view),
            context.Data.ShuffleRows(View(cached, mapper), 3), context.Data.ShuffleRows(context.Data.Cache(view), 3),
        ];
        foreach (IDataView each in views)
        {
            int[] ids = [.. each.GetColumn<int>("Id")];
            Assert.Equal(Enumerable.Range(0, Count), ids.Order());
            AssertSums(each, Count);
        }
        AssertSums(context.Data.TakeRows(view, 13), 13);
        AssertSums(context.Data.SkipRows(view, 13), Count - 13);
        Assert.Equal(5, view.Preview(5).RowView.Length);

        BatchedDataView shuffling = View(cached, mapper);
        Assert.True(shuffling.CanShuffle);
        using DataViewRowCursor cursor = shuffling.GetRowCursor([shuffling.Schema["Id"], shuffling.Schema["Sum"]], new Random(1));
        var order = new List<int>();
        var id = cursor.GetGetter<int>(shuffling.Schema["Id"]);
        for (int number = 0; cursor.MoveNext(); order.Add(number))
            id(ref number);
        Assert.NotEqual(order.Order(), order);
        Assert.Equal(Enumerable.Range(0, Count), order.Order());
    }

    [Fact]
    public void Row_ids_are_distinct()
    {
        using DataViewRowCursor cursor = view.GetRowCursor([view.Schema["Sum"]]);
        var ids = new HashSet<DataViewRowId>();
        while (cursor.MoveNext())
            Assert.True(ids.Add(Id(cursor)));
        Assert.Equal(Count, ids.Count);
    }

    [Fact]
    public void A_failing_batch_fails_each_reading_of_it_and_only_that()
    {
        mapper.BeforeCompute = _ => throw new InvalidDataException("broken");
        using DataViewRowCursor cursor = view.GetRowCursor([view.Schema["Id"], view.Schema["Sum"]]);
        var sum = cursor.GetGetter<VBuffer<float>>(view.Schema["Sum"]);
        VBuffer<float> value = default;
        Assert.True(cursor.MoveNext());
        Assert.Throws<InvalidDataException>(() => sum(ref value));
        Assert.Throws<InvalidDataException>(() => sum(ref value));
        mapper.BeforeCompute = _ => { };
        sum(ref value);
        Assert.Equal(rows[0].X.DenseValues().Sum(), value.GetItemOrDefault(0));
    }

    [Fact]
    public void A_row_that_cannot_be_read_stops_the_cursor_for_good()
    {
        var spy = new SpyView(input) { FailAtMove = BatchSize + 3 };
        BatchedDataView spied = View(spy, mapper);
        using DataViewRowCursor cursor = spied.GetRowCursor([spied.Schema["Id"], spied.Schema["Sum"]]);
        var id = cursor.GetGetter<int>(spied.Schema["Id"]);
        for (int i = 0; i < BatchSize; i++)
            Assert.True(cursor.MoveNext());
        Assert.Throws<FormatException>(() => cursor.MoveNext());
        int number = 0;
        Assert.Throws<InvalidOperationException>(() => id(ref number));
        Assert.Throws<InvalidOperationException>(() => cursor.MoveNext());
    }

    [Fact]
    public void While_a_batch_is_computed_the_next_is_read()
    {
        var spy = new SpyView(input);
        var own = new ToyMapper(input.Schema);
        BatchedDataView spied = View(spy, own);
        own.BeforeCompute = _ => Assert.True(SpinWait.SpinUntil(() => spy.Moves >= Math.Min(2 * BatchSize, Count), TimeSpan.FromMinutes(1)));
        using DataViewRowCursor cursor = spied.GetRowCursor([spied.Schema["Sum"]]);
        var sum = cursor.GetGetter<VBuffer<float>>(spied.Schema["Sum"]);
        VBuffer<float> value = default;
        Assert.True(cursor.MoveNext());
        Assert.Equal(BatchSize, spy.Moves); // not before it is worth it: a reader of few rows pays for one batch
        sum(ref value);
        Assert.Equal(1, own.Forwards);
    }

    [Fact]
    public void A_row_that_broke_while_reading_ahead_is_told_where_it_is_reached()
    {
        var spy = new SpyView(input) { FailAtMove = BatchSize + 3 };
        BatchedDataView spied = View(spy, mapper);
        var columns = new[] { spied.Schema["Id"], spied.Schema["Sum"] };
        using (DataViewRowCursor cursor = spied.GetRowCursor(columns))
        {
            var sum = cursor.GetGetter<VBuffer<float>>(spied.Schema["Sum"]);
            VBuffer<float> value = default;
            for (int i = 0; i < BatchSize; i++)
            {
                Assert.True(cursor.MoveNext());
                sum(ref value);
                Assert.Equal(rows[i].X.DenseValues().Sum(), value.GetItemOrDefault(0));
            }
            Assert.Throws<FormatException>(() => cursor.MoveNext());
            Assert.Throws<InvalidOperationException>(() => cursor.MoveNext());
        }
        BatchedDataView left = View(new SpyView(input) { FailAtMove = BatchSize + 3 }, mapper);
        using DataViewRowCursor early = left.GetRowCursor([left.Schema["Sum"]]);
        var first = early.GetGetter<VBuffer<float>>(left.Schema["Sum"]);
        VBuffer<float> one = default;
        Assert.True(early.MoveNext());
        first(ref one); // and left here: what nobody reached is not told
    }

    [Fact]
    public void Disposing_early_disposes_each_worker_once_and_ends_the_rows()
    {
        DataViewRowCursor cursor = view.GetRowCursor(view.Schema);
        var id = cursor.GetGetter<int>(view.Schema["Id"]);
        cursor.MoveNext();
        cursor.Dispose();
        cursor.Dispose();
        Assert.Equal(2, mapper.DisposedWorkers);
        Assert.False(cursor.MoveNext());
        int number = 0;
        Assert.Throws<InvalidOperationException>(() => id(ref number));
    }

    [Fact]
    public void A_getter_of_the_wrong_type_names_the_column()
    {
        using DataViewRowCursor cursor = view.GetRowCursor(view.Schema);
        Assert.Contains("'Sum'", Assert.Throws<InvalidOperationException>(() => cursor.GetGetter<float>(view.Schema["Sum"])).Message);
        Assert.Contains("'Id'", Assert.Throws<InvalidOperationException>(() => cursor.GetGetter<long>(view.Schema["Id"])).Message);
    }

    [Fact]
    public void An_output_may_hide_a_column_of_its_name()
    {
        IDataView renamed = context.Transforms.CopyColumns("Sum", "Id").Fit(input).Transform(input);
        BatchedDataView batched = View(renamed, new ToyMapper(renamed.Schema));
        AssertSums(batched, Count);
        Assert.Equal(["Id", "Sum", "Sum", "Mean"], batched.Schema.Where(column => column.Name is "Id" or "Sum" or "Mean").Select(column => column.Name));
        using DataViewRowCursor cursor = batched.GetRowCursor(batched.Schema);
        var hidden = cursor.GetGetter<int>(batched.Schema.First(column => column.Name == "Sum"));
        int number = -1;
        cursor.MoveNext();
        hidden(ref number);
        Assert.Equal(0, number);
    }

    [Fact]
    public void Row_by_row_mapping_gives_the_same_with_one_computation_a_row()
    {
        var mapped = new RowToRowMapperTransform(((IHostEnvironment)context).Register("test"), input, mapper, schema => new ToyMapper(schema));
        using DataViewRowCursor one = mapped.GetRowCursor(mapped.OutputSchema);
        var sum = one.GetGetter<VBuffer<float>>(mapped.OutputSchema["Sum"]);
        var mean = one.GetGetter<VBuffer<float>>(mapped.OutputSchema["Mean"]);
        VBuffer<float> value = default;
        for (int i = 0; one.MoveNext(); i++)
        {
            sum(ref value);
            Assert.Equal(rows[i].X.DenseValues().Sum(), value.GetItemOrDefault(0));
            mean(ref value);
            sum(ref value);
            Assert.Equal(i + 1, mapper.Forwards);
        }
        Assert.Equal(Count, mapper.Forwards);
    }

    [Fact]
    public void A_prediction_engine_computes_each_example_anew()
    {
        using var engine = context.Model.CreatePredictionEngine<Row, Prediction>(new ToyTransformer(input.Schema));
        foreach (Row row in rows[..3])
            Assert.Equal(row.X.DenseValues().Sum(), engine.Predict(row).Sum![0]);
    }

    [Fact]
    public void No_rows_give_no_rows()
    {
        IDataView none = context.Data.LoadFromEnumerable(Array.Empty<Row>());
        Assert.Empty(View(none, mapper).GetColumn<float[]>("Sum"));
        Assert.Equal(0, mapper.Forwards);
    }

    private static BatchedDataView View(IDataView input, ToyMapper mapper) => new(((IHostEnvironment)new MLContext(1)).Register("test"), input, mapper, BatchSize);

    private void AssertSums(IDataView data, int count)
    {
        int[] ids = [.. data.GetColumn<int>("Id")];
        float[][] sums = [.. data.GetColumn<float[]>("Sum")];
        Assert.Equal(count, ids.Length);
        Assert.Equal(ids.Length, sums.Length);
        using DataViewRowCursor cursor = data.GetRowCursor([data.Schema["Id"], data.Schema["Sum"]]);
        var id = cursor.GetGetter<int>(data.Schema["Id"]);
        var sum = cursor.GetGetter<VBuffer<float>>(data.Schema["Sum"]);
        VBuffer<float> value = default;
        int number = 0;
        while (cursor.MoveNext())
        {
            id(ref number);
            sum(ref value);
            Assert.Equal(rows[number].X.DenseValues().Sum(), value.GetItemOrDefault(0));
        }
    }

    private static DataViewRowId Id(DataViewRow row)
    {
        DataViewRowId id = default;
        row.GetIdGetter()(ref id);
        return id;
    }

    /// <summary>Reads the current value of a column of any type into something that compares by value.</summary>
    private static Func<object?> Reader(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type.RawType == typeof(MLImage))
        {
            var getter = row.GetGetter<MLImage?>(column);
            return () =>
            {
                MLImage? image = null;
                getter(ref image);
                return image is null ? null : $"{image.Width} {image.Height} {image.Tag} {Convert.ToHexString(image.Pixels)}";
            };
        }
        var make = typeof(BatchedDataViewTests).GetMethod(column.Type is VectorDataViewType ? nameof(VectorReader) : nameof(ValueReader),
            System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!;
        Type item = column.Type is VectorDataViewType vector ? vector.ItemType.RawType : column.Type.RawType;
        return (Func<object?>)make.MakeGenericMethod(item).Invoke(null, [row, column])!;
    }

    private static Func<object?> ValueReader<T>(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<T>(column);
        T value = default!;
        return () =>
        {
            getter(ref value);
            return $"{value}";
        };
    }

    private static Func<object?> VectorReader<T>(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<VBuffer<T>>(column);
        VBuffer<T> value = default;
        return () =>
        {
            getter(ref value);
            return $"{value.IsDense} {value.Length}: {string.Join(' ', value.Items().Select(item => $"{item.Key}={item.Value}"))}";
        };
    }

    private sealed class Prediction
    {
        public float[]? Sum { get; set; }
    }

    private sealed class ToyTransformer(DataViewSchema schema) : ITransformer
    {
        private readonly IHost host = ((IHostEnvironment)new MLContext(1)).Register("test");

        public bool IsRowToRowMapper => true;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Transform(new EmptyDataView(host, inputSchema)).Schema;

        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema)
            => new RowToRowMapperTransform(host, new EmptyDataView(host, inputSchema), new ToyMapper(schema), other => new ToyMapper(other));

        public IDataView Transform(IDataView input) => View(input, new ToyMapper(schema));

        void ICanSaveModel.Save(ModelSaveContext ctx) => throw new NotSupportedException();
    }

    private sealed class Row
    {
        public Row(int i)
        {
            Id = i;
            Other = -i;
            Text = i % 5 == 0 ? "" : $"row {i}";
            Flag = i % 2 == 0;
            Key = (uint)(i % 4); // 0 is a missing key
            When = new DateTime(2024, 1, 1).AddDays(i);
            Offset = new DateTimeOffset(When, TimeSpan.Zero);
            Span = TimeSpan.FromMinutes(i);
            Number = i % 7 == 0 ? double.NaN : i / 3.0;
            X = i % 3 == 0 ? new VBuffer<float>(5, 1, [i], [i % 5]) : new VBuffer<float>(5, [i, 1, 2, 3, 4]);
            Bytes = [(byte)i, 0, (byte)(255 - i)];
            Words = [.. Enumerable.Range(0, i % 4).Select(word => $"w{i}.{word}")];
            Ids = new DataViewRowId((ulong)i, 7);
            Shade = i;
            Picture = i % 10 == 9 ? null : MLImage.CreateFromPixels(3, 2, i % 2 == 0 ? MLPixelFormat.Bgra32 : MLPixelFormat.Rgba32, Enumerable.Repeat((byte)i, 24).ToArray());
            if (Picture is not null)
                Picture.Tag = $"tag {i}";
        }

        public int Id { get; set; }

        public long Other { get; set; }

        public string Text { get; set; }

        public bool Flag { get; set; }

        [KeyType(3)]
        public uint Key { get; set; }

        public DateTime When { get; set; }

        public DateTimeOffset Offset { get; set; }

        public TimeSpan Span { get; set; }

        public double Number { get; set; }

        [VectorType(5)]
        public VBuffer<float> X { get; set; }

        public byte[] Bytes { get; set; }

        public string[] Words { get; set; }

        public DataViewRowId Ids { get; set; }

        [NoColumn]
        public float Shade { get; }

        [ImageType(2, 3)]
        public MLImage? Picture { get; set; }
    }

    /// <summary>Passes an input on and records what is asked of it.</summary>
    private sealed class SpyView(IDataView input) : IDataView
    {
        public List<string> Asked { get; } = [];

        public int Moves { get; private set; }

        public int FailAtMove { get; init; } = int.MaxValue;

        public bool CanShuffle => input.CanShuffle;

        public DataViewSchema Schema => input.Schema;

        public long? GetRowCount() => input.GetRowCount();

        public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
        {
            Asked.Clear();
            Asked.AddRange(columnsNeeded.Select(column => column.Name));
            return new SpyCursor(this, input.GetRowCursor(columnsNeeded, rand));
        }

        public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) => [GetRowCursor(columnsNeeded, rand)];

        private sealed class SpyCursor(SpyView spy, DataViewRowCursor cursor) : DataViewRowCursor
        {
            public override long Position => cursor.Position;

            public override long Batch => cursor.Batch;

            public override DataViewSchema Schema => cursor.Schema;

            public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => cursor.GetGetter<TValue>(column);

            public override ValueGetter<DataViewRowId> GetIdGetter() => cursor.GetIdGetter();

            public override bool IsColumnActive(DataViewSchema.Column column) => cursor.IsColumnActive(column);

            public override bool MoveNext() => ++spy.Moves == spy.FailAtMove ? throw new FormatException("bad row") : cursor.MoveNext();

            protected override void Dispose(bool disposing)
            {
                if (disposing)
                    cursor.Dispose();
                base.Dispose(disposing);
            }
        }
    }
}
