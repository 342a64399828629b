using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>Pictures held as <see cref="MLImage"/>: always three channels.</summary>
internal static class MLImagePictures
{
    /// <remarks>
    /// The image stays its maker's: ML.NET's loaders dispose the one that they made when they are asked for the next, and
    /// images in a user's own objects are the user's.
    /// </remarks>
    public static ReadPicture Reader(ValueGetter<MLImage> get)
    {
        MLImage? image = null;
        return picture =>
        {
            get(ref image!);
            if (image is null)
                return false;
            Copy(image, picture);
            return true;
        };
    }

    private static void Copy(MLImage image, PictureBuffer picture)
    {
        int red = image.PixelFormat switch
        {
            MLPixelFormat.Rgba32 => 0,
            MLPixelFormat.Bgra32 => 2,
            _ => throw new FormatException($"the picture has pixel format {image.PixelFormat}; Rgba32 and Bgra32 can be read."),
        };
        ReadOnlySpan<byte> pixels = image.Pixels;
        int plane = image.Height * image.Width;
        Span<byte> planar = picture.Resize(image.Height, image.Width, 3);
        bool premultiplied = IsPremultiplied(pixels);
        for (int i = 0; i < plane; i++)
        {
            int alpha = pixels[4 * i + 3];
            planar[i] = OverWhite(pixels[4 * i + red], alpha, premultiplied);
            planar[plane + i] = OverWhite(pixels[4 * i + 1], alpha, premultiplied);
            planar[2 * plane + i] = OverWhite(pixels[4 * i + 2 - red], alpha, premultiplied);
        }
    }

    private static byte OverWhite(int color, int alpha, bool premultiplied)
        => (byte)((premultiplied ? color : (color * alpha + 127) / 255) + 255 - alpha);

    /// <summary>Decoded files come with colour already multiplied by alpha; a colour above its alpha shows that this one does not.</summary>
    private static bool IsPremultiplied(ReadOnlySpan<byte> pixels)
    {
        for (int i = 0; i < pixels.Length; i += 4)
            if (pixels[i] > pixels[i + 3] || pixels[i + 1] > pixels[i + 3] || pixels[i + 2] > pixels[i + 3])
                return false;
        return true;
    }
}
