using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class InstDiscTests
{
    private static readonly InstDisc s_nce = new() { Contrast = BankContrast.Nce, NoiseRows = 5 };

    public static TheoryData<InstDisc> Contrasts => [new InstDisc { Contrast = BankContrast.Softmax }, s_nce with { Contrast = BankContrast.SampledSoftmax }, s_nce, s_nce with { ProximalWeight = 10 }];

    [Theory]
    [MemberData(nameof(Contrasts))]
    public void The_batchs_own_rows_move_halfway_to_their_features_after_the_loss_and_no_others(InstDisc method)
    {
        using var run = new MethodRun(method);
        for (int step = 0; step < 3; step++)
        {
            using Contrastive.Views views = run.RandomViews(firstRow: 8 * step);
            Tensor before = run.State()["bank.rows"];
            Tensor features = nn.functional.normalize(Features(run, views[0]));
            run.Step(views);
            Tensor after = run.State()["bank.rows"];
            TensorAssert.Equal(nn.functional.normalize(0.5 * before.index_select(0, views.RowIndices) + 0.5 * features), after.index_select(0, views.RowIndices));
            before.index_copy_(0, views.RowIndices, after.index_select(0, views.RowIndices));
            TensorAssert.Equal(before, after);
        }
    }

    [Theory]
    [MemberData(nameof(Contrasts))]
    public void An_empty_bank_is_filled_by_what_is_first_seen_without_a_loss(InstDisc method)
    {
        using var run = new MethodRun(method with { Start = BankStart.Empty }, steps: 20);
        Dictionary<string, Tensor> start = run.State();
        Assert.Equal(0, start["bank.rows"].abs().max().ToDouble());
        for (int batch = 0; batch < 2; batch++)
        {
            using Contrastive.Views views = run.RandomViews(firstRow: 8 * batch);
            Tensor features = nn.functional.normalize(Features(run, views[0]));
            Assert.Equal(0, run.Step(views));
            TensorAssert.Equal(features, run.State()["bank.rows"].index_select(0, views.RowIndices));
        }
        foreach ((string name, Tensor weight) in run.Learner.named_parameters())
            TensorAssert.Equal(start[name], weight.detach());
        Assert.True(!start.ContainsKey("partition.log_z") || double.IsNaN(run.State()["partition.log_z"].item<double>())); // waits for a batch with a loss

        using Contrastive.Views again = run.RandomViews(firstRow: 8);
        Assert.True(run.Step(again) > 0);
        Assert.Contains(run.Learner.named_parameters(), entry => (entry.parameter - start[entry.name]).abs().max().ToDouble() > 0);
    }

    [Fact]
    public void In_a_mixed_batch_those_are_asked_for_that_an_empty_bank_holds()
    {
        using var run = new MethodRun(new InstDisc { Contrast = BankContrast.Softmax, Start = BankStart.Empty }, steps: 20);
        run.Step(run.RandomViews(firstRow: 0));
        using Contrastive.Views mixed = run.RandomViews(firstRow: 5); // 5 to 7 are held, 8 to 12 are new
        Tensor asked = Features(run, mixed[0])[..3], bank = run.State()["bank.rows"];
        double expected = InstanceDiscrimination.SoftmaxLoss(asked, bank, mixed.RowIndices[..3], ((InstDisc)run.Method).Temperature!.Value).ToDouble();
        Assert.Equal(expected, run.Step(mixed), 1e-9);
        Assert.Equal(13, run.State()["bank.rows"].count_nonzero([1]).gt(0).sum().item<long>());
    }

    [Fact]
    public void Runs_of_few_epochs_start_with_an_empty_bank()
    {
        Assert.Equal(BankStart.Empty, Start(epochs: 2));
        Assert.Equal(BankStart.Empty, Start(epochs: 49));
        Assert.Equal(BankStart.Random, Start(epochs: 1)); // an empty bank would only be filled
        Assert.Equal(BankStart.Random, Start(epochs: 50));
        Assert.Equal(BankStart.Random, Start(epochs: 2, BankStart.Random));
        string message = Assert.Throws<ArgumentException>(() => Start(epochs: 1, BankStart.Empty)).Message;
        Assert.Contains("2 epochs", message, StringComparison.Ordinal);
        Assert.Equal(BankStart.Random, InstDisc.Paper.Start);
        Assert.Contains("BankMomentum 1", Assert.Throws<ArgumentOutOfRangeException>(() => new InstDisc { Start = BankStart.Empty, BankMomentum = 1 }.Validate(8)).Message, StringComparison.Ordinal);

        static BankStart? Start(int epochs, BankStart? start = null)
            => ((InstDisc)new InstDisc { Start = start }.Resolve(new RunFacts(2560, 256, 10 * epochs, 32, 32, 3, 512))).Start;
    }

    [Fact]
    public void Z_is_the_first_batchs_and_stays_also_where_the_run_goes_on_from_its_state()
    {
        using MethodRun run = new(s_nce), resumed = new(s_nce);
        Assert.True(double.IsNaN(Z(run)));
        run.Step();
        double first = Z(run);
        Assert.InRange(Math.Exp(first), 1e-3, 1e9);
        run.Step();
        run.Step();
        Assert.Equal(first, Z(run));
        Assert.NotEqual(first, Z(resumed));
        resumed.Learner.load_state_dict(run.State());
        resumed.Step();
        Assert.Equal(first, Z(resumed));

        using var moving = new MethodRun(s_nce with { Partition = NcePartition.MovingAverage(0.5) });
        moving.Step();
        first = Z(moving);
        moving.Step();
        Assert.NotEqual(first, Z(moving));

        static double Z(MethodRun run) => run.State()["partition.log_z"].item<double>();
    }

    [Fact]
    public void Noise_is_a_function_of_seed_and_step_behind_the_own_row()
    {
        using var run = new MethodRun(s_nce with { NoiseRows = 1000 });
        var learner = (BankLearner)run.Learner;
        Tensor own = tensor(new long[] { 7, 60 });
        Tensor drawn = learner.DrawNoise(own, 64, new Step(3, 10, seed: 1));
        Assert.Equal([2L, 1001L], drawn.shape);
        TensorAssert.Equal(own, drawn.select(1, 0));
        TensorAssert.Equal(drawn, learner.DrawNoise(own, 64, new Step(3, 10, seed: 1)));
        foreach (Step other in new[] { new Step(4, 10, seed: 1), new Step(3, 10, seed: 2) })
            Assert.NotEqual(drawn.data<long>(), learner.DrawNoise(own, 64, other).data<long>());
        Tensor noise = drawn.narrow(1, 1, 1000);
        Assert.Equal((0L, 63L), (noise.min().item<long>(), noise.max().item<long>()));
        Assert.Equal(31.5, noise.to(ScalarType.Float64).mean().item<double>(), 2.0);
        Assert.NotEqual(noise[0].data<long>(), noise[1].data<long>()); // of each row its own
    }

    [Theory]
    [MemberData(nameof(Contrasts))]
    public void Every_weight_has_a_gradient_and_the_bank_none(InstDisc method)
    {
        using var run = new MethodRun(method);
        Assert.Equal(run.Learner.named_parameters().Select(entry => entry.name).Order(), run.Gradients().Keys.Order());
        Assert.DoesNotContain("bank.rows", run.Gradients().Keys);
    }

    [Fact]
    public void Gathered_rows_and_a_product_with_the_whole_bank_give_the_same_similarities()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var generator = new Generator(4);
        Tensor features = empty(4, 6, ScalarType.Float64).normal_(0, 1, generator), bank = empty(100, 6, ScalarType.Float64).normal_(0, 1, generator);
        Tensor few = tensor(new long[,] { { 3, 99 }, { 0, 1 }, { 50, 50 }, { 7, 8 } }), many = few.repeat(1, 2);
        Tensor expected = nn.functional.normalize(features).mm(bank.t()).div(0.2);
        TensorAssert.Equal(expected.gather(1, few), InstanceDiscrimination.SampledLogits(features, bank, few, 0.2), 1e-12);
        TensorAssert.Equal(expected.gather(1, many), InstanceDiscrimination.SampledLogits(features, bank, many, 0.2), 1e-12);
    }

    [Fact]
    public void Small_data_gets_the_softmax_large_data_noise()
    {
        InstDisc small = Resolved(50_000, 32), large = Resolved(1_281_167, 224), few = Resolved(100, 32);
        Assert.Equal((BankContrast.Softmax, 0.1, 4096), (small.Contrast!.Value, small.Temperature!.Value, small.NoiseRows!.Value));
        Assert.Equal((BankContrast.Nce, 0.07, 4096), (large.Contrast!.Value, large.Temperature!.Value, large.NoiseRows!.Value));
        Assert.Equal((BankContrast.Softmax, 50), (few.Contrast!.Value, few.NoiseRows!.Value));
        Assert.Equal(ImageAugmentations.MoCoV1, Assert.Single(small.Augmentations!));

        static InstDisc Resolved(long rows, int side) => (InstDisc)new InstDisc().ResolveFully(Facts(rows, side));
    }

    [Fact]
    public void A_bank_that_no_machine_holds_is_refused_with_what_to_do()
    {
        var error = Assert.Throws<ArgumentException>(() => new InstDisc { ProjectionSize = 2048 }.Resolve(Facts(2_000_000, 224)));
        Assert.Contains("15 GiB", error.Message, StringComparison.Ordinal);
        Assert.Contains("MoCoV2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Its_flat_losses_are_what_equal_similarities_give()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        foreach (long noise in new long[] { 3, 4096 })
        {
            Tensor logits = full([4, 1 + noise], 2, ScalarType.Float64);
            Assert.Equal(InstanceDiscrimination.NceFlatLoss(noise), InstanceDiscrimination.NceLoss(logits, InstanceDiscrimination.LogPartition(logits, 8), 8).ToDouble(), 1e-9);
        }
        Assert.Equal(9.317888227099, InstanceDiscrimination.NceFlatLoss(4096), 1e-9);
        Assert.Equal(2.249340578475, InstanceDiscrimination.NceFlatLoss(3), 1e-9);
        using MethodRun softmax = new(new InstDisc()), sampled = new(s_nce with { Contrast = BankContrast.SampledSoftmax }), nce = new(s_nce);
        Assert.Equal(Math.Log(6), sampled.Learner.FlatLoss(MethodRun.BatchSize)!.Value, 1e-9);
        Assert.Equal(Math.Log(MethodRun.Rows), softmax.Learner.FlatLoss(MethodRun.BatchSize)!.Value, 1e-9);
        Assert.Equal(InstanceDiscrimination.NceFlatLoss(5), nce.Learner.FlatLoss(MethodRun.BatchSize));
    }

    [Fact]
    public void Views_that_do_not_say_their_rows_are_refused()
    {
        using var run = new MethodRun(new InstDisc());
        using var views = new Contrastive.Views(zeros(8, 3, 8, 8, ScalarType.Float64));
        Assert.Contains("RowIndices", Assert.Throws<InvalidOperationException>(() => run.Step(views)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new Contrastive.Views(zeros(8, 1)) { RowIndices = arange(7) });
        Assert.Throws<ArgumentException>(() => new Contrastive.Views(zeros(8, 1)) { RowIndices = zeros(8) });
    }

    /// <summary>What the network makes of a view in the coming step, without moving its batch norms.</summary>
    private static Tensor Features(MethodRun run, Tensor view)
    {
        using var noGradient = no_grad();
        Dictionary<string, Tensor> state = run.State();
        var projector = (nn.Module<Tensor, Tensor>)run.Learner.named_children().Single(child => child.name == "projector").module;
        Tensor features = projector.forward(run.Learner.Encoder.forward(view));
        run.Learner.load_state_dict(state);
        return features;
    }

    private static RunFacts Facts(long rows, int side) => new(rows, 256, 10_000, side, side, 3, 512);
}
