using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Memory;

public sealed class MemoryBankTests : IDisposable
{
    private readonly DisposeScope _scope;
    private readonly Generator _generator;

    public MemoryBankTests()
    {
        NativeTorch.EnsureLoaded();
        (_scope, _generator) = (NewDisposeScope(), new Generator(1));
    }

    public void Dispose()
    {
        _generator.Dispose();
        _scope.Dispose();
    }

    [Fact]
    public void Rows_start_uniform_at_about_unit_length()
    {
        using var bank = new MemoryBank(2000, 12, _generator);
        Assert.Equal(0.5, bank.Rows.abs().max().ToDouble(), 1e-3); // 1 / sqrt(12 / 3)
        Assert.Equal(1, bank.Rows.square().sum(1).mean().ToDouble(), 0.02);
    }

    [Fact]
    public void An_update_moves_its_own_rows_only_and_makes_them_unit()
    {
        using var bank = new MemoryBank(3, 2, _generator);
        bank.Rows.copy_(tensor(new float[,] { { 1, 0 }, { 0, 1 }, { 0.3f, 0.4f } }));
        bank.Update(tensor(new long[] { 2, 0 }), tensor(new float[,] { { 0, 7 }, { 0, 2 } }), 0.5);
        // (0.3, 0.4) and (0, 1) have the mean (0.15, 0.7); (1, 0) and (0, 1) the mean (0.5, 0.5).
        double length = Math.Sqrt(0.15 * 0.15 + 0.7 * 0.7), half = Math.Sqrt(0.5);
        TensorAssert.Equal(tensor(new[,] { { half, half }, { 0, 1 }, { 0.15 / length, 0.7 / length } }), bank.Rows.to(ScalarType.Float64), 1e-6);
    }

    [Fact]
    public void An_empty_bank_holds_what_it_has_seen_and_as_it_was_seen()
    {
        using var bank = MemoryBank.Empty(4, 2);
        Tensor all = arange(4);
        Assert.False(bank.Holds(all).any().item<bool>());
        bank.Update(tensor(new long[] { 3, 1 }), tensor(new float[,] { { 0, 7 }, { 3, 4 } }), 0.9);
        Assert.Equal([false, true, false, true], bank.Holds(all).data<bool>().ToArray());
        TensorAssert.Equal(tensor(new float[,] { { 0, 0 }, { 0.6f, 0.8f }, { 0, 0 }, { 0, 1 } }), bank.Rows, 1e-6);
        using var random = new MemoryBank(4, 2, _generator);
        Assert.True(random.Holds(all).all().item<bool>());
    }

    [Fact]
    public void Rows_are_looked_up_in_the_order_that_is_asked_for_and_are_copies()
    {
        using var bank = new MemoryBank(5, 3, _generator);
        Tensor found = bank.Lookup(tensor(new long[] { 4, 0 }));
        TensorAssert.Equal(bank.Rows[4], found[0]);
        TensorAssert.Equal(bank.Rows[0], found[1]);
        found.zero_();
        Assert.True(bank.Rows[4].abs().max().ToDouble() > 0);
    }

    [Fact]
    public void What_does_not_fit_is_refused_before_native_code()
    {
        using var bank = new MemoryBank(5, 3, _generator);
        Assert.Throws<ArgumentOutOfRangeException>(() => bank.Lookup(tensor(new long[] { 0, 5 })));
        Assert.Throws<ArgumentOutOfRangeException>(() => bank.Lookup(tensor(new long[] { -1 })));
        Assert.Throws<ArgumentException>(() => bank.Lookup(tensor(new[] { 1, 2 }))); // int32
        Assert.Throws<ArgumentException>(() => bank.Lookup(zeros(0, ScalarType.Int64)));
        Assert.Throws<ArgumentException>(() => bank.Update(tensor(new long[] { 1 }), zeros(2, 3), 0.5));
        Assert.Throws<ArgumentException>(() => bank.Update(tensor(new long[] { 1 }), zeros(1, 4), 0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => bank.Update(tensor(new long[] { 1 }), zeros(1, 3), 1.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MemoryBank(0, 3, _generator));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MemoryBank(3, 0, _generator));
        Assert.Throws<ArgumentOutOfRangeException>(() => MemoryBank.Empty(0, 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => bank.Holds(tensor(new long[] { 5 })));
    }
}
