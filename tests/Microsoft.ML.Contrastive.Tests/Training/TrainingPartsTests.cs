using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Training;

/// <summary>The parts of the loop against what the papers' formulas give tensor by tensor.</summary>
public sealed class TrainingPartsTests : IDisposable
{
    private readonly Generator _generator;

    public TrainingPartsTests()
    {
        NativeTorch.EnsureLoaded();
        _generator = new Generator(1);
    }

    public void Dispose() => _generator.Dispose();

    [Fact]
    public void The_rate_rises_to_its_peak_and_falls_along_half_a_cosine()
    {
        var cosine = new LearningRate(0.4);
        double[] rates = [.. Enumerable.Range(0, 111).Select(step => cosine.At(0.4, 10, 110, step))];
        Assert.Equal(0, rates[0]);
        Assert.Equal(0.2, rates[5], 1e-12);
        Assert.Equal(0.4, rates[10], 1e-12);
        Assert.Equal(0.2, rates[60], 1e-12);
        Assert.Equal(0.2 * (1 + Math.Cos(Math.PI * 0.25)), rates[35], 1e-12);
        Assert.Equal(0, rates[110], 1e-12);
        Assert.Equal(0.4, cosine.At(0.4, 0, 100, 0));
        Assert.Equal(0.1, (cosine with { Schedule = new CosineRate(0.25) }).At(0.4, 0, 100, 100), 1e-12);
        Assert.Equal(0.25, (cosine with { Schedule = new CosineRate(0.25) }).At(0.4, 0, 100, 50), 1e-12);
    }

    [Fact]
    public void A_rate_in_steps_holds_between_them_and_a_constant_one_throughout()
    {
        LearningRate steps = new(0.4) { Schedule = new StepRate(new RateStep(0.6, 0.1), new RateStep(0.8, 0.01)) };
        double[] rates = [.. Enumerable.Range(0, 100).Select(step => steps.At(0.4, 10, 100, step))];
        Assert.Equal(0.2, rates[5], 1e-12);
        Assert.All(rates[10..60], rate => Assert.Equal(0.4, rate, 1e-12));
        Assert.All(rates[60..80], rate => Assert.Equal(0.04, rate, 1e-12));
        Assert.All(rates[80..], rate => Assert.Equal(0.004, rate, 1e-12));
        LearningRate constant = new(0.4) { Schedule = new ConstantRate() };
        Assert.All(Enumerable.Range(0, 100), step => Assert.Equal(0.4, constant.At(0.4, 0, 100, step)));
    }

