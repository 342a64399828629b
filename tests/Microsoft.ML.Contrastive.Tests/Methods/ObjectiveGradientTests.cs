using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

/// <summary>
/// Gradients against central differences in double precision. What an objective holds constant is a separate input here, so
/// that a gradient which flows where it must not shows as a difference.
/// </summary>
public sealed class ObjectiveGradientTests
{
    private const double Step = 1e-5;

    /// <summary>Losses of rows x [4, 5] (where x moves) and constants y, z [4, 5].</summary>
    private static readonly Dictionary<string, Func<Tensor, Tensor, Tensor, Tensor>> s_losses = new()
    {
        ["NtXent"] = (x, y, z) => NtXent.Loss(x, y, 0.3),
        ["NtXent with a memory"] = (x, y, z) => NtXent.Loss(x, y, 0.3, z),
        ["InfoNce"] = (x, y, z) => InfoNce.Loss(x, y, z, 0.3),
        ["BatchInfoNce"] = (x, y, z) => BatchInfoNce.Symmetric(x, z, z, y, 0.3),
        ["InBatchContrast, anchors"] = (x, y, z) => InBatchContrast.Loss(x, y, 0.3, z, 0.7, y),
        ["InBatchContrast, partners"] = (x, y, z) => InBatchContrast.Loss(y, x, 0.3, z),
        ["InBatchContrast, hard negatives"] = (x, y, z) => InBatchContrast.Loss(y, z, 0.3, x, 0.7),
        ["InBatchContrast, both ways"] = (x, y, z) => InBatchContrast.Symmetric(x, y, 0.3),
        ["ClipContrast"] = (x, y, z) => ClipContrast.Loss(x, y, z[0, 0], tensor(new long[] { 4, 4, 7, 8 })),
        ["PairwiseSigmoid"] = (x, y, z) => PairwiseSigmoid.Loss(y, x, z[0, 0].exp(), z[0, 1]),
        ["Matryoshka"] = (x, y, z) => Matryoshka.Loss(x, y, [5, 2], [1, 0.5], (a, b) => InBatchContrast.Loss(a, b, 0.3)),
        ["PairFeatures"] = (x, y, z) => PairFeatures.Joint(x, y).mul(PairFeatures.Joint(y, z)).mean(),
        ["NormalizedDistance"] = (x, y, z) => NormalizedDistance.Symmetric(x, z, z, y),
        ["NegativeCosine"] = (x, y, z) => NegativeCosine.Symmetric(x, z, z, y),
        ["InvarianceSpread"] = (x, y, z) => InvarianceSpread.LossOfUnitRows(x, y, 2), // anchors alone move
        ["CrossViewEntropy, swapped"] = (x, y, z) => CrossViewEntropy.Loss([Sinkhorn.Assign(y, 0.5, 3), Sinkhorn.Assign(z, 0.5, 3)], [x, z, x], 0.3),
        ["CrossViewEntropy, centred"] = (x, y, z) => CrossViewEntropy.Loss(
            [SelfDistillation.Targets(y, z[0], 0.5), SelfDistillation.Targets(z, y[0], 0.5)], [x, z, x], 0.3),
        ["LabelCrossEntropy, smoothed, one row without a label"] = (x, y, z) => LabelCrossEntropy.Loss(x, tensor(new long[] { 3, -1, 0, 4 }), 0.2),
        ["Distillation"] = (x, y, z) => Distillation.Loss(x, y, 0.5),
        ["Distillation, with labels"] = (x, y, z) => Distillation.WithLabels(x, y, tensor(new long[] { 3, -1, 0, 4 }), 0.5, 0.3),
        ["InvarianceSpread, paper"] = (x, y, z) => InvarianceSpread.PaperLoss(x, y, 0.3),
        ["CpcInfoNce, of predictions"] = (x, y, z) => CpcInfoNce.Loss(y.view(2, 2, 1, 5), x.view(2, 2, 1, 5).narrow(1, 0, 2), 0, CpcCandidates.AllPositions),
        ["CpcInfoNce, of candidates"] = (x, y, z) => CpcInfoNce.Loss(x.view(2, 2, 1, 5), y.view(2, 2, 1, 5).narrow(1, 0, 1), 1, CpcCandidates.AllPositions),
        ["CpcInfoNce, of candidates at one place"] = (x, y, z) => CpcInfoNce.Loss(x.view(2, 2, 1, 5), y.view(2, 2, 1, 5), 0, CpcCandidates.SamePosition),
        ["InstanceDiscrimination, softmax"] = (x, y, z) => InstanceDiscrimination.SoftmaxLoss(x, y, tensor(new long[] { 3, 0, 1, 2 }), 0.3),
        ["InstanceDiscrimination, NCE over gathered rows"] = (x, y, z) => Nce(x, y.repeat(25, 1)),
        ["InstanceDiscrimination, NCE out of a product"] = (x, y, z) => Nce(x, y),
        ["InstanceDiscrimination, sampled softmax"] = (x, y, z) => InstanceDiscrimination.SampledSoftmaxLoss(InstanceDiscrimination.SampledLogits(x, y, Sampled, 0.3)),
        ["InstanceDiscrimination, proximal"] = (x, y, z) => InstanceDiscrimination.Proximal(x, y),
    };

    public static TheoryData<string> Losses => [.. s_losses.Keys];

    [Theory]
    [MemberData(nameof(Losses))]
    public void A_gradient_is_the_one_of_finite_differences(string name)
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        Tensor x = Random().requires_grad_(), y = Random(), z = Random();
        Func<Tensor, Tensor, Tensor, Tensor> loss = s_losses[name];
        loss(x, y, z).backward();
        Tensor differences = zeros_like(x);
        using (no_grad())
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 5; j++)
                {
                    Tensor up = x.clone(), down = x.clone();
                    up[i, j] += Step;
                    down[i, j] -= Step;
                    differences[i, j] = loss(up, y, z).sub(loss(down, y, z)).div(2 * Step);
                }
        TensorAssert.Equal(differences, x.grad!, 1e-8);
        Assert.True(x.grad!.abs().max().ToDouble() > 1e-2);

        Tensor Random() => empty(4, 5, ScalarType.Float64).normal_(0, 1, generator);
    }

    private static Tensor Sampled => tensor(new long[,] { { 3, 0, 3 }, { 0, 1, 1 }, { 1, 2, 0 }, { 2, 3, 1 } });

    private static Tensor Nce(Tensor features, Tensor bank)
    {
        Tensor logits = InstanceDiscrimination.SampledLogits(features, bank, Sampled, 0.3);
        return InstanceDiscrimination.NceLoss(logits, tensor(1.5, ScalarType.Float64), 4, 1e-3);
    }
}
