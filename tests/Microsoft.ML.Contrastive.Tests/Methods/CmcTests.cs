using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class CmcTests
{
    private static readonly Cmc s_nce = new() { Contrast = BankContrast.Nce, NoiseRows = 5 };

    public static TheoryData<Cmc> Contrasts => [new Cmc { Contrast = BankContrast.Softmax }, s_nce with { Contrast = BankContrast.SampledSoftmax }, s_nce];

    [Theory]
    [MemberData(nameof(Contrasts))]
    public void Each_bank_takes_its_own_views_features_in_the_batchs_rows_and_no_others(Cmc method)
    {
        using var run = new MethodRun(method);
        using Contrastive.Views views = run.RandomViews(firstRow: 16);
        (Tensor luminance, Tensor color) = Features(run, views[0]);
        Dictionary<string, Tensor> before = run.State();
        run.Step(views);
        Dictionary<string, Tensor> after = run.State();
        foreach ((string bank, Tensor features) in new[] { ("luminance_bank.rows", luminance), ("color_bank.rows", color) })
        {
            Tensor expected = before[bank];
            expected[16..24] = nn.functional.normalize(0.5 * expected[16..24] + 0.5 * nn.functional.normalize(features));
            TensorAssert.Equal(expected, after[bank]);
        }
    }

    [Fact]
    public void Each_view_is_looked_for_in_the_others_bank_and_both_losses_are_added()
    {
        using var run = new MethodRun(new Cmc { Contrast = BankContrast.Softmax });
        using Contrastive.Views views = run.RandomViews();
        (Tensor luminance, Tensor color) = Features(run, views[0]);
        Dictionary<string, Tensor> state = run.State();
        double temperature = ((Cmc)run.Method).Temperature!.Value;
        Tensor expected = InstanceDiscrimination.SoftmaxLoss(luminance, state["color_bank.rows"], views.RowIndices, temperature)
            + InstanceDiscrimination.SoftmaxLoss(color, state["luminance_bank.rows"], views.RowIndices, temperature);
        Assert.Equal(expected.ToDouble(), run.Step(views), 1e-9);
    }

    [Fact]
    public void Empty_banks_are_filled_before_anything_is_asked_of_them()
    {
        using var run = new MethodRun(s_nce with { Start = BankStart.Empty }, steps: 20);
        using Contrastive.Views views = run.RandomViews();
        (Tensor luminance, Tensor color) = Features(run, views[0]);
        Assert.Equal(0, run.Step(views));
        TensorAssert.Equal(nn.functional.normalize(luminance), run.State()["luminance_bank.rows"][..8]);
        TensorAssert.Equal(nn.functional.normalize(color), run.State()["color_bank.rows"][..8]);
        Assert.True(run.Step(run.RandomViews(firstRow: 4)) > 0);
    }

    [Fact]
    public void Each_direction_has_a_Z_of_its_own_which_stays()
    {
        using var run = new MethodRun(s_nce);
        run.Step();
        (double luminance, double color) = Z();
        Assert.NotEqual(luminance, color);
        run.Step();
        Assert.Equal((luminance, color), Z());

        (double, double) Z() => (run.State()["luminance_partition.log_z"].item<double>(), run.State()["color_partition.log_z"].item<double>());
    }

    [Theory]
    [MemberData(nameof(Contrasts))]
    public void Every_weight_has_a_gradient(Cmc method)
    {
        using var run = new MethodRun(method);
        Assert.Equal(run.Learner.named_parameters().Select(entry => entry.name).Order(), run.Gradients().Keys.Order());
    }

    [Fact]
    public void Neither_part_sees_what_the_other_does()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        using nn.Module<Tensor, Tensor> module = ImageEncoder.LuminanceAndColor(ImageEncoder.SmallConvNet(2), ImageEncoder.SmallConvNet(3)).CreateModule(3, seed: 1);
        module.eval();
        Tensor gray = rand(2, 1, 8, 8, generator: new Generator(1)).expand(2, 3, 8, 8), brighter = gray.mul(0.5).add(0.5);
        Tensor first = module.forward(gray), second = module.forward(brighter);
        Assert.True((first - second).narrow(1, 0, 16).abs().max().ToDouble() > 1e-2);
        TensorAssert.Equal(first.narrow(1, 16, 24), second.narrow(1, 16, 24), 1e-3); // gray has next to no colour, however bright
    }

    [Fact]
    public void The_users_encoder_is_taken_twice_at_half_its_width_and_a_pair_as_it_is()
    {
        Assert.Equal(
            ImageEncoder.LuminanceAndColor(ImageEncoder.SmallConvNet(16), ImageEncoder.SmallConvNet(16)), new Cmc().EncoderFor(ImageEncoder.SmallConvNet(32)));
        Assert.Equal(ImageEncoder.ResNet18().FeatureSize, new Cmc().EncoderFor(ImageEncoder.ResNet18()).FeatureSize);
        LuminanceAndColor pair = ImageEncoder.LuminanceAndColor(ImageEncoder.ResNet18(), ImageEncoder.SmallConvNet());
        Assert.Same(pair, new Cmc().EncoderFor(pair));
        Assert.Equal(ImageEncoder.ResNet18(), new InstDisc().EncoderFor(ImageEncoder.ResNet18()));
    }

    [Fact]
    public void The_model_says_both_networks_takes_pictures_as_they_are_and_another_method_can_go_on_from_it()
    {
        var ml = new MLContext(2);
        IDataView data = ml.View(Pictures.Make(64, channels: 3), 3);
        using ContrastivePretrainTransformer encoder = Fit(new Cmc(), ImageEncoder.SmallConvNet(8), null);
        JsonNode manifest = JsonNode.Parse(encoder.Weights.Manifest.ToJson())!["input"]!;
        Assert.Equal("luminanceAndColor", (string)manifest["encoder"]!["kind"]!);
        Assert.Equal(("smallConvNet", 4), ((string)manifest["encoder"]!["color"]!["kind"]!, (int)manifest["encoder"]!["color"]!["width"]!));
        Assert.Equal([1f, 1f, 1f], manifest["normalization"]!["deviation"]!.AsArray().Select(number => (float)number!));
        using ContrastivePretrainTransformer further = Fit(new SimClrV1(), encoder.Encoder, encoder);
        Assert.Equal(64, further.FeatureSize);

        ContrastivePretrainTransformer Fit(ContrastiveMethod method, Encoder network, ContrastivePretrainTransformer? previous)
            => ml.Transforms.ContrastivePretrain("Features", "Image", method, network, new TrainingOptions { Steps = 2, BatchSize = 32 }, Pictures.Shape(3)).Fit(data, previous);
    }

    [Fact]
    public void Two_banks_count_and_the_view_leaves_colour_alone()
    {
        var facts = new RunFacts(5_000_000, 256, 10_000, 224, 224, 3, 512);
        _ = new InstDisc { ProjectionSize = 256 }.Resolve(facts);
        Assert.Throws<ArgumentException>(() => new Cmc { ProjectionSize = 256 }.Resolve(facts));
        ImageAugmentation view = Assert.Single(new Cmc().Resolve(facts).Augmentations!);
        Assert.Equal((null, 0.0, 0.2), (view.Jitter, view.GrayscaleProbability, view.Crop!.MinArea));
        Assert.Throws<ArgumentException>(() => new Cmc().Resolve(facts with { HasColor = false }));
    }

    /// <summary>What both networks make of a view in the coming step, without moving their batch norms.</summary>
    private static (Tensor Luminance, Tensor Color) Features(MethodRun run, Tensor view)
    {
        using var noGradient = no_grad();
        Dictionary<string, Tensor> state = run.State();
        (Tensor luminance, Tensor color) = ((LuminanceAndColorModule)run.Learner.Encoder).Features(view);
        (luminance, color) = (Projector("luminance_projector").forward(luminance), Projector("color_projector").forward(color));
        run.Learner.load_state_dict(state);
        return (luminance, color);

        nn.Module<Tensor, Tensor> Projector(string name)
            => (nn.Module<Tensor, Tensor>)run.Learner.named_children().Single(child => child.name == name).module;
    }
}