    [Fact]
    public void Progress_reads_as_one_line_in_any_culture()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        comma.NumberFormat.NumberDecimalSeparator = ",";
        CultureInfo.CurrentCulture = comma;
        try
        {
            Assert.Equal(
                "Step 20 of 56, epoch 2: loss 3.9766, rate 0.0248, 655 examples/s, embedding deviation 0.826, 00:01:04 left, nearest neighbours 61.5 % right",
                new TrainingProgress(2, 20, 56, 3.97657, 0.024759, 654.57, TimeSpan.FromSeconds(64.2), 0.8264, 4.84) { KnnAccuracy = 0.615 }.ToString());
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    /// <summary>The papers' epochs, with the rate that each has from there on.</summary>
    public static TheoryData<ContrastiveMethod, int, int, int, double> Published => new()
    {
        { MoCoV1.Paper, 256, 200, 119, 0.03 }, { MoCoV1.Paper, 256, 200, 120, 0.003 }, { MoCoV1.Paper, 256, 200, 160, 0.0003 },
        { InstDisc.Paper, 256, 200, 119, 0.03 }, { InstDisc.Paper, 256, 200, 120, 0.003 }, { InstDisc.Paper, 256, 200, 199, 0.0003 },
        { Cmc.Paper, 256, 240, 119, 0.03 }, { Cmc.Paper, 256, 240, 120, 0.003 }, { Cmc.Paper, 256, 240, 160, 0.0003 }, { Cmc.Paper, 256, 240, 200, 0.00003 },
        { InvaSpread.Paper, 128, 301, 119, 0.03 }, { InvaSpread.Paper, 128, 301, 120, 0.003 }, { InvaSpread.Paper, 128, 301, 160, 0.0015 }, { InvaSpread.Paper, 128, 301, 200, 0.0003 },
        { SwAV.Paper, 4096, 800, 800, 0.0048 }, { SwAV.PaperSmallBatch, 256, 200, 0, 0.6 }, { SwAV.PaperSmallBatch, 256, 200, 200, 0.0006 },
        { Dino.Paper, 1024, 800, 10, 0.002 }, { Dino.Paper, 1024, 800, 800, 1e-6 },
        { MoCoV2.Paper, 256, 200, 100, 0.015 }, { MoCoV2.Paper, 256, 200, 200, 0 },
    };

    [Theory]
    [MemberData(nameof(Published))]
    public void A_published_recipe_has_its_published_rate_at_each_epoch(ContrastiveMethod method, int batch, int epochs, int epoch, double rate)
    {
        const int steps = 7; // of an epoch
        LearningRate recipe = method.LearningRate!;
        Assert.Equal(rate, recipe.At(recipe.Peak(batch), recipe.WarmupEpochs * steps, epochs * steps, epoch * steps), 1e-12);
    }

    public static TheoryData<RateSchedule> BadSchedules =>
    [
        new CosineRate(-0.1), new CosineRate(1.5), new CosineRate(double.NaN), new StepRate(), new StepRate(new RateStep(0, 0.1)), new StepRate(new RateStep(1, 0.1)),
        new StepRate(new RateStep(0.5, -1)), new StepRate(new RateStep(0.5, 0.1), new RateStep(0.4, 0.01)),
    ];

    [Theory]
    [MemberData(nameof(BadSchedules))]
    public void A_schedule_out_of_range_is_refused_when_the_estimator_is_made(RateSchedule schedule)
    {
        var method = new SimClrV1 { LearningRate = new(0.1) { Schedule = schedule } };
        Assert.ThrowsAny<ArgumentException>(() => new MLContext(1).Transforms.ContrastivePretrain("Features", "Image", method));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void Even_the_shortest_run_has_a_rate_above_zero_at_each_step(int steps)
    {
        var rates = new List<double>();
        var progress = new OnProgress(report => rates.Add(report.LearningRate));
        using var learner = new Toy(_generator);
        var method = new OwnMethod { Optimizer = new Sgd(), LearningRate = new(0.1, WarmupEpochs: 1, RateScaling.None) };
        using var runner = new StepRunner(learner, method.Optimizer!);
        TrainingLoop.Run(
            runner, method, new RunFacts(64, 8, steps, 8, 8, 2, 4), new TrainingOptions { BatchSize = 8, ReportEvery = 1, Progress = progress },
            firstStep: 0, _ => new Contrastive.Views(Random(8, 2, 6, 6)), seed: 1, new LoopHost(Warn: _ => { }, CheckAlive: () => { }, TrimMemory: () => { }));
        Assert.Equal(steps, rates.Count);
        Assert.All(rates, rate => Assert.True(rate > 0));
    }

    [Fact]
    public void Each_epoch_is_another_permutation_without_its_last_partial_batch()
    {
        var order = new EpochOrder(103, 10, seed: 3);
        Assert.Equal(10, order.StepsPerEpoch);
        var epochs = new List<int[]>();
        for (int epoch = 0; epoch < 4; epoch++)
        {
            var rows = new List<int>();
            for (int step = 0; step < 10; step++)
            {
                (long at, ReadOnlyMemory<int> batch) = order.Batch(epoch * 10 + step);
                Assert.Equal(epoch, at);
                Assert.Equal(10, batch.Length);
                rows.AddRange(batch.Span);
            }
            Assert.Equal(100, rows.Distinct().Count());
            Assert.All(rows, row => Assert.InRange(row, 0, 102));
            epochs.Add([.. rows]);
        }
        Assert.NotEqual(epochs[0], epochs[1]);
        Assert.NotEqual(epochs[0].Order(), epochs[1].Order()); // nor are the same rows left out each time

        // A function of seed and step alone, in whatever order it is asked.
        Assert.Equal(epochs[2][30..40], new EpochOrder(103, 10, seed: 3).Batch(23).Rows.ToArray());
        Assert.NotEqual(epochs[2][30..40], new EpochOrder(103, 10, seed: 4).Batch(23).Rows.ToArray());
    }

    [Fact]
    public void Batches_that_are_sorted_together_hold_like_lengths_in_an_order_that_stays_random()
    {
        static int Length(int row) => row * 7 % 50;
        var order = new EpochOrder(103, 10, seed: 3, sortedBatches: 4, Length);
        int[][] batches = [.. Enumerable.Range(0, 10).Select(step => order.Batch(step).Rows.ToArray())];
        Assert.Equal(100, batches.SelectMany(rows => rows).Distinct().Count());
        int[] shortest = [.. batches.Select(rows => rows.Min(Length))];
        Assert.NotEqual(shortest.Order(), shortest);
        Assert.InRange(Spread(batches), 0, 0.6 * Spread([.. Enumerable.Range(0, 10).Select(step => new EpochOrder(103, 10, seed: 3).Batch(step).Rows.ToArray())]));

        // Fours of batches share their rows with the unsorted order.
        int[] first = [.. Enumerable.Range(0, 4).SelectMany(step => new EpochOrder(103, 10, seed: 3).Batch(step).Rows.ToArray())];
        Assert.Equal(4, batches.Count(rows => rows.All(first.Contains)));
        Assert.Equal(batches[7], new EpochOrder(103, 10, seed: 3, sortedBatches: 4, Length).Batch(7).Rows.ToArray());

        static double Spread(int[][] batches) => batches.Average(rows => rows.Max(Length) - rows.Min(Length));
    }

    [Fact]
    public void Flat_buffers_keep_values_take_gradients_and_lay_convolutions_channels_last()
    {
        using var scope = NewDisposeScope();
        using var learner = new Toy(_generator);
        Tensor input = Random(6, 2, 8, 8);
        Dictionary<string, Tensor> before = learner.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter.clone().detach());
        learner.Loss(new Contrastive.Views(input), new Step(0, 1, 0)).backward();
        Dictionary<string, Tensor> gradients = learner.named_parameters().Where(entry => entry.parameter.requires_grad)
            .ToDictionary(entry => entry.name, entry => entry.parameter.grad!.clone());

        using var flat = new FlatParameters(learner);
        foreach ((string name, TorchSharp.Modules.Parameter parameter) in learner.named_parameters())
            TensorAssert.Equal(before[name], parameter.detach(), 0);
        flat.Gradients.zero_();
        learner.Loss(new Contrastive.Views(input), new Step(0, 1, 0)).backward();
        foreach ((string name, TorchSharp.Modules.Parameter parameter) in learner.named_parameters().Where(entry => entry.parameter.requires_grad))
            TensorAssert.Equal(gradients[name], parameter.grad!);
        double sum = gradients.Values.Sum(gradient => gradient.pow(2).sum().ToDouble());
        Assert.Equal(sum, flat.Gradients.pow(2).sum().ToDouble(), 1e-5 * sum);
        Assert.Equal([18L, 1, 6, 2], learner.named_parameters().Single(entry => entry.parameter.dim() == 4 && entry.parameter.requires_grad).parameter.stride());

        // The groups' views are the parameters: what an optimizer does to the buffer, the network sees.
        using (no_grad())
            foreach (ParameterGroup group in flat.Groups)
                group.Values.add_(1);
        foreach ((string name, TorchSharp.Modules.Parameter parameter) in learner.named_parameters().Where(entry => entry.parameter.requires_grad))
            TensorAssert.Equal(before[name] + 1, parameter.detach());
        Assert.Equal(learner.named_parameters().Count(entry => entry.parameter.requires_grad), flat.Groups.Sum(group => group.Tensors.Count));
    }

    [Fact]
    public void Momentum_targets_follow_tensor_by_tensor_at_their_time()
    {
        using var scope = NewDisposeScope();
        using var learner = new Toy(_generator);
        MomentumPair pair = learner.MomentumPairs[0];
        using var flat = new FlatParameters(learner);
        (Tensor Online, Tensor Target)[] before = [.. pair.Parameters.Select(each => (each.Online.detach().clone(), each.Target.detach().clone()))];
        Assert.NotEqual(0, before.Sum(each => (each.Online - each.Target).abs().sum().ToDouble()));
        using var noGradient = no_grad();
        flat.UpdateTargets(MomentumTiming.BeforeLoss, new Step(1, 4, 0)); // not its time
        flat.UpdateTargets(MomentumTiming.AfterStep, new Step(1, 4, 0));
        foreach (((Tensor online, Tensor target), (Tensor wasOnline, Tensor wasTarget)) in pair.Parameters.Zip(before))
        {
            TensorAssert.Equal(wasTarget * 0.75 + wasOnline * 0.25, target.detach());
            TensorAssert.Equal(wasOnline, online.detach(), 0);
        }
    }

    public static TheoryData<OptimizerSettings> Optimizers =>
    [
        new Sgd { WeightDecay = 0.1 },
        new Sgd { WeightDecay = 0.1, DecayBiasesAndNorms = false, Momentum = 0.5 },
        new Lars { WeightDecay = 0.1, TrustCoefficient = 0.02 },
        new Lars { WeightDecay = 0.1, DecayBiasesAndNorms = true },
        new Lars { WeightDecay = 0.1, RateInMomentum = true },
        new AdamW { WeightDecay = 0.1 },
        new AdamW { WeightDecay = 0.1, FinalWeightDecay = 0.8 },
        new AdamW { WeightDecay = 0.1, DecayBiasesAndNorms = true, Beta1 = 0.8, Beta2 = 0.95, Epsilon = 1e-3 },
    ];

    [Theory]
    [MemberData(nameof(Optimizers))]
    public void An_optimizer_over_flat_buffers_does_what_its_formula_does_to_each_tensor(OptimizerSettings settings)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var learner = new Toy(_generator, frozenSteps: 1);
        using var flat = new FlatParameters(learner);
        using var optimizer = Optimizer.Create(settings, flat.Groups);
        var parameters = learner.named_parameters().Where(entry => entry.parameter.requires_grad).ToArray();
        foreach ((_, TorchSharp.Modules.Parameter parameter) in parameters)
            parameter.add_(Random(parameter.shape), alpha: 0.3); // norms and their shifts start at 1 and 0
        Reference[] references = [.. parameters.Select(entry => new Reference(entry.parameter.clone(), learner.HasConstantRate(entry.name), learner.FrozenSteps(entry.name)))];
        for (int step = 1; step <= 3; step++)
        {
            foreach (((_, TorchSharp.Modules.Parameter parameter), Reference reference) in parameters.Zip(references))
            {
                Tensor gradient = Random(parameter.shape);
                parameter.grad!.copy_(gradient);
                if (step > reference.FrozenSteps)
                    reference.Step(settings, gradient, step - (int)reference.FrozenSteps, reference.ConstantRate ? 0.3 : 0.1 * step);
            }
            optimizer.Step(new Step(step - 1, 3, seed: 0), 0.1 * step, constantRate: 0.3);
            foreach (((_, TorchSharp.Modules.Parameter parameter), Reference reference) in parameters.Zip(references))
                TensorAssert.Equal(reference.Value, parameter.detach());
        }
        Assert.Contains(references, reference => reference.ConstantRate);
        Assert.Contains(references, reference => reference.FrozenSteps == 1);
    }

