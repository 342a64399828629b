using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A view with added columns that are computed for many rows at once, however the reader asks: row by row, some columns only,
/// shuffled, by several cursors. A cursor keeps a batch of what it read (the active columns, row ids), so that a single pass over any input is
/// enough. A batch is computed when one of its outputs is first read, while another thread reads the next one.
/// </summary>
internal sealed class BatchedDataView : IDataView
{
    private readonly IHost host;
    private readonly IDataView input;
    private readonly IBatchMapper mapper;
    private readonly int batchSize;
    private readonly ColumnBindings bindings;

    /// <param name="host">Asked before each batch whether the run was cancelled.</param>
    /// <param name="input">The rows.</param>
    /// <param name="mapper">Made for the schema of <paramref name="input"/>.</param>
    /// <param name="batchSize">How many rows are computed together.</param>
    public BatchedDataView(IHost host, IDataView input, IBatchMapper mapper, int batchSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        this.host = host;
        this.input = input;
        this.mapper = mapper;
        this.batchSize = batchSize;
        bindings = new ColumnBindings(input.Schema, mapper.GetOutputColumns());
    }

    public bool CanShuffle => input.CanShuffle;

    public DataViewSchema Schema => bindings.Schema;

    public long? GetRowCount() => input.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var columns = new ActiveColumns(this, columnsNeeded);
        return MakeCursors(columns, [input.GetRowCursor(columns.Input, rand)])[0];
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        var columns = new ActiveColumns(this, columnsNeeded);
        return MakeCursors(columns, input.GetRowCursorSet(columns.Input, n, rand));
    }

    private DataViewRowCursor[] MakeCursors(ActiveColumns columns, DataViewRowCursor[] inputs)
    {
        var cursors = new List<DataViewRowCursor>();
        try
        {
            foreach (DataViewRowCursor rows in inputs)
                cursors.Add(columns.AnyOutput ? new BatchCursor(this, rows, columns) : new PassingCursor(this, rows, columns));
            return [.. cursors];
        }
        catch
        {
            foreach (DataViewRowCursor cursor in cursors.Concat(inputs))
                cursor.Dispose();
            throw;
        }
    }

    /// <summary>What a reader asked for, and what that needs of the input.</summary>
    private sealed class ActiveColumns
    {
        private readonly ColumnBindings bindings;
        private readonly bool[] active;

        public ActiveColumns(BatchedDataView view, IEnumerable<DataViewSchema.Column> columnsNeeded)
        {
            bindings = view.bindings;
            active = new bool[view.Schema.Count];
            foreach (DataViewSchema.Column column in columnsNeeded)
                active[column.Index] = true;
            AnyOutput = bindings.AddedColumnIndices.Any(IsActive);
            HashSet<int> passed = [.. Passed.Select(column => column.Input)];
            Func<int, bool> source = AnyOutput ? view.mapper.GetDependencies(IsActiveOutput) : _ => false;
            Input = [.. bindings.InputSchema.Where(column => passed.Contains(column.Index) || source(column.Index))];
        }

        public bool AnyOutput { get; }

        public DataViewSchema.Column[] Input { get; }

        /// <summary>The active columns that only pass through: their index here and in the input.</summary>
        public IEnumerable<(int Index, int Input)> Passed
        {
            get
            {
                for (int index = 0; index < active.Length; index++)
                {
                    int mapped = bindings.MapColumnIndex(out bool passes, index);
                    if (active[index] && passes)
                        yield return (index, mapped);
                }
            }
        }

        public bool IsActive(int index) => active[index];

        public bool IsActiveOutput(int output) => IsActive(bindings.AddedColumnIndices[output]);

        /// <summary>An active column's index in the input, or among the outputs.</summary>
        public int Map(DataViewSchema.Column column) => IsActive(column.Index)
            ? bindings.MapColumnIndex(out _, column.Index)
            : throw new ArgumentException($"Column '{column.Name}' was not asked for when the cursor was made.", nameof(column));
    }

    /// <summary>No output is wanted: nothing to compute, read ahead or keep.</summary>
    private sealed class PassingCursor(BatchedDataView view, DataViewRowCursor rows, ActiveColumns columns) : SynchronizedCursorBase(view.host, rows)
    {
        public override DataViewSchema Schema => view.Schema;

        public override bool IsColumnActive(DataViewSchema.Column column) => columns.IsActive(column.Index);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => Input.GetGetter<TValue>(Input.Schema[columns.Map(column)]);
    }

    private sealed class BatchCursor : RootCursorBase
    {
        private readonly BatchedDataView view;
        private readonly DataViewRowCursor rows;
        private readonly ActiveColumns columns;

        // Two halves: one is read by the user and computed, the other filled ahead. Workers have one each.
        private readonly Dictionary<int, RowBuffer> buffers;
        private readonly ValueGetter<DataViewRowId> idGetter;
        private readonly DataViewRowId[] ids;
        private readonly long[] batches;
        private readonly IBatchWorker[] workers;
        private int half;
        private int slot = -1;
        private int count;
        private Task<int>? ahead;
        private bool computed;
        private bool exhausted;
        private bool broken;
        private volatile bool disposed;

        public BatchCursor(BatchedDataView view, DataViewRowCursor rows, ActiveColumns columns)
            : base(view.host)
        {
            this.view = view;
            this.rows = rows;
            this.columns = columns;
            view.mapper.CountPass();
            buffers = columns.Passed.ToDictionary(column => column.Index, column => RowBuffer.Create(rows, rows.Schema[column.Input], 2 * view.batchSize));
            idGetter = rows.GetIdGetter();
            ids = new DataViewRowId[2 * view.batchSize];
            batches = new long[2 * view.batchSize];
            workers = [view.mapper.CreateWorker(rows, columns.IsActiveOutput, view.batchSize), view.mapper.CreateWorker(rows, columns.IsActiveOutput, view.batchSize)];
        }

        public override DataViewSchema Schema => view.Schema;

        public override long Batch => batches[(half * view.batchSize) + Math.Max(slot, 0)];

        public override bool IsColumnActive(DataViewSchema.Column column) => columns.IsActive(column.Index);

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId id) => id = ids[Slot()];

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            int mapped = columns.Map(column);
            Delegate getter = buffers.TryGetValue(column.Index, out RowBuffer? buffer) ? buffer.Getter(Slot) : OutputGetter(column.Type, mapped);
            return getter as ValueGetter<TValue>
                ?? throw new InvalidOperationException($"Column '{column.Name}' is {column.Type}, which can't be read as {typeof(TValue)}.");
        }

        private Delegate OutputGetter(DataViewType type, int output) => IBatchMapper.Getter(type, () =>
        {
            _ = Slot();
            if (!computed)
            {
                view.host.CheckAlive();
                int other = 1 - half;
                if (!exhausted)
                    ahead ??= Task.Run(() => Fill(other));
                workers[half].Compute(count);
                computed = true;
            }
            return workers[half].Output(output, slot);
        });

        protected override bool MoveNextCore()
        {
            if (broken)
                throw new InvalidOperationException("An earlier row could not be read; the cursor can't go on.");
            if (++slot < count)
                return true;
            broken = true; // until the batch is whole: rows must not be lost unseen
            (slot, count, computed) = (0, 0, false);
            int filled = ahead?.GetAwaiter().GetResult() ?? Fill(1 - half);
            (half, count, ahead, broken) = (1 - half, filled, null, false);
            return count > 0;
        }

        /// <summary>Reads rows into a half, and tells how many.</summary>
        private int Fill(int target)
        {
            int read = 0;
            for (int first = target * view.batchSize; read < view.batchSize && !disposed && MoveInput(); read++)
            {
                foreach (RowBuffer buffer in buffers.Values)
                    buffer.Read(first + read);
                workers[target].Read(read);
                idGetter(ref ids[first + read]);
                batches[first + read] = rows.Batch;
            }
            return read;
        }

        private bool MoveInput()
        {
            exhausted = exhausted || !rows.MoveNext(); // not every cursor bears to be asked again
            return !exhausted;
        }

        private int Slot() => IsGood && slot < count ? (half * view.batchSize) + slot : throw new InvalidOperationException("The cursor stands on no row.");

        protected override void Dispose(bool disposing)
        {
            if (disposing && !disposed)
            {
                disposed = true; // ends the reading ahead
                ((Task?)ahead)?.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult(); // what broke in rows that nobody asked for is nobody's concern
                foreach (RowBuffer buffer in buffers.Values)
                    buffer.Dispose();
                foreach (IBatchWorker worker in workers)
                    worker.Dispose();
                rows.Dispose();
            }
            base.Dispose(disposing);
        }
    }
}
