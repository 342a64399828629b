using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Classifiers;

/// <summary>Closed forms; gradients and published cases are tested where those of all objectives are.</summary>
public sealed class ClassifierObjectiveTests : IDisposable
{
    private readonly DisposeScope _scope;

    public ClassifierObjectiveTests()
    {
        NativeTorch.EnsureLoaded();
        _scope = NewDisposeScope();
    }

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Equal_logits_cost_the_logarithm_of_the_classes_whatever_the_smoothing()
    {
        Tensor logits = ones(3, 5, ScalarType.Float64), labels = tensor(new long[] { 0, 4, -1 });
        foreach (double smoothing in new[] { 0, 0.1, 0.9 })
            TensorAssert.Equal(tensor(Math.Log(5)), LabelCrossEntropy.Loss(logits, labels, smoothing));
    }

    [Fact]
    public void Rows_without_a_label_do_not_count_and_none_at_all_cost_nothing()
    {
        Tensor logits = tensor(new double[,] { { 2, 0 }, { 9, -9 } }).requires_grad_();
        TensorAssert.Equal(tensor(Math.Log(1 + Math.Exp(-2))), LabelCrossEntropy.Loss(logits, tensor(new long[] { 0, -1 })).detach());
        Tensor none = LabelCrossEntropy.Loss(logits, tensor(new long[] { -1, -1 }));
        none.backward();
        Assert.Equal(0, none.ToDouble());
        Assert.Equal(0, logits.grad!.abs().max().ToDouble());
    }

    [Fact]
    public void A_student_that_says_what_the_teacher_says_pays_its_entropy_and_has_no_gradient()
    {
        Tensor teacher = tensor(new double[,] { { 1, 2, 0 }, { 0, 0, 0 } }), student = teacher.add(3).requires_grad_(); // a shift says the same
        Tensor loss = Distillation.Loss(student, teacher, 0.5);
        Tensor p = nn.functional.softmax(teacher.div(0.5), 1);
        TensorAssert.Equal(p.mul(p.log()).sum(1).neg().mean(), loss.detach());
        loss.backward();
        Assert.InRange(student.grad!.abs().max().ToDouble(), 0, 1e-15);
    }

    [Fact]
    public void The_weight_mixes_label_and_teacher()
    {
        using var generator = new Generator(1);
        Tensor student = empty(4, 3, ScalarType.Float64).normal_(0, 1, generator), teacher = empty(4, 3, ScalarType.Float64).normal_(0, 1, generator), labels = tensor(new long[] { 0, 1, 2, -1 });
        TensorAssert.Equal(LabelCrossEntropy.Loss(student, labels), Distillation.WithLabels(student, teacher, labels, 2, 0));
        TensorAssert.Equal(Distillation.Loss(student, teacher, 2), Distillation.WithLabels(student, teacher, labels, 2, 1));
    }

    [Fact]
    public void What_does_not_fit_is_refused_by_name()
    {
        Tensor logits = ones(2, 3), labels = tensor(new long[] { 0, 1 });
        Assert.Throws<ArgumentException>("labels", () => LabelCrossEntropy.Loss(logits, tensor(new long[] { 0 })));
        Assert.Throws<ArgumentOutOfRangeException>("smoothing", () => LabelCrossEntropy.Loss(logits, labels, 1));
        Assert.Throws<ArgumentException>("teacher", () => Distillation.Loss(logits, ones(2, 4), 1));
        Assert.Throws<ArgumentOutOfRangeException>("temperature", () => Distillation.Loss(logits, logits, 0));
        Assert.Throws<ArgumentOutOfRangeException>("weight", () => Distillation.WithLabels(logits, logits, labels, 1, 1.5));
    }
}
