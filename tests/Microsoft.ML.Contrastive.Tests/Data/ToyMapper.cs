using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

// A type that implements one of ML.NET's internal interfaces loads only in an assembly that says so.

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>
/// Adds Sum, two numbers (sum and doubled sum of the float vector X), and Mean, one number (mean of the bytes of the image
/// Picture), and counts what it was made to do.
/// </summary>
internal sealed class ToyMapper(DataViewSchema schema) : IBatchMapper
{
    private int forwards;
    private int rowsRead;
    private int workers;
    private int disposedWorkers;

    public int Forwards => forwards;

    public int RowsRead => rowsRead;

    public int Workers => workers;

    public int DisposedWorkers => disposedWorkers;

    /// <summary>What <see cref="IBatchWorker.Compute"/> does before it computes, given the number of rows.</summary>
    public Action<int> BeforeCompute { get; set; } = _ => { };

    public DataViewSchema.DetachedColumn[] GetOutputColumns() =>
    [
        new("Sum", new VectorDataViewType(NumberDataViewType.Single, 2), null),
        new("Mean", new VectorDataViewType(NumberDataViewType.Single, 1), null),
    ];

    public Func<int, bool> GetDependencies(Func<int, bool> activeOutput)
        => column => (activeOutput(0) && column == schema["X"].Index) || (activeOutput(1) && column == schema["Picture"].Index);

    public IBatchWorker CreateWorker(DataViewRow input, Func<int, bool> activeOutput, int slots)
    {
        Interlocked.Increment(ref workers);
        return new Worker(this, slots,
            activeOutput(0) ? input.GetGetter<VBuffer<float>>(schema["X"]) : null,
            activeOutput(1) ? input.GetGetter<MLImage>(schema["Picture"]) : null);
    }

    public ITransformer GetTransformer() => throw new NotSupportedException();

    void ICanSaveModel.Save(ModelSaveContext ctx) => throw new NotSupportedException();

    private sealed class Worker(ToyMapper mapper, int slots, ValueGetter<VBuffer<float>>? vectors, ValueGetter<MLImage>? images) : IBatchWorker
    {
        private readonly float[] sums = new float[slots], means = new float[slots], sumOutputs = new float[2 * slots], meanOutputs = new float[slots];
        private VBuffer<float> vector;
        private MLImage image = null!;

        public void Read(int slot)
        {
            Interlocked.Increment(ref mapper.rowsRead);
            if (vectors is not null)
            {
                vectors(ref vector);
                sums[slot] = vector.DenseValues().Sum();
            }
            if (images is not null)
            {
                images(ref image);
                means[slot] = image is null ? float.NaN : (float)image.Pixels.ToArray().Average(value => value);
            }
        }

        public void Compute(int rows)
        {
            Interlocked.Increment(ref mapper.forwards);
            mapper.BeforeCompute(rows);
            for (int i = 0; i < rows; i++)
                (sumOutputs[2 * i], sumOutputs[2 * i + 1], meanOutputs[i]) = (sums[i], 2 * sums[i], means[i]);
        }

        public ReadOnlySpan<float> Output(int output, int slot) => output == 0 ? sumOutputs.AsSpan(2 * slot, 2) : meanOutputs.AsSpan(slot, 1);

        public void Dispose() => Interlocked.Increment(ref mapper.disposedWorkers);
    }
}
