namespace Microsoft.ML.Contrastive.Tests;

public sealed class BlurTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(1, 9)]
    [InlineData(3, 40)]
    [InlineData(17, 2)]
    public void A_kernel_larger_than_the_picture_reflects_to_and_fro(int height, int width)
    {
        float[] plane = PixelStepTests.Floats(height * width), before = [.. plane];
        var kernel = new float[23];
        Blur.FillKernel(kernel, 5);

        // Just enough scratch space, and in it numbers that would show if they were read.
        float[] scratch = [.. Enumerable.Repeat(float.NaN, Blur.ScratchSize(height, width, 23, 23))];
        Blur.Apply(plane, height, width, kernel, kernel, scratch);

        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                double sum = 0;
                for (int i = -11; i <= 11; i++)
                {
                    for (int j = -11; j <= 11; j++)
                        sum += kernel[i + 11] * kernel[j + 11] * before[Bounce(y + i, height) * width + Bounce(x + j, width)];
                }
                Assert.Equal(sum, plane[y * width + x], 1e-5);
            }
        }

        // Walks there a step at a time and turns round at either edge.
        static int Bounce(int index, int count)
        {
            int at = 0, step = 1;
            for (int i = Math.Abs(index); i > 0 && count > 1; i--)
            {
                if (at + step < 0 || at + step >= count)
                    step = -step;
                at += step;
            }
            return at;
        }
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(2)]
    public void A_flat_picture_stays_flat(double sigma)
    {
        float[] plane = [.. Enumerable.Repeat(0.7f, 9 * 35)];
        var kernel = new float[5];
        Blur.FillKernel(kernel, sigma);
        Blur.Apply(plane, 9, 35, kernel, kernel, new float[Blur.ScratchSize(9, 35, 5, 5)]);
        Assert.All(plane, value => Assert.Equal(0.7f, value, 1e-6f));
    }

    [Theory]
    [InlineData(0.1, 224, 23)]
    [InlineData(0.1, 32, 3)]
    [InlineData(0.1, 1, 3)]
    [InlineData(1, 64, 65)]
    [InlineData(0.1, 256, 25)]
    public void Kernel_sizes_are_odd_and_at_least_three(double fraction, int width, int expected)
        => Assert.Equal(expected, Blur.KernelSize(fraction, width));
}
