using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>Pictures held in vector columns.</summary>
internal static class VectorPictures
{
    public static ReadPicture Reader(ValueGetter<VBuffer<byte>> get, ImageShape shape)
    {
        VBuffer<byte> value = default;
        var dense = new byte[shape.Size];
        return picture =>
        {
            get(ref value);
            if (IsMissing(value.Length, dense.Length))
                return false;
            value.CopyTo(dense);
            Arrange(dense, picture, shape);
            return true;
        };
    }

    public static ReadPicture Reader(ValueGetter<VBuffer<float>> get, ImageShape shape)
    {
        VBuffer<float> value = default;
        var dense = new float[shape.Size];
        var bytes = new byte[dense.Length];
        float scale = shape.Scale == PixelScale.Unit ? 255 : 1;
        return picture =>
        {
            get(ref value);
            if (IsMissing(value.Length, dense.Length))
                return false;
            value.CopyTo(dense);
            for (int i = 0; i < dense.Length; i++)
            {
                float scaled = dense[i] * scale;
                if (!(scaled >= 0 && scaled <= 255))
                    throw new FormatException($"number {i} is {dense[i]}, but pixels are from 0 to {255 / scale} (ImageShape.Scale).");
                bytes[i] = (byte)MathF.Round(scaled);
            }
            if (shape.Scale == PixelScale.Bytes)
                picture.Observe(dense);
            Arrange(bytes, picture, shape);
            return true;
        };
    }

    /// <summary>ML.NET does not check that a row's array has the size that the column declares; null comes as an empty one.</summary>
    private static bool IsMissing(int length, int size)
        => length == 0 || (length == size ? false : throw new FormatException($"the vector has {length} numbers; the column declares {size}."));

    private static void Arrange(ReadOnlySpan<byte> source, PictureBuffer picture, ImageShape shape)
    {
        Span<byte> planar = picture.Resize(shape.Height, shape.Width, shape.Channels);
        if (shape.Layout == PixelLayout.Interleaved)
            PixelOrder.Deinterleave(source, shape.Channels, planar);
        else
            source.CopyTo(planar);
    }
}
