using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The computing side of a transformer that adds columns of float vectors, and of keys, and is fast on many rows at once. The same worker serves
/// <see cref="BatchedDataView"/> and, with a batch of one, ML.NET's row mapping (PredictionEngine): implement no getters.
/// </summary>
internal interface IBatchMapper : IRowMapper
{
    /// <summary>A worker for one row or cursor, of which a cursor has two; it must share nothing that changes with other workers.</summary>
    /// <param name="input">The row that moves; the source columns of the active outputs are active in it.</param>
    /// <param name="activeOutput">Which of <see cref="IRowMapper.GetOutputColumns"/> are asked for; at least one.</param>
    /// <param name="slots">The most rows that a batch will have.</param>
    IBatchWorker CreateWorker(DataViewRow input, Func<int, bool> activeOutput, int slots);

    /// <summary>Called when a cursor begins that may compute all rows.</summary>
    void CountPass()
    {
    }

    /// <summary>One row at a time: computed at the first getter's call on a row, whichever it is.</summary>
    Delegate?[] IRowMapper.CreateGetters(DataViewRow input, Func<int, bool> activeOutput, out Action? disposer)
    {
        DataViewSchema.DetachedColumn[] columns = GetOutputColumns();
        var getters = new Delegate?[columns.Length];
        disposer = null;
        if (!Enumerable.Range(0, getters.Length).Any(activeOutput))
            return getters;
        IBatchWorker worker = CreateWorker(input, activeOutput, slots: 1);
        disposer = worker.Dispose;
        long computed = -1;
        for (int i = 0; i < getters.Length; i++)
        {
            int output = i;
            if (!activeOutput(output))
                continue;
            getters[output] = Getter(columns[output].Type, () =>
            {
                if (computed < 0 || computed != input.Position)
                {
                    computed = -1;
                    worker.Read(0);
                    worker.Compute(1);
                    computed = input.Position;
                }
                return worker.Output(output, 0);
            });
        }
        return getters;
    }

    /// <summary>A getter of an output's own type over what was computed: a vector of Single or of keys, or a key, which is its one number.</summary>
    static Delegate Getter(DataViewType type, ComputedOutput computed) => type switch
    {
        KeyDataViewType => (ValueGetter<uint>)((ref uint value) => value = (uint)computed()[0]),
        VectorDataViewType { ItemType: KeyDataViewType } => (ValueGetter<VBuffer<uint>>)((ref VBuffer<uint> value) => Fill(ref value, computed())),
        _ => (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) => Fill(ref value, computed())),
    };

    /// <summary>Copies numbers into a reader's vector, in its own memory where that suffices.</summary>
    static void Fill(ref VBuffer<float> value, ReadOnlySpan<float> numbers)
    {
        VBufferEditor<float> editor = VBufferEditor.Create(ref value, numbers.Length);
        numbers.CopyTo(editor.Values);
        value = editor.Commit();
    }

    private static void Fill(ref VBuffer<uint> value, ReadOnlySpan<float> keys)
    {
        VBufferEditor<uint> editor = VBufferEditor.Create(ref value, keys.Length);
        for (int i = 0; i < keys.Length; i++)
            editor.Values[i] = (uint)keys[i];
        value = editor.Commit();
    }
}

/// <summary>What a worker computed for the row of the moment.</summary>
internal delegate ReadOnlySpan<float> ComputedOutput();

/// <summary>
/// Some rows' computation: they are read into slots, then computed together. Never called by two threads at once, but not
/// always by the same one: scopes and no-grad guards must not outlive a call.
/// </summary>
internal interface IBatchWorker : IDisposable
{
    /// <summary>
    /// Reads the input's current row into a slot. Slots are filled from 0 on. An image that the input gives may be the user's
    /// own: copy its pixels, don't dispose it.
    /// </summary>
    void Read(int slot);

    /// <summary>Computes the active outputs of slots 0 to <paramref name="rows"/> - 1; called at most once a batch, unless it threw.</summary>
    void Compute(int rows);

    /// <summary>What <see cref="Compute"/> left for one output column and slot; of a key column its one number, 0 where it is missing.</summary>
    ReadOnlySpan<float> Output(int output, int slot);
}
