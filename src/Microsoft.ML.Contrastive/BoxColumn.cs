using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>A column of boxes in each row's picture: left, top, right and bottom of each, in pixels, one box behind the other.</summary>
internal sealed class BoxColumn
{
    private const string Expected = "expected a vector of Single with left, top, right and bottom of each box";
    private readonly string _name;

    /// <exception cref="ArgumentException">The column is missing or of another type.</exception>
    public BoxColumn(DataViewSchema schema, string name)
    {
        _name = name;
        DataViewSchema.Column column = schema.Find(name);
        if (column.Type is not VectorDataViewType vector || vector.ItemType != NumberDataViewType.Single || vector.Size % 4 != 0)
            throw new ArgumentException($"Column '{name}' is {column.Type}: {Expected}.", nameof(name));
        Index = column.Index;
    }

    public int Index { get; }

    /// <summary>The check that needs no data.</summary>
    /// <exception cref="ArgumentException">The column's type does not fit.</exception>
    public static void Check(SchemaShape.Column column)
    {
        if (column.Kind == SchemaShape.Column.VectorKind.Scalar || column.IsKey || column.ItemType != NumberDataViewType.Single)
            throw new ArgumentException($"Column '{column.Name}' is {column.GetTypeString()}: {Expected}.", nameof(column));
    }

    /// <summary>Gives the current row's boxes, in whole pixels within a picture of a size.</summary>
    public Func<long, int, int, CropBox[]> CreateReader(DataViewRow row)
    {
        ValueGetter<VBuffer<float>> get = row.GetGetter<VBuffer<float>>(row.Schema[Index]);
        VBuffer<float> value = default;
        return (position, height, width) =>
        {
            get(ref value);
            float[] numbers = [.. value.DenseValues()];
            if (numbers.Length % 4 != 0)
                throw new InvalidOperationException($"Row {position} of column '{_name}' has {numbers.Length} numbers: boxes have four each, left, top, right and bottom.");
            return [.. numbers.Chunk(4).Select((box, index) => Whole(box, height, width)
                ?? throw new InvalidOperationException($"Row {position} of column '{_name}': box {index}, from ({box[0]}, {box[1]}) to ({box[2]}, {box[3]}), has no pixel of a picture of {width} x {height}. Boxes are left, top, right, bottom in pixels."))];
        };
    }

    /// <summary>Each pixel that the box touches, at least one; null where it lies outside or is none.</summary>
    private static CropBox? Whole(float[] box, int height, int width)
    {
        if (!box.All(float.IsFinite))
            return null;
        int left = (int)Math.Floor(Math.Max(box[0], 0)), top = (int)Math.Floor(Math.Max(box[1], 0));
        int right = (int)Math.Ceiling(Math.Min(box[2], width)), bottom = (int)Math.Ceiling(Math.Min(box[3], height));
        return right > left && bottom > top ? new CropBox(top, left, bottom - top, right - left) : null;
    }
}

/// <summary>One cursor's boxes: each is cut out of its picture, and scored as a picture of its own.</summary>
internal sealed class BoxWorker
{
    private readonly PretrainedEncoder _network;
    private readonly DataViewRow _input;
    private readonly PictureReader _reader;
    private readonly Func<long, int, int, CropBox[]> _boxes;
    private readonly ZeroShotClasses _classes;
    private readonly Func<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor> _logits;
    private readonly PictureBatch _batch;
    private readonly int _together;
    private readonly (int Start, int Count)[] _ofSlot;
    private readonly List<(byte[] Pixels, int Height, int Width)> _cut = [];
    private float[] _scores = [], _keys = [];

    public BoxWorker(
        PretrainedEncoder network, PictureInput pictures, ImageColumn column, BoxColumn boxes, DataViewRow input, ZeroShotClasses classes, int slots,
        Func<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor> logits)
    {
        (_network, _input, _classes, _logits) = (network, input, classes, logits);
        (_reader, _boxes) = (column.CreateReader(input), boxes.CreateReader(input));
        _together = network.RowsTogether;
        _batch = new PictureBatch(pictures, _together);
        _ofSlot = new (int, int)[slots];
    }

    /// <summary>The likeliest class of each box of a row.</summary>
    public ReadOnlySpan<float> Keys(int slot) => _keys.AsSpan(_ofSlot[slot].Start, _ofSlot[slot].Count);

    /// <summary>Scores of each box of a row, one box behind the other.</summary>
    public ReadOnlySpan<float> Scores(int slot)
    {
        int classes = _classes.Labels.Count;
        return _scores.AsSpan(_ofSlot[slot].Start * classes, _ofSlot[slot].Count * classes);
    }

    /// <summary>A row whose picture is missing has no boxes.</summary>
    public void Read(int slot)
    {
        if (slot == 0)
            _cut.Clear();
        int start = _cut.Count;
        if (_reader.Read(_input.Position))
        {
            Picture picture = _reader.Buffer.Picture;
            foreach (CropBox box in _boxes(_input.Position, picture.Height, picture.Width))
                _cut.Add((Cut(picture, box), box.Height, box.Width));
        }
        _ofSlot[slot] = (start, _cut.Count - start);
    }

    public void Compute()
    {
        int classes = _classes.Labels.Count;
        (_scores, _keys) = (new float[_cut.Count * classes], new float[_cut.Count]);
        for (int start = 0; start < _cut.Count; start += _together)
        {
            int count = Math.Min(_together, _cut.Count - start);
            for (int i = 0; i < count; i++)
                _batch.Put(i, new Picture(_cut[start + i].Pixels, _cut[start + i].Height, _cut[start + i].Width, _reader.Buffer.Channels));
            _network.Forward(_batch, count, _scores.AsMemory(start * classes, count * classes), _logits);
        }
        for (int box = 0; box < _keys.Length; box++)
            _keys[box] = _classes.Decide(_scores.AsSpan(box * classes, classes));
    }

    private static byte[] Cut(Picture picture, CropBox box)
    {
        var pixels = new byte[picture.Channels * box.Height * box.Width];
        for (int channel = 0; channel < picture.Channels; channel++)
            for (int row = 0; row < box.Height; row++)
                picture.Pixels.Slice((channel * picture.Height + box.Top + row) * picture.Width + box.Left, box.Width)
                    .CopyTo(pixels.AsSpan((channel * box.Height + row) * box.Width));
        return pixels;
    }
}
