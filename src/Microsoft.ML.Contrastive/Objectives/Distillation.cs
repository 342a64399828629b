using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A student learns what a teacher says of unlabelled examples (Hinton et al. 2015, in SimCLR v2's form: Chen et al. 2020b, equation 2):
/// -sum over classes y of P_T(y|x; t) log P_S(y|x; t), with P(y|x; t) = softmax(logits / t), the mean over the batch. No factor t^2.
/// </summary>
public static class Distillation
{
    /// <summary>The loss, a scalar. Gradient flows into the student alone.</summary>
    /// <inheritdoc cref="PerRow"/>
    public static Tensor Loss(Tensor student, Tensor teacher, double temperature) => PerRow(student, teacher, temperature).mean();

    /// <summary>The loss of each row: [N].</summary>
    /// <param name="student">Logits [N, C].</param>
    /// <param name="teacher">Logits [N, C]; no gradient.</param>
    /// <param name="temperature">t, above 0, of both.</param>
    public static Tensor PerRow(Tensor student, Tensor teacher, double temperature)
    {
        ShapeCheck.SameMatrices(student, teacher);
        ShapeCheck.Positive(temperature);
        return softmax(teacher.detach().Over(temperature), 1).mul(log_softmax(student.Over(temperature), 1)).sum(1).neg();
    }

    /// <summary>(1 - a) <see cref="LabelCrossEntropy"/> + a <see cref="Loss"/> (equation 3): the first over rows with a label, the second over all.</summary>
    /// <param name="student">Logits [N, C].</param>
    /// <param name="teacher">Logits [N, C]; no gradient.</param>
    /// <param name="labels">[N] of int64, 0 to C - 1, or <see cref="LabelCrossEntropy.NoLabel"/>.</param>
    /// <param name="temperature">t, above 0, of the distillation; the cross-entropy has 1.</param>
    /// <param name="weight">a, 0 to 1.</param>
    public static Tensor WithLabels(Tensor student, Tensor teacher, Tensor labels, double temperature, double weight)
    {
        if (!(weight >= 0 && weight <= 1))
            throw new ArgumentOutOfRangeException(nameof(weight), weight, "The weight of distillation must be from 0 to 1.");
        return LabelCrossEntropy.Loss(student, labels).Times(1 - weight).Plus(Loss(student, teacher, temperature).Times(weight));
    }
}
