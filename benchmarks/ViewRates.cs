using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>
/// How many views one core makes of random pictures in a second of processor time, which other programs on the machine
/// hardly change: median and spread of several rounds.
/// </summary>
internal static class ViewRates
{
    private const int Pictures = 64;
    private const int Rounds = 9;
    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(0.4);

    public static void Run()
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"views",-36}{"picture",-14}{"views/s",10}{"lowest",10}{"highest",10}"));
        ImageAugmentation simClr = ImageAugmentations.SimClr(), withoutBlur = ImageAugmentations.SimClr(blur: false);
        Measure("28x28x1 SimCLR", simClr, 28, 28, 1);
        Measure("28x28x1 SimCLR without blur", withoutBlur, 28, 28, 1);
        Measure("32x32x3 SimCLR", simClr, 32, 32, 3);
        Measure("32x32x3 SimCLR without blur", withoutBlur, 32, 32, 3);
        Measure("32x32x3 crop and flip only", new ImageAugmentation { Crop = new(0.08, 1) }, 32, 32, 3);
        Measure("224x224x3 SimCLR", simClr, 224, 256, 3);
        Measure("224x224x3 SimCLR without blur", withoutBlur, 224, 256, 3);
        Measure("224x224x3 crop and flip only", new ImageAugmentation { Crop = new(0.08, 1) }, 224, 256, 3);
    }

    private static void Measure(string what, ImageAugmentation augmentation, int side, int pictureSide, int channels)
    {
        float[] half = [.. Enumerable.Repeat(0.5f, channels)];
        var maker = new ImageViewMaker(augmentation, side, side, channels, new Normalization(half, half));
        var random = new Random(1);
        var pixels = new byte[Pictures * channels * pictureSide * pictureSide];
        random.NextBytes(pixels);
        var view = new float[channels * side * side];

        Rate(epoch: 0); // lets the runtime compile, and fills the tables of weights
        double[] rates = [.. Enumerable.Range(1, Rounds).Select(epoch => Rate(epoch)).Order()];
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{what,-36}{pictureSide + "x" + pictureSide,-14}{rates[Rounds / 2],10:N0}{rates[0],10:N0}{rates[^1],10:N0}"));

        double Rate(int epoch)
        {
            int size = pixels.Length / Pictures;
            TimeSpan before = Environment.CpuUsage.TotalTime;
            var clock = Stopwatch.StartNew();
            long views = 0;
            for (; clock.Elapsed < s_round; views++)
            {
                int row = (int)(views % Pictures);
                var draws = new SeededRandom(1, (ulong)epoch, (ulong)views);
                maker.Make(new Picture(pixels.AsSpan(row * size, size), pictureSide, pictureSide, channels), ref draws, view);
            }
            return views / (Environment.CpuUsage.TotalTime - before).TotalSeconds;
        }
    }
}