    [Fact]
    public void A_transformers_class_token_and_positions_do_not_decay_and_its_matrices_do()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var learner = new TransformerLearner(_generator);
        using var flat = new FlatParameters(learner);
        foreach ((_, TorchSharp.Modules.Parameter parameter) in learner.named_parameters())
            parameter.add_(1); // biases and tokens start near zero
        Dictionary<string, Tensor> before = learner.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter.clone());
        using var optimizer = Optimizer.Create(new AdamW { WeightDecay = 0.1 }, flat.Groups);
        optimizer.Step(new Step(0, 1, seed: 0), rate: 1, constantRate: 1); // gradients are zero
        string[] decayed = [.. learner.named_parameters().Where(entry => (entry.parameter - before[entry.name]).abs().max().ToDouble() > 1e-3).Select(entry => entry.name["encoder.".Length..])];
        Assert.Equal(
            ["blocks.0.attn.proj.weight", "blocks.0.attn.qkv.weight", "blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc2.weight", "patch_embed.proj.weight"],
            decayed.Order(StringComparer.Ordinal));
        Assert.Contains("encoder.cls_token", before.Keys);
        Assert.Contains("encoder.pos_embed", before.Keys);
    }

    private sealed class TransformerLearner : Learner
    {
        private readonly nn.Module<Tensor, Tensor> encoder;

        public TransformerLearner(Generator generator)
            : base(nameof(TransformerLearner))
        {
            encoder = new VisionTransformer { Patch = 4, Width = 16, Depth = 1, Heads = 1, Positions = PositionEmbedding.Learned }.Build(3, 8, 8, generator);
            RegisterComponents();
        }

        public override nn.Module<Tensor, Tensor> Encoder => encoder;

        public override Tensor Loss(Contrastive.Views views, Step step) => encoder.forward(views[0]).sum();
    }

    [Fact]
    public void A_long_gradient_is_shortened_as_a_whole_and_a_short_one_is_left()
    {
        Assert.Equal(0.1 * 0.01, Moved(0.01), 1e-6);
        double free = Moved(null);
        Assert.True(free > 0.1 * 0.01);
        Assert.Equal(free, Moved(1e6), 1e-6);

        double Moved(double? limit)
        {
            using var scope = NewDisposeScope();
            using var generator = new Generator(7);
            using var learner = new Toy(generator);
            Tensor[] before = [.. learner.parameters().Where(each => each.requires_grad).Select(each => each.detach().clone())];
            using var runner = new StepRunner(learner, new Sgd { Momentum = 0 }, limit);
            runner.Run(new Contrastive.Views(empty(6, 2, 8, 8).normal_(0, 1, generator)), new Step(0, 1, 0), rate: 0.1, constantRate: 0.1);
            return Math.Sqrt(learner.parameters().Where(each => each.requires_grad).Zip(before)
                .Sum(each => (each.First.detach() - each.Second).pow(2).sum().ToDouble()));
        }
    }

    [Fact]
    public void Each_parameters_gradient_is_shortened_by_itself_and_short_ones_are_left()
    {
        using var scope = NewDisposeScope();
        Tensor[] free = Moved(null);
        double[] norms = [.. free.Select(moved => moved.norm().ToDouble())];
        double middle = norms.Order().ElementAt(norms.Length / 2);
        Assert.True(norms.Min() < middle && norms.Max() > middle);
        foreach ((int i, Tensor limited) in Moved(middle).Index())
            TensorAssert.Equal(free[i] * Math.Min(1, middle / Math.Max(1e-12, norms[i])), limited, 1e-6);

        Tensor[] Moved(double? limit)
        {
            using var generator = new Generator(7);
            using var learner = new Toy(generator);
            Tensor[] before = [.. learner.parameters().Where(each => each.requires_grad).Select(each => each.detach().clone())];
            using var runner = new StepRunner(learner, new Sgd { Momentum = 0 }, maxParameterGradientNorm: limit);
            runner.Run(new Contrastive.Views(empty(6, 2, 8, 8).normal_(0, 1, generator)), new Step(0, 1, 0), rate: 1, constantRate: 1);
            return [.. learner.parameters().Where(each => each.requires_grad).Zip(before).Select(each => each.First.detach() - each.Second)];
        }
    }

    [Fact]
    public void The_queue_overwrites_its_oldest_keys_wraps_and_keeps_the_last_of_a_long_batch()
    {
        using var scope = NewDisposeScope();
        using var queue = new KeyQueue(5, 2, _generator);
        TensorAssert.Equal(ones(5), queue.Keys.norm(1)); // unit rows from the start
        queue.Enqueue(Keys(0, 3));
        queue.Enqueue(Keys(3, 4)); // 3..6: the places 3, 4, 0, 1
        Assert.Equal([5, 6, 2, 3, 4], Rows());
        Assert.Equal(2, queue.Pointer);
        queue.Enqueue(Keys(7, 13)); // 7..19: the last five stay, as if one after the other
        Assert.Equal([15, 16, 17, 18, 19], Rows());
        Assert.Equal(0, queue.Pointer);
        Assert.Throws<ArgumentException>(() => queue.Enqueue(zeros(2, 3)));

        Tensor Keys(int first, int count) => arange(first, first + count, ScalarType.Float32).unsqueeze(1).expand(count, 2);
        float[] Rows() => [.. queue.Keys[.., 0].contiguous().data<float>()];
    }

    [Fact]
    public void Split_batch_norm_equals_separate_norms_and_its_statistics_follow_their_mean()
    {
        using var scope = NewDisposeScope();
        Tensor input = Random(12, 3, 4, 4), upstream = Random(12, 3, 4, 4);
        using var whole = new BatchNorm(3) { Splits = 3 };
        BatchNorm[] parts = [new(3), new(3), new(3)];
        using (no_grad())
            foreach (BatchNorm norm in parts.Append(whole))
            {
                norm.state_dict()["weight"].copy_(tensor(new float[] { 1, 2, 3 }));
                norm.state_dict()["bias"].copy_(tensor(new float[] { 0.5f, 0, -1 }));
            }
        Tensor output = whole.forward(input);
        (output * upstream).sum().backward();
        for (int group = 0; group < 3; group++)
        {
            Tensor rows = arange(group, 12, 3);
            Tensor part = parts[group].forward(input.index_select(0, rows));
            TensorAssert.Equal(part.detach(), output.index_select(0, rows).detach());
            (part * upstream.index_select(0, rows)).sum().backward();
        }
        foreach (string name in new[] { "running_mean", "running_var" })
            TensorAssert.Equal(stack(parts.Select(norm => norm.state_dict()[name])).mean([0]), whole.state_dict()[name]);
        foreach ((TorchSharp.Modules.Parameter parameter, int index) in whole.parameters().Select((each, index) => (each, index)))
            TensorAssert.Equal(parts.Select(norm => norm.parameters().ElementAt(index).grad!).Aggregate((sum, each) => sum + each), parameter.grad!, 1e-4);
        whole.eval();
        using var plain = new BatchNorm(3);
        plain.load_state_dict(whole.state_dict());
        plain.eval();
        TensorAssert.Equal(plain.forward(input).detach(), whole.forward(input).detach()); // no groups in use
        whole.train();
        Assert.Throws<ArgumentException>(() => whole.forward(Random(10, 3, 4, 4)));
    }

    [Fact]
    public void A_collapse_is_said_once_and_not_in_the_first_steps()
    {
        var said = new List<string>();
        var watch = new CollapseWatch(flatLoss: 4, totalSteps: 1000, said.Add);
        watch.Look(99, 4, 0); // too early
        watch.Look(200, 3, 0.5);
        watch.Look(201, 3, double.NaN);
        Assert.Empty(said);
        watch.Look(300, 3, 0.05);
        watch.Look(310, 3, 0.05);
        Assert.Contains("collapsed", Assert.Single(said), StringComparison.Ordinal);
        watch.Look(400, 4.01, 0.5);
        watch.Look(410, 4.01, 0.5);
        Assert.Equal(2, said.Count);
        Assert.Contains("4.000", said[1], StringComparison.Ordinal);
    }

    private Tensor Random(params long[] shape) => empty(shape).normal_(0, 1, _generator);

    /// <summary>One tensor, and the formulas as they stand in the papers.</summary>
    private sealed class Reference(Tensor value, bool constantRate, long frozenSteps)
    {
        private Tensor _first = zeros_like(value), _second = zeros_like(value);

        public Tensor Value { get; private set; } = value;

        public bool ConstantRate { get; } = constantRate;

        public long FrozenSteps { get; } = frozenSteps;

        public void Step(OptimizerSettings settings, Tensor gradient, int step, double rate)
        {
            bool isMatrix = Value.dim() > 1;
            double decay = !isMatrix && !settings.DecayBiasesAndNorms ? 0
                : settings is AdamW { FinalWeightDecay: { } final } ? final + (settings.WeightDecay - final) * (1 + Math.Cos(Math.PI * (step - 1 + FrozenSteps) / 3)) / 2
                : settings.WeightDecay;
            switch (settings)
            {
                case AdamW adam:
                    _first = adam.Beta1 * _first + (1 - adam.Beta1) * gradient;
                    _second = adam.Beta2 * _second + (1 - adam.Beta2) * gradient * gradient;
                    Tensor mean = _first / (1 - Math.Pow(adam.Beta1, step)), square = _second / (1 - Math.Pow(adam.Beta2, step));
                    Value = Value - rate * decay * Value - rate * mean / (square.sqrt() + adam.Epsilon);
                    break;
                case Lars lars:
                    Tensor direction = gradient + decay * Value;
                    if (isMatrix)
                        direction = direction * (lars.TrustCoefficient * Value.norm().ToDouble() / direction.norm().ToDouble());
                    _first = lars.Momentum * _first + (lars.RateInMomentum ? rate : 1) * direction;
                    Value = Value - (lars.RateInMomentum ? 1 : rate) * _first;
                    break;
                case Sgd sgd:
                    _first = sgd.Momentum * _first + gradient + decay * Value;
                    Value = Value - rate * _first;
                    break;
                default:
                    throw new NotSupportedException();
            }
        }
    }

    /// <summary>A convolution, a norm, a linear layer, a predictor of constant rate, and a target that follows the first three.</summary>
    private sealed class Toy : Learner
    {
        private readonly nn.Module<Tensor, Tensor> encoder, target_encoder, predictor;

        private readonly long _frozenSteps;

        /// <param name="generator">Where the weights are drawn from.</param>
        /// <param name="frozenSteps">Of the predictor's weight and of the encoder's first convolution.</param>
        public Toy(Generator generator, long frozenSteps = 0)
            : base(nameof(Toy))
        {
            _frozenSteps = frozenSteps;
            encoder = Build();
            target_encoder = Build();
            predictor = new Linear(3, 3, generator);
            RegisterComponents();
            foreach (TorchSharp.Modules.Parameter parameter in target_encoder.parameters())
                parameter.requires_grad_(false);
            MomentumPairs = [new(encoder, target_encoder, (index, total) => 1 - (double)index / total, MomentumTiming.AfterStep)];

            nn.Module<Tensor, Tensor> Build() => nn.Sequential(
                new Convolution(2, 4, 3, 1, generator), new BatchNorm(4), new Relu(), new MeanOverAreas(1), new Linear(4, 3, generator));
        }

        public override nn.Module<Tensor, Tensor> Encoder => encoder;

        public override IReadOnlyList<MomentumPair> MomentumPairs { get; }

        public override Tensor Loss(Contrastive.Views views, Step step)
        {
            step.Embedding = predictor.forward(encoder.forward(views[0]));
            return (step.Embedding - 1).pow(2).mean();
        }

        public override bool HasConstantRate(string parameterName) => parameterName.StartsWith("predictor.", StringComparison.Ordinal);

        public override long FrozenSteps(string parameterName) => parameterName is "predictor.weight" or "encoder.0.weight" ? _frozenSteps : 0;
    }
}
