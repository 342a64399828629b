namespace Microsoft.ML.Contrastive.Tests;

public sealed class ImageViewMakerTests
{
    private static readonly ImageAugmentation s_everything = ImageAugmentations.SimClr() with { Solarize = new Solarization(0.5) };

    private static readonly ImageAugmentation s_nothing = new() { Crop = null, FlipProbability = 0 };

    [Fact]
    public void The_same_seed_gives_the_same_view_on_any_thread_and_after_any_other_picture()
    {
        const int Rows = 64;
        byte[][] pictures = [.. Enumerable.Range(0, Rows).Select(row => ResizerTests.Bytes(3 * 20 * 24, row))];
        float[][] InOrder(IEnumerable<int> rows)
        {
            ImageViewMaker maker = Maker(s_everything, 16, 18, 3);
            var views = new float[Rows][];
            foreach (int row in rows)
                views[row] = View(maker, pictures[row], 20, 24, 3, new SeededRandom(9, 1, (ulong)row));
            return views;
        }

        float[][] expected = InOrder(Enumerable.Range(0, Rows));
        Assert.Equal(expected, InOrder(Enumerable.Range(0, Rows).Reverse()));
        var fromThreads = new float[4][][];
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(t => new Thread(() => fromThreads[t] = InOrder(Enumerable.Range(0, Rows))))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.All(fromThreads, views => Assert.Equal(expected, views));
        Assert.Equal(Rows, expected.Select(view => view.Sum()).Distinct().Count());
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(6, 5, 3)]
    [InlineData(28, 28, 1)]
    [InlineData(33, 35, 3)]
    public void With_every_step_off_a_view_is_the_picture(int height, int width, int channels)
    {
        byte[] pixels = ResizerTests.Bytes(channels * height * width);
        ImageViewMaker maker = Maker(s_nothing, height, width, channels);
        float[] expected = [.. pixels.Select(pixel => pixel / 255f)], plain = new float[expected.Length];
        Assert.Equal(expected, View(maker, pixels, height, width, channels, new SeededRandom(1)), ResizerTests.Near(1e-6f));
        Maker(s_everything, height, width, channels).MakePlain(new Picture(pixels, height, width, channels), plain);
        Assert.Equal(expected, plain, ResizerTests.Near(1e-6f));
    }

    [Fact]
    public void A_bicubic_view_is_the_resizers_clamped_and_dinos_views_are_such()
    {
        byte[] pixels = [.. Enumerable.Range(0, 3 * 20 * 20).Select(i => i / 3 % 2 == 0 ? (byte)255 : (byte)0)]; // its edges overshoot
        float[] resized = new float[3 * 32 * 32];
        new Resizer(Interpolation.Bicubic).Resize(new Picture(pixels, 20, 20, 3), new CropBox(0, 0, 20, 20), 32, 32, resized);
        Assert.True(resized.Min() < 0 && resized.Max() > 1);
        float[] view = View(Maker(s_nothing with { Interpolation = Interpolation.Bicubic }, 32, 32, 3), pixels, 20, 20, 3, new SeededRandom(1));
        Assert.Equal(resized.Select(value => Math.Clamp(value, 0, 1)), view, ResizerTests.Near(1e-6f));
        Assert.NotEqual(view, View(Maker(s_nothing, 32, 32, 3), pixels, 20, 20, 3, new SeededRandom(1)));
        Assert.All(
            new[] { ImageAugmentations.DinoFirst, ImageAugmentations.DinoSecond, ImageAugmentations.DinoLocal },
            recipe => Assert.Equal(Interpolation.Bicubic, recipe.Interpolation));
        Assert.Throws<ArgumentOutOfRangeException>(() => Maker(s_nothing with { Interpolation = (Interpolation)5 }, 8, 8, 3));
    }

