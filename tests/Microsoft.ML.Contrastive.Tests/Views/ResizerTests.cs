namespace Microsoft.ML.Contrastive.Tests;

public sealed class ResizerTests
{
    public static TheoryData<int, int> Sizes => new() { { 1, 1 }, { 1, 9 }, { 7, 3 }, { 4, 7 }, { 32, 32 }, { 24, 32 }, { 150, 1 }, { 90, 50 } };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Weights_of_every_output_add_to_one_and_stay_inside(int input, int output)
    {
        foreach (Interpolation interpolation in Enum.GetValues<Interpolation>())
        {
            var weights = new ResizeWeights(new ResizeAxis(input, output), interpolation);
            for (int i = 0; i < output; i++)
            {
                ReadOnlySpan<float> row = weights.Of(i, out int first);
                Assert.Equal(1, row.ToArray().Sum(), 1e-5f);
                Assert.InRange(first, 0, input - row.Length);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Both_passes_agree_with_a_plain_double_loop(int input, int output)
    {
        // Odd box offsets, a wide and a tall side, so that either pass comes first, is skipped, or ends in a scalar rest.
        byte[] pixels = Bytes(3 * (input + 3) * (input + 5));
        var source = new Picture(pixels, input + 3, input + 5, 3);
        foreach ((int height, int width) in new[] { (output, output), (input, output), (output, input), (5, 3), (1, 1) })
        {
            var actual = new float[3 * height * width];
            new Resizer().Resize(source, new CropBox(2, 3, input, input), height, width, actual);
            Assert.Equal(Reference(pixels, input + 3, input + 5, new CropBox(2, 3, input, input), height, width), actual, Near(1e-5f));
        }
    }

    [Fact]
    public void A_kept_part_is_the_same_part_of_the_whole()
    {
        byte[] pixels = Bytes(20 * 30);
        var source = new Picture(pixels, 20, 30, 1);
        var resizer = new Resizer();
        var whole = new float[11 * 41];
        resizer.Resize(source, 0, 0, new ResizeAxis(20, 11), new ResizeAxis(30, 41), whole);
        var part = new float[4 * 13];
        resizer.Resize(source, 0, 0, new ResizeAxis(20, 11, 5, 4), new ResizeAxis(30, 41, 17, 13), part);
        float[] expected = [.. Enumerable.Range(0, 4 * 13).Select(i => whole[(5 + i / 13) * 41 + 17 + i % 13])];
        Assert.Equal(expected, part, Near(1e-6f));
    }

    [Fact]
    public void Pixels_outside_the_box_never_enter()
    {
        byte[] pixels = [.. Enumerable.Repeat((byte)255, 40 * 40)];
        for (int y = 10; y < 30; y++)
            pixels.AsSpan(y * 40 + 5, 20).Clear();
        var source = new Picture(pixels, 40, 40, 1);
        foreach (int side in new[] { 3, 20, 33 })
        {
            var view = new float[side * side];
            new Resizer().Resize(source, new CropBox(10, 5, 20, 20), side, side, view);
            Assert.All(view, value => Assert.Equal(0, value));
        }
    }

    [Fact]
    public void A_picture_of_one_pixel_fills_any_size()
    {
        var view = new float[17 * 9];
        new Resizer().Resize(new Picture([51], 1, 1, 1), new CropBox(0, 0, 1, 1), 17, 9, view);
        Assert.All(view, value => Assert.Equal(0.2f, value, 1e-6f));
    }

    [Fact]
    public void A_cache_that_overflows_changes_no_result()
    {
        byte[] pixels = Bytes(600 * 600);
        var worn = new Resizer();
        var scratch = new float[600 * 600];
        for (int side = 100; side < 600; side += 3)
            worn.Resize(new Picture(pixels, 600, 600, 1), new CropBox(0, 0, side, 599), 50, side + 1, scratch);
        float[] once = new float[31 * 37], again = new float[31 * 37];
        new Resizer().Resize(new Picture(pixels, 600, 600, 1), new CropBox(1, 1, 100, 100), 31, 37, once);
        worn.Resize(new Picture(pixels, 600, 600, 1), new CropBox(1, 1, 100, 100), 31, 37, again);
        Assert.Equal(once, again);
    }

    internal static byte[] Bytes(int count, int seed = 1)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    internal static IEqualityComparer<float> Near(float tolerance)
        => EqualityComparer<float>.Create((left, right) => Math.Abs(left - right) <= tolerance, _ => 0);

    private static float[] Reference(byte[] pixels, int sourceHeight, int sourceWidth, CropBox box, int height, int width)
    {
        double[][] rows = Triangle(box.Height, height), columns = Triangle(box.Width, width);
        var result = new float[3 * height * width];
        for (int c = 0; c < 3; c++)
        {
            // Rows are summed once per source row, so that large cases stay fast.
            double[][] shrunk = [.. Enumerable.Range(0, box.Height).Select(y => columns.Select(column =>
                column.Select((weight, x) => weight * pixels[(c * sourceHeight + box.Top + y) * sourceWidth + box.Left + x]).Sum()).ToArray())];
            for (int y = 0; y < height; y++)
            {
                for (int x = 0; x < width; x++)
                    result[(c * height + y) * width + x] = (float)(rows[y].Select((weight, j) => weight * shrunk[j][x]).Sum() / 255);
            }
        }
        return result;
    }

    private static double[][] Triangle(int input, int output)
    {
        double scale = (double)input / output, stretch = Math.Max(1, scale);
        return [.. Enumerable.Range(0, output).Select(i =>
        {
            double[] row = [.. Enumerable.Range(0, input).Select(j => Math.Max(0, 1 - Math.Abs(j + 0.5 - (i + 0.5) * scale) / stretch))];
            return row.Select(weight => weight / row.Sum()).ToArray();
        })];
    }
}
