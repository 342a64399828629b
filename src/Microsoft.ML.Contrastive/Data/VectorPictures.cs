using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>Pictures held in vector columns.</summary>
internal static class VectorPictures
{
    public static ReadPicture Reader(ValueGetter<VBuffer<byte>> get, ImageShape shape)
    {
        VBuffer<byte> value = default;
        var dense = new byte[shape.Height * shape.Width * shape.Channels];
        return picture =>
        {
            get(ref value);
            value.CopyTo(dense);
            Arrange(dense, picture, shape);
            return true;
        };
    }

    public static ReadPicture Reader(ValueGetter<VBuffer<float>> get, ImageShape shape)
    {
        VBuffer<float> value = default;
        var dense = new float[shape.Height * shape.Width * shape.Channels];
        var bytes = new byte[dense.Length];
        float scale = shape.Scale == PixelScale.Unit ? 255 : 1;
        return picture =>
        {
            get(ref value);
            value.CopyTo(dense);
            for (int i = 0; i < dense.Length; i++)
            {
                float scaled = dense[i] * scale;
                if (!(scaled >= 0 && scaled <= 255))
                    throw new FormatException($"number {i} is {dense[i]}, but pixels are from 0 to {255 / scale} (ImageShape.Scale).");
                bytes[i] = (byte)MathF.Round(scaled);
            }
            Arrange(bytes, picture, shape);
            return true;
        };
    }

    private static void Arrange(ReadOnlySpan<byte> source, PictureBuffer picture, ImageShape shape)
    {
        Span<byte> planar = picture.Resize(shape.Height, shape.Width, shape.Channels);
        if (shape.Layout == PixelLayout.Interleaved)
            PixelOrder.Deinterleave(source, shape.Channels, planar);
        else
            source.CopyTo(planar);
    }
}
