using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class NtXentTests
{
    /// <summary>So many pairs that the rows of their matrix are taken in several blocks.</summary>
    [Theory]
    [InlineData(2_050, 0)]
    [InlineData(1_000, 8_000)]
    public void Blocks_of_rows_equal_the_whole_matrix(int pairs, int remembered)
    {
        const double Temperature = 0.2;
        using var scope = NewDisposeScope();
        using var generator = new Generator(7);
        Tensor first = randn(pairs, 4, generator: generator), second = first.add(randn(pairs, 4, generator: generator));
        Tensor? memory = remembered == 0 ? null : normalize(randn(remembered, 4, generator: generator));

        (Tensor loss, Tensor gradient) = Backward(NtXent.Loss);
        (Tensor expected, Tensor expectedGradient) = Backward(Whole);

        Assert.Equal(expected.item<float>(), loss.item<float>(), 1e-5);
        double farthest = gradient.sub(expectedGradient).abs().max().item<float>(), largest = expectedGradient.abs().max().item<float>();
        Assert.InRange(farthest, 0, 1e-5 * largest);

        (Tensor Loss, Tensor Gradient) Backward(Func<Tensor, Tensor, double, Tensor?, Tensor> objective)
        {
            Tensor leaf = first.clone().requires_grad_();
            Tensor value = objective(leaf, second, Temperature, memory);
            value.backward();
            return (value, leaf.grad!);
        }
    }

    private static Tensor Whole(Tensor first, Tensor second, double temperature, Tensor? memory)
    {
        Tensor all = normalize(cat([first, second], 0));
        Tensor others = memory is null ? all : cat([all, memory], 0);
        long rows = all.shape[0];
        Tensor itself = eye(rows, others.shape[0], dtype: ScalarType.Bool);
        Tensor logits = all.mm(others.t()).div(temperature).masked_fill(itself, double.NegativeInfinity);
        return cross_entropy(logits, arange(rows).add(rows / 2).remainder(rows));
    }
}
