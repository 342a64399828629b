using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Memory;

public sealed class NcePartitionTests
{
    public static TheoryData<NcePartition, double[]> Rules => new()
    {
        { NcePartition.FirstBatch, [3, 3, 3] },
        { NcePartition.MovingAverage(0.75), [3, 0.75 * 3 + 0.25 * 5, 0.75 * (0.75 * 3 + 0.25 * 5) + 0.25 * 9] },
        { NcePartition.MovingAverage(0), [3, 5, 9] },
        { NcePartition.Fixed(7), [7, 7, 7] },
        { new NcePartition(0.5, Start: 7), [5, 5, 7] },
    };

    [Theory]
    [MemberData(nameof(Rules))]
    public void Z_follows_the_batches_estimates_3_5_and_9_as_its_rule_says(NcePartition rule, double[] expected)
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var constant = new PartitionConstant(rule);
        constant.to(ScalarType.Float64);
        foreach ((double estimate, double z) in new[] { 3.0, 5, 9 }.Zip(expected))
        {
            Assert.Equal(z, constant.Next(tensor(Math.Log(estimate))).exp().ToDouble(), 1e-6);
            Assert.Equal(z, constant.Next(tensor(Math.Log(estimate))).exp().ToDouble(), 1e-6); // asked twice in one step
            constant.Keep();
        }
    }

    [Fact]
    public void At_low_temperatures_Z_exceeds_single_precision_and_its_logarithm_does_not()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        Tensor logits = full([4, 3], 100f).requires_grad_(); // exp(1 / 0.01) has no place in single precision
        Tensor logPartition = InstanceDiscrimination.LogPartition(logits, 1000);
        Assert.Equal(100 + Math.Log(1000), logPartition.ToDouble(), 1e-4);
        Tensor loss = InstanceDiscrimination.NceLoss(logits, logPartition, 1000);
        Assert.Equal(InstanceDiscrimination.NceFlatLoss(2), loss.ToDouble(), 1e-4);
        loss.backward();
        Assert.True(logits.grad!.isfinite().all().item<bool>());
    }
}
