using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.Contrastive;

/// <summary>What is done with a row whose picture is null or cannot be decoded.</summary>
public enum MissingImages
{
    /// <summary>An error that names the row: the default.</summary>
    Fail,

    /// <summary>Fit leaves the row out and counts it; Transform gives a vector of NaN, ML.NET's missing value.</summary>
    Skip,
}

/// <summary>
/// A column of pictures: <see cref="MLImage"/> of any sizes, or a known-size vector of Byte or Single with an
/// <see cref="ImageShape"/>. Pictures come out as planar bytes; alpha is composed over white.
/// </summary>
internal sealed class ImageColumn
{
    private readonly string _name;
    private readonly ImageShape? _shape;
    private readonly MissingImages _missing;
    private readonly Type _itemType;

    /// <exception cref="ArgumentException">The column is missing, or its type or size is wrong: the message names it and what was expected.</exception>
    public ImageColumn(DataViewSchema schema, string name, ImageShape? shape, MissingImages missing)
    {
        (_name, _shape, _missing) = (name, shape, missing);
        DataViewSchema.Column column = schema.GetColumnOrNull(name)
            ?? throw new ArgumentException($"The data has no column '{name}'. It has: {string.Join(", ", schema.Select(each => each.Name))}.", nameof(name));
        Index = column.Index;
        switch (column.Type)
        {
            case ImageDataViewType image:
                if (shape is not null)
                    throw new ArgumentException($"Column '{name}' holds MLImage: leave imageShape out, it is for vectors.", nameof(shape));
                (Channels, _itemType) = (3, typeof(MLImage));
                DeclaredSize = image.Height > 0 && image.Width > 0 ? (image.Height, image.Width) : null;
                break;
            case VectorDataViewType vector when vector.ItemType.RawType == typeof(float) || vector.ItemType.RawType == typeof(byte):
                CheckVector(vector, name, shape);
                (Channels, _itemType) = (shape!.Channels, vector.ItemType.RawType);
                DeclaredSize = (shape.Height, shape.Width);
                break;
            default:
                throw new ArgumentException($"Column '{name}' is {column.Type}: expected MLImage, or a known-size vector of Byte or Single with an imageShape.", nameof(name));
        }
    }

    public int Index { get; }

    /// <summary>1 or 3.</summary>
    public int Channels { get; }

    /// <summary>Height and width that all pictures have by the column's type, if it says so.</summary>
    public (int Height, int Width)? DeclaredSize { get; }

    /// <summary>A reader of one cursor's rows; not for several threads.</summary>
    public PictureReader CreateReader(DataViewRow row)
    {
        DataViewSchema.Column column = row.Schema[Index];
        if (_itemType == typeof(MLImage))
            return new PictureReader(_name, _missing, MLImagePictures.Reader(row.GetGetter<MLImage>(column)));
        return new PictureReader(_name, _missing, _itemType == typeof(byte)
            ? VectorPictures.Reader(row.GetGetter<VBuffer<byte>>(column), _shape!)
            : VectorPictures.Reader(row.GetGetter<VBuffer<float>>(column), _shape!));
    }

    private static void CheckVector(VectorDataViewType vector, string name, ImageShape? shape)
    {
        if (shape is null)
            throw new ArgumentException($"Column '{name}' is a vector: say how it holds pictures with imageShape: new ImageShape(height, width, channels).", nameof(shape));
        if (shape.Height < 1 || shape.Width < 1 || shape.Channels is not (1 or 3))
            throw new ArgumentException($"The imageShape {shape.Height} x {shape.Width} x {shape.Channels} for column '{name}' needs sizes of at least 1 and 1 or 3 channels.", nameof(shape));
        if (!vector.IsKnownSize)
            throw new ArgumentException($"Column '{name}' is a vector of unknown size; pictures need a known size of {shape.Height * shape.Width * shape.Channels}.", nameof(name));
        if (vector.Size != (long)shape.Height * shape.Width * shape.Channels)
            throw new ArgumentException($"Column '{name}' has {vector.Size} numbers, but the imageShape is {shape.Height} x {shape.Width} x {shape.Channels} = {(long)shape.Height * shape.Width * shape.Channels}.", nameof(shape));
        if (shape.Scale == PixelScale.Unit && vector.ItemType.RawType == typeof(byte))
            throw new ArgumentException($"Column '{name}' holds bytes: PixelScale.Unit is for Single.", nameof(shape));
    }
}

/// <summary>Reads the current row's picture; false where it is missing. Throws <see cref="FormatException"/> for values that are no pixels.</summary>
internal delegate bool ReadPicture(PictureBuffer picture);

/// <summary>One decoded picture, planar bytes; its memory is used again for the next.</summary>
internal sealed class PictureBuffer
{
    private byte[] _pixels = [];

    public int Height { get; private set; }

    public int Width { get; private set; }

    public int Channels { get; private set; }

    public Picture Picture => new(_pixels.AsSpan(0, Channels * Height * Width), Height, Width, Channels);

    /// <summary>The bytes of a picture of this size, to be filled.</summary>
    public Span<byte> Resize(int height, int width, int channels)
    {
        (Height, Width, Channels) = (height, width, channels);
        int size = checked(height * width * channels);
        if (_pixels.Length < size)
            _pixels = new byte[size];
        return _pixels.AsSpan(0, size);
    }
}

/// <summary>Reads pictures row by row and says which row was wrong.</summary>
internal sealed class PictureReader(string column, MissingImages missing, ReadPicture read)
{
    /// <summary>The picture of the last row that was read.</summary>
    public PictureBuffer Buffer { get; } = new();

    /// <summary>False where the row's picture is missing and may be skipped.</summary>
    /// <exception cref="InvalidOperationException">The picture is missing or wrong: the message names row and column.</exception>
    public bool Read(long row)
    {
        string reason;
        Exception? cause = null;
        try
        {
            if (read(Buffer))
                return true;
            reason = "is null";
        }
        catch (FormatException error)
        {
            throw new InvalidOperationException($"Row {row} of column '{column}': {error.Message}", error);
        }
#pragma warning disable CA1031 // Whatever a decoder throws means that this picture cannot be read.
        catch (Exception error) when (error is not OperationCanceledException)
#pragma warning restore CA1031
        {
            (reason, cause) = ($"could not be decoded ({error.Message})", error);
        }
        return missing == MissingImages.Skip
            ? false
            : throw new InvalidOperationException($"Row {row} of column '{column}': the picture {reason}. Repair the data, or set MissingImages.Skip to leave such rows out.", cause);
    }
}
