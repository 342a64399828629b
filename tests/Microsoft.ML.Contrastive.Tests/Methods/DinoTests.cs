using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class DinoTests
{
    private static readonly Dino s_small = new() { OutputSize = 12, ProjectionSize = 8, FrozenLastLayerSteps = 0, MomentumRises = false, Momentum = 0.9 };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void No_gradient_reaches_the_teacher_and_every_weight_of_the_student_has_one(bool learnsScale)
    {
        using var run = new MethodRun(s_small with { LearnsLastLayerScale = learnsScale });
        Assert.Equal(
            run.Learner.named_parameters().Select(entry => entry.name).Where(name => !name.StartsWith("target_", StringComparison.Ordinal)).Order(),
            run.Gradients().Keys.Order());
        Assert.Equal(learnsScale, run.State().ContainsKey("last_layer.weight_g"));
        Assert.All(run.Learner.MomentumPairs, pair => Assert.All(pair.Target.parameters(), parameter => Assert.False(parameter.requires_grad)));
    }

    [Fact]
    public void The_loss_sees_the_old_centre_which_then_moves_towards_the_teachers_scores()
    {
        using var run = new MethodRun(s_small with { CentreMomentum = 0.75 });
        using var other = new MethodRun(s_small with { CentreMomentum = 0 });
        TensorAssert.Equal(zeros(12, ScalarType.Float64), run.State()["centre.mean"]);
        Contrastive.Views views = run.RandomViews();
        Assert.Equal(run.Step(views), other.Step(views), 1e-12); // however far the centre moves, it moves later
        Tensor first = other.State()["centre.mean"]; // the mean of the scores itself
        Assert.True(first.abs().max().item<double>() > 1e-3);
        TensorAssert.Equal(0.25 * first, run.State()["centre.mean"]);
        Assert.True(Math.Abs(run.Step(views) - other.Step(views)) > 1e-6);
    }

    [Fact]
    public void The_centre_is_the_mean_of_both_large_views_and_small_ones_do_not_move_it()
    {
        using var run = new MethodRun(s_small);
        using var more = new MethodRun(s_small);
        Contrastive.Views two = run.RandomViews();
        Tensor small = run.RandomViews()[0].narrow(2, 0, 4).narrow(3, 0, 4);
        double loss = run.Step(two), withSmall = more.Step(new Contrastive.Views(two[0], two[1], small));
        Assert.NotEqual(loss, withSmall);
        TensorAssert.Equal(run.State()["centre.mean"], more.State()["centre.mean"]);
        TensorAssert.Equal(run.State()["target_encoder.1.running_mean"], more.State()["target_encoder.1.running_mean"]);
    }

    [Fact]
    public void The_last_layer_stays_at_first_without_decay_and_the_teacher_follows_after_the_step()
    {
        var optimizer = new AdamW { WeightDecay = 0.5 };
        using var run = new MethodRun(s_small with { FrozenLastLayerSteps = 2 }, optimizer: optimizer, rate: 0.01);
        Dictionary<string, Tensor> expected = run.State();
        for (int step = 0; step < 4; step++)
        {
            Dictionary<string, Tensor> before = run.State();
            run.Step();
            Dictionary<string, Tensor> now = run.State();
            Assert.Equal(step < 2, before["last_layer.weight_v"].equal(now["last_layer.weight_v"]).all().item<bool>());
            Assert.False(before["head.0.weight"].equal(now["head.0.weight"]).all().item<bool>());
            foreach (string name in now.Keys.Where(name => name.StartsWith("target_", StringComparison.Ordinal) && !name.Contains("running_", StringComparison.Ordinal)))
            {
                expected[name] = 0.9 * expected[name] + 0.1 * now[name["target_".Length..]];
                TensorAssert.Equal(expected[name], now[name]);
            }
        }
    }

    [Fact]
    public void The_last_layer_scores_by_unit_rows_unless_it_learns_their_length()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var generator = new Generator(4);
        using var fixedScale = new WeightNormLinear(5, 7, generator, learnsScale: false);
        using var learned = new WeightNormLinear(5, 7, generator, learnsScale: true);
        Tensor rows = nn.functional.normalize(empty(6, 5).normal_(0, 1, generator));
        foreach (WeightNormLinear layer in new[] { fixedScale, learned })
            Assert.True(layer.forward(rows).abs().max().item<float>() <= 1 + 1e-5f); // a cosine
        using (no_grad())
            learned.state_dict()["weight_g"].mul_(3);
        TensorAssert.Equal(
            3 * rows.mm(nn.functional.normalize(learned.state_dict()["weight_v"]).t()).detach(), learned.forward(rows).detach());
    }

    [Theory]
    [InlineData(2048, 0.02)] // as published
    [InlineData(128, 0.08)]
    public void A_narrower_head_starts_with_wider_weights(long hidden, double deviation)
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var generator = new Generator(6);
        using nn.Module<Tensor, Tensor> head = Mlp.CreateGelu(32, hidden, 64, layers: 3, generator);
        Dictionary<string, Tensor> state = head.state_dict();
        Assert.Equal(["0.bias", "0.weight", "2.bias", "2.weight", "4.bias", "4.weight"], state.Keys.Order());
        Assert.All(state.Where(entry => entry.Value.dim() == 2), entry => Assert.Equal(deviation, entry.Value.std().item<float>(), 0.1 * deviation));
        Assert.All(state.Where(entry => entry.Value.dim() == 1), entry => Assert.Equal(0, entry.Value.abs().max().item<float>()));
    }

    [Fact]
    public void The_teachers_temperature_rises_along_a_line_over_its_steps()
    {
        Assert.Equal([0.04, 0.05, 0.06, 0.07, 0.07], Enumerable.Range(0, 5).Select(step => Math.Round(Dino.Warmed(0.04, 0.07, 4, step), 12)));
        Assert.Equal(0.07, Dino.Warmed(0.04, 0.07, 0, 0));
        Assert.Equal(0.07, Dino.Warmed(0.04, 0.07, 1, 0));

        // Another temperature in the second step is another loss there.
        using var run = new MethodRun(s_small with { TeacherTemperature = 0.07, TeacherWarmupSteps = 0 });
        using var slow = new MethodRun(s_small with { TeacherTemperature = 0.07, TeacherWarmupSteps = 5 });
        using var constant = new MethodRun(s_small with { TeacherTemperature = 0.07, TeacherWarmupSteps = 5, FirstTeacherTemperature = 0.07 });
        Contrastive.Views views = run.RandomViews();
        double loss = run.Step(views);
        Assert.Equal(loss, constant.Step(views), 1e-12);
        Assert.NotEqual(loss, slow.Step(views), 1e-6);
    }

    [Theory]
    [InlineData(64, 256)]
    [InlineData(60_000, 1024)]
    [InlineData(10_000_000, 65_536)]
    public void Outcomes_fit_the_rows(long rows, int outcomes)
        => Assert.Equal(outcomes, ((Dino)new Dino().ResolveFully(new RunFacts(rows, 32, 100, 32, 32, 3, 64))).OutputSize);

    [Fact]
    public void Its_first_steps_are_published_epochs_or_a_share_of_a_short_run()
    {
        Assert.Equal((3000L, 100L, 0.99), Resolved(100_000));
        Assert.Equal((150L, 50L, 0.97), Resolved(500));

        static (long?, long?, double?) Resolved(long steps)
        {
            var method = (Dino)new Dino().Resolve(new RunFacts(25_600, 256, steps, 32, 32, 3, 64));
            return (method.TeacherWarmupSteps, method.FrozenLastLayerSteps, method.Momentum);
        }
    }

    [Fact]
    public void Transformers_and_other_encoders_get_their_own_crops_and_tiny_pictures_no_small_ones()
    {
        IReadOnlyList<ImageAugmentation> transformer = Views(ImageEncoder.ViTSmall(), 224), other = Views(ImageEncoder.ResNet50(), 224), tiny = Views(ImageEncoder.SmallConvNet(), 32);
        Assert.Equal((10, 10, 2), (transformer.Count, other.Count, tiny.Count));
        Assert.Equal([ImageAugmentations.DinoFirst, ImageAugmentations.DinoSecond], transformer.Take(2));
        Assert.All(transformer.Skip(2), view => Assert.Equal(ImageAugmentations.DinoLocal with { Size = 96 }, view));
        Assert.Equal((new RandomResizedCrop(0.14, 1), new RandomResizedCrop(0.05, 0.14)), (other[1].Crop, other[9].Crop));
        Assert.Equal([null, 0.2], tiny.Select(view => view.Solarize?.Probability));
        Assert.Equal(Dino.Paper.Augmentations, transformer);

        static IReadOnlyList<ImageAugmentation> Views(ImageEncoder encoder, int side)
            => new Dino().Resolve(new RunFacts(1000, 32, 100, side, side, 3, encoder.FeatureSize) { Encoder = encoder }).Augmentations!;
    }

    [Fact]
    public void A_transformer_trains_through_the_estimator_on_small_views_in_whole_patches()
    {
        var ml = new MLContext(1);
        IDataView data = ml.View(Pictures.Make(32));
        ImageAugmentation local = ImageAugmentations.DinoLocal with { Size = 8, Blur = null };
        var method = new Dino { Augmentations = [ImageAugmentations.DinoFirst, ImageAugmentations.DinoSecond, local, local] };
        var shape = new VisionTransformer { Patch = 4, Width = 16, Depth = 1, Heads = 2, Positions = PositionEmbedding.Learned };
        using ContrastivePretrainTransformer encoder = Estimator(method).Fit(data);
        Assert.All(encoder.Transform(data).Features(), row => Assert.All(row, number => Assert.True(float.IsFinite(number))));

        var wrong = new Dino { Augmentations = [local with { Size = null }, local with { Size = null }, local with { Size = 10 }] };
        var error = Assert.Throws<ArgumentException>(() => Estimator(wrong).Fit(data));
        Assert.Contains("Augmentations[2].Size of Dino is 10", error.Message, StringComparison.Ordinal);
        Assert.Contains("multiple of the patch, 4", error.Message, StringComparison.Ordinal);

        ContrastivePretrainEstimator Estimator(Dino dino) => ml.Transforms.ContrastivePretrain(
            "Features", "Image", dino, shape, new TrainingOptions { Steps = 3, BatchSize = 16 }, Pictures.Shape());
    }

    [Fact]
    public void Bad_shapes_are_refused_by_name()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        Assert.Throws<ArgumentException>("centre", () => SelfDistillation.Targets(zeros(2, 3), zeros(4), 0.04));
        Assert.Throws<ArgumentException>("centre", () => SelfDistillation.Targets(zeros(2, 3), zeros(1, 3), 0.04));
        Assert.Throws<ArgumentException>("scores", () => SelfDistillation.Targets(zeros(3), zeros(3), 0.04));
        Assert.Throws<ArgumentOutOfRangeException>("temperature", () => SelfDistillation.Targets(zeros(2, 3), zeros(3), 0));
        using var centre = new Centre(3, 0.9);
        Assert.Throws<ArgumentException>("rows", () => centre.Update(zeros(2, 4)));
        Assert.Throws<ArgumentException>("rows", () => centre.Update(zeros(0, 3)));
        Assert.Throws<ArgumentOutOfRangeException>("momentum", () => new Centre(3, 1.1));
        Assert.Throws<ArgumentOutOfRangeException>("dimension", () => new Centre(0, 0.9));
    }
}
