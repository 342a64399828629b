using System.Runtime.InteropServices;
using Microsoft.ML.Data;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>A run's sequences.</summary>
internal sealed class SequenceExamples : Examples
{
    private readonly SequenceStore _store;

    private SequenceExamples(SequenceStore store) => _store = store;

    public override string Name => "sequences";

    public override int Count => _store.Count;

    private SequenceInput Sequences => (SequenceInput)Input;

    /// <summary>What the settings alone decide, checked before any data is there.</summary>
    public static void Check(ContrastivePretrainEstimator.Options options)
    {
        SequenceShape shape = options.Sequence!;
        shape.Validate();
        if (options.ImageShape is not null || options.ImageSize is not null)
            throw new ArgumentException("A column holds pictures or sequences: give an ImageShape (and ImageSize), or a SequenceShape, not both.", nameof(options.Sequence));
        if (options.Training.Monitor is not null)
            throw new ArgumentException("A Monitor watches the training of pictures and texts alone: leave TrainingOptions.Monitor out for sequences, and measure with mlContext.Representation() afterwards.", nameof(options.Training.Monitor));
        if (options.Method.Augmentations is not null)
            throw new ArgumentException($"Augmentations of {options.Method.GetType().Name} are for pictures: leave them out for sequences.", nameof(options.Method.Augmentations));
        ChooseEncoder(options).CheckLength(shape.Length);
    }

    /// <param name="input">The data.</param>
    /// <param name="options">The estimator's.</param>
    /// <param name="earlier">The normalisation that the encoder has learned with; null to measure it.</param>
    /// <param name="reading">Reads.</param>
    public static SequenceExamples Read(IDataView input, ContrastivePretrainEstimator.Options options, Normalization? earlier, ColumnReading reading)
    {
        SequenceShape shape = options.Sequence!;
        var column = new SequenceColumn(input.Schema, options.Input, shape);
        var store = new SequenceStore(shape, new ByteStore(options.Training.MemoryBudget, options.Training.ScratchFolder));
        try
        {
            if (input.GetRowCount() is { } rows)
                store.Expect(rows);
            reading.Read(input, column.Index, options.Input, "sequence", row =>
            {
                Action<long, Span<float>> read = column.CreateReader(row);
                var sequence = new float[shape.Numbers];
                return position =>
                {
                    read(position, sequence);
                    store.Add(sequence);
                    return true;
                };
            });
            store.Seal();
            reading.Log(store.ScratchLength, "sequences");
            return new SequenceExamples(store)
            {
                Input = new SequenceInput { Shape = shape, Channels = shape.Size, Normalization = earlier ?? store.MeasureNormalization(), Encoder = ChooseEncoder(options) },
            };
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    public override RunFacts Facts(int batchSize, long steps)
        => new(Count, batchSize, steps, ImageHeight: 0, ImageWidth: 0, Sequences.Channels, Sequences.Encoder.FeatureSize)
        {
            Encoder = Sequences.Encoder,
            SequenceLength = Sequences.Shape.Length,
        };

    public override string Fingerprint() => _store.Fingerprint();

    /// <summary>One view, the sequence as it is: [N, T, d], normalised.</summary>
    public override BatchMaker CreateMaker(ContrastiveMethod method) => (rows, _, _) =>
    {
        _store.Prefetch(rows, CLibrary.ReadAhead);
        Tensor batch = empty(rows.Length, Sequences.Shape.Length, Sequences.Channels);
        Span<float> numbers = MemoryMarshal.Cast<byte, float>(batch.bytes);
        for (int i = 0; i < rows.Length; i++)
            Normalise.Interleaved(_store[rows[i]], Sequences.Normalization, numbers.Slice(i * Sequences.Numbers, Sequences.Numbers));
        return new Views(batch) { RowIndices = Views.IndicesOf(rows) };
    };

    public override void Dispose() => _store.Dispose();

    private static SequenceEncoder ChooseEncoder(ContrastivePretrainEstimator.Options options)
        => options.Method.EncoderFor(options.Encoder switch
        {
            null => (SequenceEncoder?)null,
            SequenceEncoder given => given,
            Encoder other => throw new ArgumentException($"A {other.GetType().Name} takes no sequences: leave the encoder out, or choose a SequenceEncoder.", nameof(options.Encoder)),
        });
}
