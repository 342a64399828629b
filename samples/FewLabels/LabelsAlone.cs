using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace FewLabels;

/// <summary>
/// The rival without pretraining: the same encoder with a linear layer on top, trained from nothing on the labelled
/// images of a draw, shown flipped and shifted at random (AdamW, short warm-up, cosine decay).
/// </summary>
internal static class LabelsAlone
{
    private const int BatchSize = 50;

    /// <summary>One network for each draw, two draws at a time, each on one thread so that chance has no part in it.</summary>
    public static Module<Tensor, Tensor>[] Fit(Func<int, Module<Tensor, Tensor>> encoder, ImageSet set, int[][] draws, int steps, double learningRate, Action drawDone)
    {
        // Built one after the other: the linear layer's first weights come from TorchSharp's global generator.
        var nets = draws.Select((_, d) => Build(encoder(d), seed: d)).ToArray();
        int threads = get_num_threads();
        try
        {
            Parallel.For(0, draws.Length, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, d =>
            {
                set_num_threads(1);
                Train(nets[d], set, draws[d], steps, learningRate, new Random(d));
                drawDone();
            });
        }
        finally
        {
            set_num_threads(threads);
        }

        return nets;
    }

    public static double[] Accuracies(Module<Tensor, Tensor>[] nets, ImageSet set, int[] images) =>
        [.. nets.Select(net => 100.0 * images.Chunk(500).Sum(chunk => Right(net, set, chunk)) / images.Length)];

    private static Module<Tensor, Tensor> Build(Module<Tensor, Tensor> encoder, int seed)
    {
        encoder.eval();
        long width;
        using (no_grad())
        using (var probe = encoder.forward(zeros(16, 1, ImageSet.Side, ImageSet.Side)))
        {
            width = probe.size(-1);
        }

        random.manual_seed(seed);
        return Sequential(("encoder", encoder), ("head", Linear(width, FashionMnist.ClassNames.Length)));
    }

    private static void Train(Module<Tensor, Tensor> net, ImageSet set, int[] images, int steps, double learningRate, Random random)
    {
        using var optimizer = optim.AdamW(net.parameters(), learningRate, weight_decay: 0.01);
        int warmUp = Math.Max(1, steps / 20), step = 0;
        int[] order = [.. images];
        net.train();
        while (step < steps)
        {
            random.Shuffle(order);
            foreach (int[] batch in order.Chunk(BatchSize).Where(b => b.Length == BatchSize).Take(steps - step))
            {
                using var scope = NewDisposeScope();
                double rate = step < warmUp ? (step + 1.0) / warmUp : (1 + Math.Cos(Math.PI * (step - warmUp) / (steps - warmUp))) / 2;
                foreach (var group in optimizer.ParamGroups)
                {
                    group.LearningRate = learningRate * rate;
                }

                optimizer.zero_grad();
                functional.cross_entropy(net.forward(Batch(set, batch, random)), Classes(set, batch)).backward();
                optimizer.step();
                step++;
            }
        }

        net.eval();
    }

    private static int Right(Module<Tensor, Tensor> net, ImageSet set, int[] images)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        net.eval();
        return (int)net.forward(Batch(set, images, random: null)).argmax(1).eq(Classes(set, images)).sum().item<long>();
    }

    private static Tensor Classes(ImageSet set, int[] images) => tensor(images.Select(i => (long)set.Labels[i]).ToArray());

    /// <summary>[N, 1, 28, 28] about 0 with deviation near 1; with a random state flipped and shifted by up to two pixels.</summary>
    private static Tensor Batch(ImageSet set, int[] images, Random? random)
    {
        const int Side = ImageSet.Side;
        float[] values = new float[images.Length * ImageSet.Size];
        for (int n = 0; n < images.Length; n++)
        {
            var source = set.Pixels.AsSpan(images[n] * ImageSet.Size, ImageSet.Size);
            bool flip = random is not null && random.Next(2) == 1;
            int down = random?.Next(-2, 3) ?? 0, right = random?.Next(-2, 3) ?? 0;
            for (int y = 0; y < Side; y++)
            {
                for (int x = 0; x < Side; x++)
                {
                    int fromY = y - down, fromX = (flip ? Side - 1 - x : x) - right;
                    bool inside = (uint)fromY < Side && (uint)fromX < Side;
                    values[(n * ImageSet.Size) + (y * Side) + x] = ((inside ? source[(fromY * Side) + fromX] : 0) / 255f - 0.286f) / 0.353f;
                }
            }
        }

        using var batch = empty(images.Length, Side, Side, 1);
        values.CopyTo(MemoryMarshal.Cast<byte, float>(batch.bytes));
        return batch.permute(0, 3, 1, 2); // the channels last in memory, which convolutions like
    }
}
