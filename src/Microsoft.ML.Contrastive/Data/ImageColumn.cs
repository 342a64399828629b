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
    /// <param name="schema">Of the data.</param>
    /// <param name="name">The column's.</param>
    /// <param name="shape">How a vector holds a picture; null for <see cref="MLImage"/>.</param>
    /// <param name="missing">What is done without a picture.</param>
    /// <param name="wanted">Where the caller can no longer choose the shape, what has chosen it, as the start of a sentence that ends with the type: for messages.</param>
    public ImageColumn(DataViewSchema schema, string name, ImageShape? shape, MissingImages missing, string? wanted = null)
    {
        if (wanted is not null)
            wanted += shape is null ? " MLImage, as LoadImages gives" : $" vectors of {Describe(shape)} numbers, Byte or Single, as ExtractPixels gives";
        (_name, _shape, _missing) = (name, shape, missing);
        DataViewSchema.Column column = schema.Find(name);
        Index = column.Index;
        switch (column.Type)
        {
            case ImageDataViewType image:
                if (shape is not null)
                    throw new ArgumentException($"Column '{name}' holds MLImage: {wanted ?? "leave imageShape out, it is for vectors"}.", nameof(shape));
                (Channels, _itemType) = (3, typeof(MLImage));
                DeclaredSize = image.Height > 0 && image.Width > 0 ? (image.Height, image.Width) : null;
                break;
            case VectorDataViewType vector when vector.ItemType == NumberDataViewType.Single || vector.ItemType == NumberDataViewType.Byte:
                CheckVector(vector, name, shape, wanted);
                (Channels, _itemType) = (shape!.Channels, vector.ItemType.RawType);
                DeclaredSize = (shape.Height, shape.Width);
                break;
            default:
                throw new ArgumentException($"Column '{name}' is {column.Type}: {wanted ?? "expected MLImage, or a known-size vector of Byte or Single with an imageShape"}.", nameof(name));
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

    private static void CheckVector(VectorDataViewType vector, string name, ImageShape? shape, string? wanted)
    {
        if (shape is null)
            throw new ArgumentException($"Column '{name}' is a vector: {wanted ?? "say how it holds pictures with imageShape: new ImageShape(height, width, channels)"}.", nameof(shape));
        shape.Validate();
        if (!vector.IsKnownSize)
            throw new ArgumentException($"Column '{name}' is a vector of unknown size; pictures need a known size of {shape.Size}: put [VectorType({shape.Size})] on the property that it is read from.", nameof(name));
        if (vector.Size != shape.Size)
            throw new ArgumentException($"Column '{name}' has {vector.Size} numbers: {wanted ?? $"the imageShape is {Describe(shape)}"}.", nameof(shape));
        if (shape.Scale == PixelScale.Unit && vector.ItemType.RawType == typeof(byte))
            throw new ArgumentException($"Column '{name}' holds bytes: PixelScale.Unit is for Single.", nameof(shape));
    }

    private static string Describe(ImageShape shape) => $"{shape.Height} x {shape.Width} x {shape.Channels} = {shape.Size}";
}

/// <summary>Reads the current row's picture; false where it is missing. Throws <see cref="FormatException"/> for values that are no pixels.</summary>
internal delegate bool ReadPicture(PictureBuffer picture);

/// <summary>One decoded picture, planar bytes; its memory is used again for the next.</summary>
internal sealed class PictureBuffer
{
    private byte[] _pixels = [];
    private bool _hasFraction, _hasMoreThanOne;

    /// <summary>
    /// Whether the pictures so far had fractions, and no number above 1, where bytes were expected: they are from 0 to 1, and rounding has left nothing of them.
    /// </summary>
    public bool LooksLikeUnitScale => _hasFraction && !_hasMoreThanOne;

    public int Height { get; private set; }

    public int Width { get; private set; }

    public int Channels { get; private set; }

    public Picture Picture => new(_pixels.AsSpan(0, Channels * Height * Width), Height, Width, Channels);

    /// <summary>Looks at the numbers behind a picture, for <see cref="LooksLikeUnitScale"/>; one that is above 1 settles it.</summary>
    public void Observe(ReadOnlySpan<float> numbers)
    {
        for (int i = 0; i < numbers.Length && !_hasMoreThanOne; i++)
        {
            _hasMoreThanOne = numbers[i] > 1;
            _hasFraction |= numbers[i] is > 0 and < 1;
        }
    }

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

    /// <summary>Once all rows are read: refuses pixels of another scale than the column's.</summary>
    /// <exception cref="ArgumentException">No number was above 1, and some were fractions.</exception>
    public void CheckScale()
    {
        if (Buffer.LooksLikeUnitScale)
            throw new ArgumentException($"Column '{column}' holds fractions, and no number above 1: its pixels seem to be from 0 to 1, and would be rounded to black. Say so by new ImageShape(...) {{ Scale = PixelScale.Unit }}, or give pixels from 0 to 255.", nameof(column));
    }

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
            : throw new InvalidOperationException($"Row {row} of column '{column}': the picture {reason}. Repair the data, or leave such rows out: set MissingImages of the estimator's Options to MissingImages.Skip.", cause);
    }
}
