using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class InvaSpreadTests
{
    public InvaSpreadTests() => NativeTorch.EnsureLoaded();

    [Fact]
    public void In_the_released_form_a_row_learns_only_as_the_one_that_asks()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(2);
        Tensor first = Random(4), second = Random(4);
        InvarianceSpread.Loss(first.requires_grad_(), second.requires_grad_(), 0.5).backward();

        // The same numbers once as rows that learn and once as constants: both give the loss, only one a gradient.
        Tensor asks = cat([first, second], 0).detach().requires_grad_();
        Tensor unit = nn.functional.normalize(asks);
        InvarianceSpread.LossOfUnitRows(unit, unit.detach(), 0.5).backward();
        TensorAssert.Equal(asks.grad!, cat([first.grad!, second.grad!], 0));

        Tensor both = cat([first, second], 0).detach().requires_grad_();
        Tensor moving = nn.functional.normalize(both);
        InvarianceSpread.LossOfUnitRows(moving, moving, 0.5).backward();
        Assert.True((both.grad! - asks.grad!).abs().max().ToDouble() > 1e-3);

        Tensor Random(long rows) => empty(rows, 6, ScalarType.Float64).normal_(0, 1, generator);
    }

    [Fact]
    public void Both_forms_sit_at_their_flat_value_where_all_rows_are_the_same()
    {
        using var scope = NewDisposeScope();
        foreach (long rows in new[] { 2L, 4, 128 })
        {
            Tensor same = ones(rows, 5, ScalarType.Float64);
            Assert.Equal(InvarianceSpread.FlatLoss(rows), InvarianceSpread.Loss(same, same, 0.1).item<double>(), 1e-9);
            Assert.Equal(InvarianceSpread.PaperFlatLoss(rows), InvarianceSpread.PaperLoss(same, same, 0.1).item<double>(), 1e-9);
        }
        Assert.Equal(2.870814228019, InvarianceSpread.FlatLoss(4), 1e-9);
        Assert.Equal(6.539300, InvarianceSpread.FlatLoss(128), 1e-6);
    }

    [Fact]
    public void A_row_that_takes_another_for_its_own_gives_a_finite_loss_and_gradient_in_single_precision()
    {
        using var scope = NewDisposeScope();
        // Rows 0 and 1 are the same picture to the network, and far from their own second views: P of the wrong row is 1 in single precision.
        Tensor first = tensor(new float[,] { { 1, 0 }, { 1, 0 }, { 0, 1 } }).requires_grad_();
        Tensor second = tensor(new float[,] { { -1, 0.1f }, { -1, -0.1f }, { 0, 1 } }).requires_grad_();
        foreach (Func<Tensor, Tensor, double, Tensor> form in new Func<Tensor, Tensor, double, Tensor>[] { InvarianceSpread.Loss, InvarianceSpread.PaperLoss })
        {
            Tensor loss = form(first, second, 0.05);
            Assert.True(double.IsFinite(loss.ToDouble()) && loss.ToDouble() > 10);
            loss.backward();
            Assert.True(first.grad!.isfinite().all().item<bool>() && second.grad!.isfinite().all().item<bool>());
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1.5)]
    [InlineData(10)]
    public void Other_pictures_count_as_often_as_the_released_codes_negM_says(double weight)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        Tensor first = empty(5, 6, ScalarType.Float64).normal_(0, 1, generator), second = empty(5, 6, ScalarType.Float64).normal_(0, 1, generator);
        (double loss, Tensor gradient) = Backward((a, b) => InvarianceSpread.Loss(a, b, 0.2, weight));
        (double expected, Tensor expectedGradient) = Backward(Released);
        Assert.Equal(expected, loss, 1e-9);
        TensorAssert.Equal(expectedGradient, gradient, 1e-9);
        Tensor same = ones(5, 6, ScalarType.Float64);
        Assert.Equal(InvarianceSpread.FlatLoss(5, weight), InvarianceSpread.Loss(same, same, 0.2, weight).item<double>(), 1e-9);

        // Exponentials as they are written, row by row.
        Tensor Released(Tensor a, Tensor b)
        {
            Tensor rows = nn.functional.normalize(cat([a, b], 0)), e = rows.mm(rows.detach().t()).div(0.2).exp(), sum = zeros(1, ScalarType.Float64);
            for (int i = 0; i < 10; i++)
            {
                int partner = (i + 5) % 10;
                int[] others = [.. Enumerable.Range(0, 10).Where(j => j != i && j != partner)];
                Tensor all = others.Aggregate(e[i, partner], (total, j) => total + weight * e[i, j]);
                sum = sum - (e[i, partner] / all).log();
                foreach (int j in others)
                    sum = sum - weight * (1 - e[i, j] / all).log();
            }
            return sum.sum() / 10;
        }

        (double, Tensor) Backward(Func<Tensor, Tensor, Tensor> form)
        {
            Tensor learns = first.detach().clone().requires_grad_();
            Tensor value = form(learns, second);
            value.backward();
            return (value.item<double>(), learns.grad!);
        }
    }

    [Fact]
    public void A_weight_below_one_or_in_the_papers_form_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new InvaSpread { NegativeWeight = 0.5 }.Validate(8));
        Assert.Throws<ArgumentException>(() => new InvaSpread { NegativeWeight = 2, Form = InvaSpreadForm.Paper }.Validate(8));
        new InvaSpread { NegativeWeight = 2 }.Validate(8);
    }

    [Fact]
    public void One_example_is_refused()
        => Assert.Throws<ArgumentException>(() => InvarianceSpread.Loss(ones(1, 3), ones(1, 3), 0.1));
}
