using Microsoft.ML.Contrastive.Benchmarks;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests.Claims;

public sealed class PngImageTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Another_decoder_reads_back_what_was_written(int channels)
    {
        const int height = 5, width = 7;
        var planes = new byte[channels * height * width];
        new Random(1).NextBytes(planes);
        using var png = new MemoryStream(PngImage.Encode(planes, new ImageShape(height, width, channels)));
        using MLImage image = MLImage.CreateFromStream(png);
        Assert.Equal((height, width), (image.Height, image.Width));
        bool blueFirst = image.PixelFormat == MLPixelFormat.Bgra32;
        for (int at = 0; at < height * width; at++)
            for (int channel = 0; channel < 3; channel++)
                Assert.Equal(planes[(channels == 1 ? 0 : channel) * height * width + at], image.Pixels[4 * at + (blueFirst ? 2 - channel : channel)]);
    }
}
