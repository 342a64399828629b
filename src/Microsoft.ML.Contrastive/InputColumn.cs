using System.Runtime.InteropServices;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>A fitted encoder's input column in one schema.</summary>
internal abstract class InputColumn
{
    /// <summary>Its place in the schema.</summary>
    public abstract int Index { get; }

    /// <summary>Whether it needs the column at a place in the schema: one of its own, for most.</summary>
    public virtual bool Reads(int column) => column == Index;

    /// <summary>What collects the rows of one cursor.</summary>
    /// <param name="row">The row that moves.</param>
    /// <param name="slots">The most rows together.</param>
    /// <returns>
    /// The batch, and what reads the current row into a slot, given slot and position: false where the row is missing and may be, an
    /// <see cref="InvalidOperationException"/> that names row and column where it is wrong.
    /// </returns>
    public abstract (InputBatch Batch, Func<int, long, bool> Read) CreateBatch(DataViewRow row, int slots);

    /// <param name="network">The encoder.</param>
    /// <param name="schema">Where the column is.</param>
    /// <param name="cutTexts">Is told of texts that were too long; of no use for all else.</param>
    /// <exception cref="ArgumentException">The column is missing or does not fit: the message names it and what was expected.</exception>
    public static InputColumn Bind(PretrainedEncoder network, DataViewSchema schema, CutTexts? cutTexts = null) => network.Manifest.Input switch
    {
        PictureInput pictures => new PictureInputColumn(pictures, network.Manifest.InputColumn, schema),
        SequenceInput sequences => new SequenceInputColumn(sequences, network.Manifest.InputColumn, schema),
        MultiviewInput views => new MultiviewInputColumn(views, schema),
        TextInput texts => new TextInputColumn(texts, network.Tokenizer!, network.Manifest.InputColumn, schema, cutTexts),
        _ => throw new NotSupportedException($"No column is read for {network.Manifest.Input.GetType().Name}."),
    };

    /// <summary>The check that needs no data; sizes are checked with the data.</summary>
    /// <exception cref="ArgumentException">The column's type does not fit.</exception>
    public static void CheckShape(SchemaShape.Column column, ColumnKind kind)
    {
        bool isScalar = column.Kind == SchemaShape.Column.VectorKind.Scalar, isVector = column.Kind == SchemaShape.Column.VectorKind.Vector && !column.IsKey;
        (bool fits, string expected) = kind switch
        {
            ColumnKind.Texts => (isScalar && column.ItemType == TextDataViewType.Instance, "text, one to a row"),
            ColumnKind.Sequences => (isVector && column.ItemType == NumberDataViewType.Single, "a known-size vector of Single, which holds a sequence"),
            ColumnKind.PictureVectors => (isVector && (column.ItemType == NumberDataViewType.Single || column.ItemType == NumberDataViewType.Byte), Pictures),
            _ => (isScalar && column.ItemType is ImageDataViewType, Pictures),
        };
        if (!fits)
            throw new ArgumentException($"Column '{column.Name}' is {column.GetTypeString()}: expected {expected}.", nameof(column));
    }

    private const string Pictures = "MLImage without an imageShape, or a known-size vector of Byte or Single with one";
}

internal static class ColumnKinds
{
    /// <summary>The column that an input is read from.</summary>
    public static ColumnKind Kind(this ModelInput input) => input switch
    {
        TextInput => ColumnKind.Texts,
        SequenceInput => ColumnKind.Sequences,
        PictureInput { ImageShape: not null } => ColumnKind.PictureVectors,
        _ => ColumnKind.Pictures,
    };
}

/// <summary>What a column of examples holds.</summary>
internal enum ColumnKind
{
    Pictures,
    PictureVectors,
    Sequences,
    Texts,
    Pairs,
    Multiview,
}

/// <summary>Some rows of an input column, on their way to the network.</summary>
internal abstract class InputBatch
{
    /// <summary>From so many parts for each thread up, threads take parts for themselves.</summary>
    public const int PartsOfThread = 2;

    /// <summary>The first rows as the network takes them, on the CPU, in parts of which each passes it together.</summary>
    /// <param name="rows">At least 1.</param>
    /// <param name="device">Where they will be computed.</param>
    public abstract IEnumerable<Part> Take(int rows, Device device);

    /// <summary>No more rows will come.</summary>
    public virtual void End()
    {
    }

