using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Encoders;

public sealed class DropoutTests
{
    [Theory]
    [InlineData(0.1)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    public void As_many_numbers_are_dropped_as_the_probability_says_and_the_mean_stays(double probability)
    {
        using var scope = NewDisposeScope();
        using nn.Module<Tensor, Tensor> dropout = nn.Sequential(new Dropout(probability));
        Dropout.Seed(dropout, 7);
        float[] kept = dropout.forward(ones(1000, 1003)).data<float>().ToArray();
        double error = Math.Sqrt(probability * (1 - probability) / kept.Length);
        Assert.InRange(kept.Count(number => number == 0) / (double)kept.Length, probability - 4 * error, probability + 4 * error);
        Assert.Equal([0f, (float)(1 / (1 - probability))], kept.Distinct().Order());

        // Neighbours, and the same place in two draws, know nothing of each other.
        float[] again = dropout.forward(ones(1000, 1003)).data<float>().ToArray();
        foreach (double both in new[] { Both(kept, kept[1..]), Both(kept, kept[2..]), Both(kept, kept[1003..]), Both(kept, again) })
            Assert.InRange(both, (1 - probability) * (1 - probability) - 5 * error, (1 - probability) * (1 - probability) + 5 * error);

        static double Both(float[] one, float[] other) => one.Zip(other).Count(pair => pair.First != 0 && pair.Second != 0) / (double)Math.Min(one.Length, other.Length);
    }

    [Fact]
    public void What_is_dropped_is_a_function_of_seed_layer_and_draw()
    {
        using var scope = NewDisposeScope();
        Dropout[] each = [new(0.3), new(0.3)];
        using nn.Module<Tensor, Tensor> layers = nn.Sequential(each[0], each[1]);
        float[][] first = Draw(5), second = Draw(5), other = Draw(6);
        Assert.Equal(first, second);
        Assert.Equal(6, first.Concat(other).Select(draw => string.Join(' ', draw)).Distinct().Count()); // the second layer of a seed is the first of the next
        Assert.Equal(first[2], other[0]);

        float[][] Draw(ulong seed)
        {
            Dropout.Seed(layers, seed);
            return [.. each.SelectMany(layer => new[] { layer, layer }).Select(layer => layer.forward(ones(37)).data<float>().ToArray())];
        }
    }

    /// <summary>SplitMix64 written out: 32 bits for each number, the lower half of a pair first.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(61)]
    public void The_vectors_give_what_splitmix_gives_one_by_one(int count)
    {
        const ulong key = 0xABCDEF0123456789;
        const double probability = 0.25;
        var mask = new float[count];
        DropoutMask.Fill(mask, probability, key);
        ulong state = key;
        var expected = new List<float>();
        while (expected.Count < count)
        {
            ulong z = state += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            z ^= z >> 31;
            foreach (uint bits in new[] { (uint)z, (uint)(z >> 32) })
                expected.Add(bits < (uint)(probability * uint.MaxValue) ? 0 : (float)(1 / (1 - probability)));
        }
        Assert.Equal(expected.Take(count), mask);
    }

    [Fact]
    public void Gradients_pass_where_numbers_were_kept_in_double_precision_too()
    {
        using var scope = NewDisposeScope();
        using nn.Module<Tensor, Tensor> dropout = nn.Sequential(new Dropout(0.4));
        Dropout.Seed(dropout, 3);
        Tensor input = ones([5, 7], ScalarType.Float64).transpose(0, 1).requires_grad_(true);
        Tensor output = dropout.forward(input);
        output.sum().backward();
        Assert.Equal(ScalarType.Float64, output.dtype);
        TensorAssert.Equal(output.detach(), input.grad!, 1e-12);
    }
}
