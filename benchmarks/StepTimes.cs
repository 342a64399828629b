using System.Diagnostics;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>
/// SimCLR's training step by the library, with views that are ready and with views that a thread makes beside it, against
/// <see cref="PlainStep"/>: steps of all three in turn, so that what else the machine does meets them alike. Processor time
/// is that of all threads.
/// </summary>
internal static class StepTimes
{
    private const int Batches = 8;

    public static void RunSmall(bool profile) => Measure(
        "SmallConvNet, 256 of 28x28x1", ImageEncoder.SmallConvNet(), channels => PlainStep.SmallConvNet(channels), 28, 1, 256, steps: 12, profile);

    public static void RunResNet(bool profile) => Measure(
        "ResNet-18, 128 of 32x32x3", ImageEncoder.ResNet18(Stem.Small), PlainStep.ResNet18, 32, 3, 128, steps: 4, profile);

    private static void Measure(
        string what, ImageEncoder shape, Func<int, PlainStep> createPlain, int side, int channels, int batchSize, int steps, bool profile)
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        var facts = new RunFacts(Batches * batchSize, batchSize, 1000, side, side, channels, shape.FeatureSize);
        var method = (SimClrV1)new SimClrV1().Resolve(facts);
        byte[][] pictures = MadePictures.Make(Batches * batchSize, side, channels);
        Func<long, Views> make = Maker(pictures, method, side, channels, batchSize);
        Views[] ready = [.. Enumerable.Range(0, Batches).Select(step => make(step))];
        (Tensor, Tensor)[] contiguous = [.. ready.Select(views => (views[0].contiguous(), views[1].contiguous()))];
        using var prefetcher = new Prefetcher<Views>(0, long.MaxValue, 1, () => Maker(pictures, method, side, channels, batchSize));

        using Learner learner = CreateLearner(), alsoLearner = CreateLearner();
        using var runner = new StepRunner(learner, method.Optimizer!);
        using var alsoRunner = new StepRunner(alsoLearner, method.Optimizer!);
        using PlainStep plain = createPlain(channels);
        int warmUp = Math.Max(2, steps / 4);
        var times = new StepClock[3];
        for (int step = -warmUp; step < steps; step++)
        {
            if (step == 0)
                Array.Clear(times);
            int batch = (step + warmUp) % Batches;
            using (times[0].Count())
                plain.Run(contiguous[batch].Item1, contiguous[batch].Item2);
            using (times[1].Count())
                runner.Run(ready[batch], new Step(step + warmUp, 1000, 1), 0.01, 0.01);
            using (times[2].Count())
            using (Views views = prefetcher.Take(step + warmUp))
                alsoRunner.Run(views, new Step(step + warmUp, 1000, 1), 0.01, 0.01);
        }

        Console.WriteLine();
        Console.WriteLine($"{what,-34}{"items/s",10}{"ms",10}{"cpu ms",10}{"time/plain",12}{"cpu/plain",11}");
        foreach ((int i, string name) in new[] { "plain TorchSharp", "library, views ready", "library, views made beside" }.Index())
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{name,-34}{1000 * batchSize / times[i].Wall,10:N0}{times[i].Wall,10:0.0}{times[i].Processor,10:0.0}{times[i].Wall / times[0].Wall,12:0.00}{times[i].Processor / times[0].Processor,11:0.00}"));
        if (profile)
            StepProfile.Print(learner, method, make, steps);

        Learner CreateLearner()
        {
            using var generator = new Generator(2);
            Learner made = method.CreateLearner(new LearnerSetup(() => shape.Build(channels, facts.ImageHeight, facts.ImageWidth, generator), shape.FeatureSize, generator, facts));
            made.train();
            return made;
        }
    }

    private static Func<long, Views> Maker(byte[][] pictures, SimClrV1 method, int side, int channels, int batchSize)
    {
        float[] half = [.. Enumerable.Repeat(0.5f, channels)];
        var maker = new ImageBatchMaker(
            row => new Picture(pictures[row], side, side, channels), method.Augmentations!, new Normalization(half, half), side, side, channels);
        int[] rows = new int[batchSize];
        return step =>
        {
            for (int i = 0; i < rows.Length; i++)
                rows[i] = (int)((step * batchSize + i) % pictures.Length);
            return maker.Make(rows, epoch: step, seed: 1);
        };
    }
}