    /// <param name="Slots">Which rows it has, in its order.</param>
    /// <param name="Examples">What the network takes, which may have more behind those rows.</param>
    public readonly record struct Part(IReadOnlyList<int> Slots, Tensor Examples);
}

/// <summary>Pictures, as the views without anything random.</summary>
internal sealed class PictureInputColumn : InputColumn
{
    private readonly PictureInput _input;
    private readonly ImageColumn _column;

    public PictureInputColumn(PictureInput input, string name, DataViewSchema schema)
    {
        _input = input;
        _column = new ImageColumn(schema, name, input.ImageShape, input.MissingImages, wanted: "the encoder was trained on");
        if (_column.Channels != input.Channels)
            throw new ArgumentException($"Column '{name}' has pictures of {_column.Channels} channels, the encoder was trained on {input.Channels}.", nameof(schema));
    }

    public override int Index => _column.Index;

    public ImageColumn Pictures => _column;

    public override (InputBatch Batch, Func<int, long, bool> Read) CreateBatch(DataViewRow row, int slots)
    {
        PictureReader reader = _column.CreateReader(row);
        var batch = new PictureBatch(_input, slots);
        return (batch, Read);

        bool Read(int slot, long position)
        {
            if (!reader.Read(position))
                return false;
            batch.Put(slot, reader.Buffer.Picture);
            return true;
        }
    }
}

/// <summary>Plain views of pictures, normalised.</summary>
internal sealed class PictureBatch(PictureInput input, int slots) : InputBatch
{
    // libtorch sends one small picture alone through a slow path of its own (which also complains on stderr where NNPACK is
    // not supported); two take the path of every other batch.
    private const int SmallPicture = 128 * 128;
    private readonly ImageViewMaker _maker = new(new ImageAugmentation(), input.Height, input.Width, input.Channels, input.Normalization, input.Resizing);
    private readonly float[] _planar = new float[input.Numbers];
    private readonly float[] _pixels = new float[slots * input.Numbers]; // interleaved: [slots, H, W, C]

    public void Put(int slot, Picture picture)
    {
        _maker.MakePlain(picture, _planar);
        PixelOrder.Interleave(_planar, input.Channels, _pixels.AsSpan(slot * _planar.Length, _planar.Length));
    }

    public override IEnumerable<Part> Take(int rows, Device device) => [new Part([.. Enumerable.Range(0, rows)], Pictures(rows))];

    /// <summary>The first slots' pictures, [rows, C, H, W] with the channels last in memory; one that is small comes with a black one behind it.</summary>
    public Tensor Pictures(int rows)
    {
        int padded = rows == 1 && input.Height * input.Width < SmallPicture ? 2 : rows;
        Tensor batch = zeros(padded, input.Height, input.Width, input.Channels);
        _pixels.AsSpan(0, rows * _planar.Length).CopyTo(MemoryMarshal.Cast<byte, float>(batch.bytes));
        return batch.permute(0, 3, 1, 2);
    }
}

/// <summary>Sequences as they come.</summary>
internal sealed class SequenceInputColumn(SequenceInput input, string name, DataViewSchema schema) : InputColumn
{
    private readonly SequenceColumn _column = new(schema, name, input.Shape);

    public override int Index => _column.Index;

    public override (InputBatch Batch, Func<int, long, bool> Read) CreateBatch(DataViewRow row, int slots)
    {
        Action<long, Span<float>> read = _column.CreateReader(row);
        var batch = new SequenceBatch(input, slots);
        return (batch, Read);

        bool Read(int slot, long position)
        {
            Span<float> sequence = batch.Slot(slot);
            read(position, sequence);
            Normalise.Interleaved(sequence, input.Normalization, sequence);
            return true;
        }
    }
}

/// <summary>Sequences, normalised.</summary>
internal sealed class SequenceBatch(SequenceInput input, int slots) : InputBatch
{
    private readonly float[] _numbers = new float[slots * input.Numbers];

    public Span<float> Slot(int slot) => _numbers.AsSpan(slot * input.Numbers, input.Numbers);

    public override IEnumerable<Part> Take(int rows, Device device)
    {
        Tensor batch = empty(rows, input.Shape.Length, input.Channels);
        _numbers.AsSpan(0, rows * input.Numbers).CopyTo(MemoryMarshal.Cast<byte, float>(batch.bytes));
        return [new Part([.. Enumerable.Range(0, rows)], batch)];
    }
}