    [Fact]
    public void The_mean_of_many_crops_is_that_of_a_flat_picture_and_near_that_of_any()
    {
        ImageViewMaker maker = Maker(new ImageAugmentation { Crop = new(0.08, 1) }, 12, 12, 1);
        byte[] flat = [.. Enumerable.Repeat((byte)102, 30 * 30)];
        byte[] left = [.. Enumerable.Range(0, 30 * 30).Select(i => i % 30 < 15 ? (byte)255 : (byte)0)];
        double mean = 0;
        for (ulong row = 0; row < 4000; row++)
        {
            Assert.Equal(0.4f, View(maker, flat, 30, 30, 1, new SeededRandom(1, row)).Average(), 1e-5f);
            mean += View(maker, left, 30, 30, 1, new SeededRandom(1, row)).Average() / 4000;
        }
        Assert.Equal(0.5, mean, 0.02);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 300)]
    [InlineData(300, 1)]
    [InlineData(2, 2)]
    [InlineData(97, 500)]
    public void Pictures_and_views_of_any_size_give_finite_numbers_in_range(int height, int width)
    {
        foreach ((int viewHeight, int viewWidth) in new[] { (1, 1), (1, 32), (32, 1), (7, 9), (32, 32) })
        {
            foreach (int channels in new[] { 1, 3 })
            {
                ImageViewMaker maker = Maker(s_everything, viewHeight, viewWidth, channels);
                byte[] pixels = ResizerTests.Bytes(channels * height * width);
                var plain = new float[channels * viewHeight * viewWidth];
                maker.MakePlain(new Picture(pixels, height, width, channels), plain);
                Assert.All(plain, value => Assert.InRange(value, -1e-5f, 1 + 1e-5f));
                for (ulong seed = 0; seed < 20; seed++)
                    Assert.All(View(maker, pixels, height, width, channels, new SeededRandom(seed)), value => Assert.InRange(value, -1e-5f, 1 + 1e-5f));
            }
        }
    }

    [Fact]
    public void A_plain_view_shows_the_centre_of_a_wide_picture()
    {
        // 2 rows, 11 columns: to 2 x 2 nothing is resized, and the offset 4.5 rounds to 4.
        byte[] pixels = [.. Enumerable.Range(0, 22).Select(i => (byte)(i * 5))];
        var view = new float[4];
        Maker(s_nothing, 2, 2, 1).MakePlain(new Picture(pixels, 2, 11, 1), view);
        Assert.Equal([20 / 255f, 25 / 255f, 75 / 255f, 80 / 255f], view, ResizerTests.Near(1e-6f));
    }

    [Fact]
    public void Steps_happen_with_their_probability()
    {
        byte[] pixels = ResizerTests.Bytes(3 * 8 * 8);
        ImageViewMaker maker = Maker(s_nothing with { FlipProbability = 0.3, GrayscaleProbability = 0.2 }, 8, 8, 3);
        int flipped = 0, gray = 0;
        for (ulong row = 0; row < 4000; row++)
        {
            float[] view = View(maker, pixels, 8, 8, 3, new SeededRandom(4, row));
            bool isGray = view[0] == view[64];
            gray += isGray ? 1 : 0;
            flipped += !isGray && Math.Abs(view[0] - pixels[7] / 255f) < 1e-6 ? 1 : 0;
        }
        Assert.Equal(0.2, gray / 4000.0, 0.03);
        Assert.Equal(0.3, flipped / (4000.0 - gray), 0.03);
    }

    [Fact]
    public void Normalising_is_per_channel()
    {
        var maker = new ImageViewMaker(s_nothing, 1, 1, 3, new Normalization([0.5f, 0.25f, 0], [0.5f, 0.25f, 2]));
        Assert.Equal([1, 3, 0.5f], View(maker, [255, 255, 255], 1, 1, 3, new SeededRandom(1)), ResizerTests.Near(1e-6f));
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        ImageViewMaker maker = Maker(s_nothing, 2, 2, 3);
        var view = new float[12];
        Refused("source", () => View(maker, new byte[4], 2, 2, 1, new SeededRandom(1)));
        Refused("source", () => maker.MakePlain(new Picture(new byte[4], 2, 2, 1), view));
        Refused("source", () => maker.MakePlain(new Picture(new byte[11], 2, 2, 3), view));
        Refused("destination", () => maker.MakePlain(new Picture(new byte[12], 2, 2, 3), new float[11]));
        Refused("normalization", () => _ = new ImageViewMaker(s_nothing, 2, 2, 3, new Normalization([0], [1])));
        Refused("channels", () => Maker(s_nothing, 2, 2, 2));
        Refused("height", () => Maker(s_nothing, 0, 2, 1));

        static void Refused(string name, Action action) => Assert.Equal(name, Assert.ThrowsAny<ArgumentException>(action).ParamName);
    }

    [Fact]
    public void Nothing_that_grows_with_the_picture_is_allocated()
    {
        ImageViewMaker maker = Maker(s_everything, 16, 16, 3);
        byte[] pixels = ResizerTests.Bytes(3 * 16 * 16);
        var view = new float[3 * 16 * 16];
        long Allocated()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (ulong row = 0; row < 500; row++)
            {
                var random = new SeededRandom(1, row);
                maker.Make(new Picture(pixels, 16, 16, 3), ref random, view);
            }
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
        Allocated(); // fills the tables of weights
        Assert.InRange(Allocated() / 500, 0, 200); // optimised code allocates nothing, a debug build boxes a little
    }

    /// <summary>Views in [0, 1]: normalising changes nothing.</summary>
    private static ImageViewMaker Maker(ImageAugmentation augmentation, int height, int width, int channels)
        => new(augmentation, height, width, channels, new Normalization(new float[channels], [.. Enumerable.Repeat(1f, channels)]));

    private static float[] View(ImageViewMaker maker, byte[] pixels, int height, int width, int channels, SeededRandom random)
    {
        (int viewHeight, int viewWidth, int viewChannels) = maker.Size;
        var view = new float[viewChannels * viewHeight * viewWidth];
        maker.Make(new Picture(pixels, height, width, channels), ref random, view);
        return view;
    }
}
