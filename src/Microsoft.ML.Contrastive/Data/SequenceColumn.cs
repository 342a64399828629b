using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>A column of sequences: a known-size vector of Single with a <see cref="SequenceShape"/>. They come out time-major.</summary>
internal sealed class SequenceColumn
{
    private readonly string _name;
    private readonly SequenceShape _shape;

    /// <exception cref="ArgumentException">The column is missing, or its type or size is wrong: the message names it and what was expected.</exception>
    public SequenceColumn(DataViewSchema schema, string name, SequenceShape shape)
    {
        (_name, _shape) = (name, shape);
        DataViewSchema.Column column = schema.Find(name);
        Index = column.Index;
        if (column.Type is not VectorDataViewType vector || vector.ItemType != NumberDataViewType.Single || !vector.IsKnownSize)
            throw new ArgumentException($"Column '{name}' is {column.Type}: expected a known-size vector of Single, of {shape.Numbers} numbers.", nameof(name));
        if (vector.Size != shape.Numbers)
            throw new ArgumentException($"Column '{name}' has {vector.Size} numbers, but the sequence is {shape.Length} times of {shape.Size} = {shape.Numbers}.", nameof(shape));
    }

    public int Index { get; }

    /// <summary>Reads the current row's sequence [T, d] into what it is given; not for several threads.</summary>
    /// <returns>Throws <see cref="InvalidOperationException"/> where a number is missing or infinite: the message names row, column, time and channel.</returns>
    public Action<long, Span<float>> CreateReader(DataViewRow row)
    {
        ValueGetter<VBuffer<float>> get = row.GetGetter<VBuffer<float>>(row.Schema[Index]);
        VBuffer<float> value = default;
        var dense = new float[_shape.Numbers];
        return (position, sequence) =>
        {
            get(ref value);
            if (value.Length != dense.Length)
                throw new InvalidOperationException($"Row {position} of column '{_name}': the vector has {value.Length} numbers; the column declares {dense.Length}. Filter such rows out.");
            value.CopyTo(dense);
            for (int time = 0; time < _shape.Length; time++)
                for (int channel = 0; channel < _shape.Size; channel++)
                {
                    float number = dense[_shape.Layout == SequenceLayout.TimeMajor ? time * _shape.Size + channel : channel * _shape.Length + time];
                    if (!float.IsFinite(number))
                        throw new InvalidOperationException($"Row {position} of column '{_name}': number {channel} at time {time} is {number}. Filter such rows out, or put ml.Transforms.ReplaceMissingValues before.");
                    sequence[time * _shape.Size + channel] = number;
                }
        };
    }
}
