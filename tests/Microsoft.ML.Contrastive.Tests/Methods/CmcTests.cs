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

        (double, double) Z() => (run.State()["luminance_color_partition.log_z"].item<double>(), run.State()["color_luminance_partition.log_z"].item<double>());
    }

    [Theory]
    [MemberData(nameof(Contrasts))]
    public void Every_weight_has_a_gradient(Cmc method)
    {
        using var run = new MethodRun(method);
        Assert.Equal(run.Learner.named_parameters().Select(entry => entry.name).Order(), run.Gradients().Keys.Order());
    }

    public static TheoryData<Cmc> ThreeViews => [new Cmc { Contrast = BankContrast.Softmax, Planes = CmcPlanes.Each }, s_nce with { Planes = CmcPlanes.Each, ColorSpace = CmcColorSpace.YCbCr }];

    [Theory]
    [MemberData(nameof(ThreeViews))]
    public void Of_three_views_every_pair_is_asked_both_ways_and_each_bank_takes_its_own_view(Cmc method)
    {
        using var run = new MethodRun(method);
        using Contrastive.Views views = run.RandomViews(firstRow: 16);
        string[] names = ["luminance", "firstColor", "secondColor"];
        double[][][] features = Features(run, views[0], names);
        Dictionary<string, Tensor> before = run.State();
        double[][][] banks = [.. names.Select(name => Numbers(before[$"{name}_bank.rows"]))];
        double temperature = ((Cmc)run.Method).Temperature!.Value;
        var learner = (CmcLearner)run.Learner;
        Func<Tensor, long, Step, Tensor> draw = learner.DrawNoise;
        long[,] noise = new long[8, 0];
        learner.DrawNoise = (own, rows, step) =>
        {
            Tensor drawn = draw(own, rows, step);
            noise = new long[drawn.shape[0], drawn.shape[1]];
            Buffer.BlockCopy(drawn.data<long>().ToArray(), 0, noise, 0, noise.Length * sizeof(long));
            return drawn;
        };

        double loss = run.Step(views), expected = 0;
        for (int view = 0; view < 3; view++)
            for (int other = 0; other < 3; other++)
                if (view != other)
                    expected += method.Contrast == BankContrast.Softmax ? Softmax(features[view], banks[other]) : Nce(features[view], banks[other]);
        Assert.Equal(expected, loss, 1e-9);
        Assert.Equal(6, run.Learner.named_children().Count(child => child.name.EndsWith("_partition", StringComparison.Ordinal)) + (method.Contrast == BankContrast.Softmax ? 6 : 0));
        Assert.Equal(6 * (method.Contrast == BankContrast.Softmax ? Math.Log(MethodRun.Rows) : InstanceDiscrimination.NceFlatLoss(5)), run.Learner.FlatLoss(8)!.Value, 1e-9);

        Dictionary<string, Tensor> after = run.State();
        for (int view = 0; view < 3; view++)
        {
            double[][] moved = Numbers(after[$"{names[view]}_bank.rows"]);
            for (int row = 0; row < MethodRun.Rows; row++)
            {
                double[] wanted = row is < 16 or >= 24 ? banks[view][row] : Unit([.. banks[view][row].Zip(Unit(features[view][row - 16]), (old, now) => 0.5 * old + 0.5 * now)]);
                Assert.All(wanted.Zip(moved[row]), pair => Assert.Equal(pair.First, pair.Second, 1e-9));
            }
        }

        double Softmax(double[][] asked, double[][] bank) => asked.Index().Average(row =>
            Math.Log(bank.Sum(each => Math.Exp(Dot(Unit(row.Item), each) / temperature))) - Dot(Unit(row.Item), bank[16 + row.Index]) / temperature);

        double Nce(double[][] asked, double[][] bank)
        {
            double[][] exponentials = [.. asked.Index().Select(row => Enumerable.Range(0, 6).Select(k => Math.Exp(Dot(Unit(row.Item), bank[noise[row.Index, k]]) / temperature)).ToArray())];
            double z = MethodRun.Rows * exponentials.Average(row => row.Average()), share = 5.0 / MethodRun.Rows;
            return exponentials.Average(row => -Math.Log(row[0] / z / (row[0] / z + share)) - row.Skip(1).Sum(each => Math.Log(share / (each / z + share))));
        }
    }

    [Fact]
    public void YCbCr_has_the_standards_values_and_is_scaled_as_published()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        double[][] colors = [[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 0, 1], [0.2, 0.5, 0.8]];
        Tensor rgb = tensor(colors.SelectMany(color => color).ToArray(), [5, 3, 1, 1]);
        // ITU-R BT.601: black, white, red and blue at 8 bits; the last by its formula.
        double[][] expected = [[16, 128, 128], [235, 128, 128], [81.481, 90.203, 240], [40.966, 240, 109.786], [113.3455, 172.9391, 88.9358]];
        TensorAssert.Equal(tensor(expected.SelectMany(color => color).ToArray(), [5, 3, 1, 1]), cat(ColorPlanes.YCbCr(rgb), 1), 1e-9);
        Tensor scaled = cat(ColorPlanes.FromRgb(rgb, CmcColorSpace.YCbCr), 1);
        Assert.Equal((235 - 116.151) / 109.5, scaled[1, 0, 0, 0].ToDouble(), 1e-9);
        Assert.Equal((240 - 132.342) / 111.964, scaled[2, 2, 0, 0].ToDouble(), 1e-9);
        var encoder = new LuminanceAndColor(ImageEncoder.SmallConvNet(2), ImageEncoder.SmallConvNet(2)) { ColorSpace = CmcColorSpace.YCbCr };
        Tensor[] seen = encoder.Split(rgb);
        TensorAssert.Equal(scaled.narrow(1, 0, 1), seen[0]);
        TensorAssert.Equal(scaled.narrow(1, 1, 2), seen[1]);
    }

    [Fact]
    public void Color_space_and_planes_are_the_encoders_and_what_contradicts_is_refused()
    {
        ImageEncoder half = ImageEncoder.SmallConvNet(16);
        var three = new Cmc { Planes = CmcPlanes.Each, ColorSpace = CmcColorSpace.YCbCr };
        Assert.Equal(new LuminanceAndTwoColors(half, half, half) { ColorSpace = CmcColorSpace.YCbCr }, three.EncoderFor(ImageEncoder.SmallConvNet(32)));
        Assert.Equal(CmcColorSpace.YCbCr, ((ColorViews)new Cmc { ColorSpace = CmcColorSpace.YCbCr }.EncoderFor(half)).ColorSpace);
        Assert.Contains("ColorSpace", Assert.Throws<ArgumentException>(() => three.EncoderFor(new LuminanceAndTwoColors(half, half, half))).Message, StringComparison.Ordinal);
        Assert.Contains("LuminanceAndTwoColors", Assert.Throws<ArgumentException>(() => new Cmc().EncoderFor(new LuminanceAndTwoColors(half, half, half))).Message, StringComparison.Ordinal);
        Assert.Contains("LuminanceAndColor", Assert.Throws<ArgumentException>(() => (three with { ColorSpace = CmcColorSpace.Lab }).EncoderFor(new LuminanceAndColor(half, half))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Cmc { ColorSpace = (CmcColorSpace)2 }.Validate(8));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Cmc { Planes = (CmcPlanes)2 }.Validate(8));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LuminanceAndColor(half, half) { ColorSpace = (CmcColorSpace)2 }.Validate());
    }

    [Fact]
    public void Three_planes_train_save_and_load()
    {
        var ml = new MLContext(2);
        IDataView data = ml.View(Pictures.Make(64, channels: 3), 3);
        var method = new Cmc { Planes = CmcPlanes.Each, ColorSpace = CmcColorSpace.YCbCr };
        using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", method, ImageEncoder.SmallConvNet(8), new TrainingOptions { Steps = 3, BatchSize = 32 }, Pictures.Shape(3)).Fit(data);
        using var stream = new MemoryStream();
        ml.Model.Save(encoder, data.Schema, stream);
        stream.Position = 0;
        using var loaded = (ContrastivePretrainTransformer)new MLContext(9).Model.Load(stream, out _);
        Assert.Equal(encoder.Encoder, loaded.Encoder);
        Assert.Equal(3 * 32, loaded.FeatureSize);
        Assert.All(encoder.Transform(data).Features().Zip(loaded.Transform(data).Features()), rows => Assert.All(rows.First.Zip(rows.Second), pair => Assert.Equal(pair.First, pair.Second, 1e-4f)));
    }

    [Fact]
    public void Models_from_before_there_was_a_color_space_have_Lab()
    {
        var ml = new MLContext(2);
        using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", new Cmc(), ImageEncoder.SmallConvNet(4), new TrainingOptions { Steps = 1, BatchSize = 32 }, Pictures.Shape(3)).Untrained(ml.View(Pictures.Make(64, channels: 3), 3));
        JsonNode older = JsonNode.Parse(encoder.Weights.Manifest.ToJson())!;
        Assert.True(older["input"]!["encoder"]!.AsObject().Remove("colorSpace"));
        Assert.Equal(encoder.Encoder, EncoderManifest.Parse(older.ToJsonString()).Input.Network);
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
        Tensor[] features = Projected(run, view, ["luminance", "color"]);
        return (features[0], features[1]);
    }

    private static double[][][] Features(MethodRun run, Tensor view, string[] names) => [.. Projected(run, view, names).Select(Numbers)];

    private static Tensor[] Projected(MethodRun run, Tensor view, string[] names)
    {
        using var noGradient = no_grad();
        Dictionary<string, Tensor> state = run.State();
        Tensor[] features = [.. ((MultiviewModule)run.Learner.Encoder).Features(view).Zip(names, (seen, name) => Projector($"{name}_projector").forward(seen))];
        run.Learner.load_state_dict(state);
        return features;

        nn.Module<Tensor, Tensor> Projector(string name)
            => (nn.Module<Tensor, Tensor>)run.Learner.named_children().Single(child => child.name == name).module;
    }

    private static double[][] Numbers(Tensor matrix) => [.. matrix.data<double>().ToArray().Chunk((int)matrix.shape[1])];

    private static double[] Unit(double[] row) => [.. row.Select(x => x / Math.Sqrt(Dot(row, row)))];

    private static double Dot(double[] one, double[] other) => one.Zip(other, (x, y) => x * y).Sum();
}
