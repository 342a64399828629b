using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class CpcTests
{
    [Fact]
    public void A_patch_is_seen_as_if_it_were_cut_out_and_no_other_with_it()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        PartsModule module = Module(new PatchEncoder { Width = 2 }, 64);
        Tensor picture = Random(2, 3, 64, 64), parts = module.Parts(picture);
        Assert.Equal([2L, 7, 7, 16], parts.shape);
        foreach ((int row, int column) in new[] { (0, 0), (2, 5), (6, 6) })
        {
            Tensor cut = zeros_like(picture);
            cut.narrow(2, 8 * row, 16).narrow(3, 8 * column, 16).copy_(picture.narrow(2, 8 * row, 16).narrow(3, 8 * column, 16));
            TensorAssert.Equal(parts[.., row, column], module.Parts(cut)[.., row, column], 1e-12);
        }
    }

    [Fact]
    public void Of_a_patch_a_random_piece_is_seen_with_zeros_around_it()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        PartsModule module = Module(new PatchEncoder { Width = 2 }, 64);
        Tensor picture = Random(2, 3, 64, 64), whole = module.Parts(picture), cropped = module.CroppedParts(picture, 12.0 / 16, Draws());
        TensorAssert.Equal(whole, module.CroppedParts(picture, 1, Draws()), 1e-9);
        TensorAssert.Equal(cropped, module.CroppedParts(picture, 12.0 / 16, Draws()), 0);

        // Each part is one of the 5 x 5 pieces of its own patch, and many different ones are drawn.
        var places = new HashSet<(int, int)>();
        foreach ((int row, int column) in from row in Enumerable.Range(0, 7) from column in Enumerable.Range(0, 7) select (row, column))
        {
            Tensor patch = picture[1].narrow(1, 8 * row, 16).narrow(2, 8 * column, 16);
            (int, int)[] fitting = [.. (from top in Enumerable.Range(0, 5) from left in Enumerable.Range(0, 5) select (top, left)).Where(place =>
            {
                Tensor alone = zeros_like(picture);
                alone[1].narrow(1, 8 * row + 2, 12).narrow(2, 8 * column + 2, 12).copy_(patch.narrow(1, place.top, 12).narrow(2, place.left, 12));
                return (module.Parts(alone)[1, row, column] - cropped[1, row, column]).abs().max().ToDouble() < 1e-9;
            })];
            places.Add(Assert.Single(fitting));
        }
        Assert.InRange(places.Count, 10, 25);

        static Func<int, int> Draws()
        {
            var random = new Random(1);
            return random.Next;
        }
    }

    [Fact]
    public void The_crop_within_patches_is_of_training_alone_and_of_pictures()
    {
        var method = new Cpc { PatchCrop = 60.0 / 64 };
        Assert.Equal(60.0 / 64, Cpc.Paper.PatchCrop);
        Assert.Equal(1, new Cpc().PatchCrop);
        using var run = new MethodRun(method, ImageEncoder.PatchEncoder(2));
        using var plain = new MethodRun(new Cpc(), ImageEncoder.PatchEncoder(2));
        using Contrastive.Views views = run.RandomViews();
        TensorAssert.Equal(plain.Learner.Encoder.forward(views[0]), run.Learner.Encoder.forward(views[0]));
        (double first, double again, double whole) = (Loss(run, 0), Loss(run, 0), Loss(plain, 0));
        Assert.Equal(first, again);
        Assert.NotEqual(first, Loss(run, 1));
        Assert.NotEqual(first, whole);
        Assert.Equal(run.Learner.named_parameters().Select(entry => entry.name).Order(), run.Gradients().Keys.Order());

        foreach (double share in new[] { 0, -0.5, 1.01, double.NaN })
            Assert.Throws<ArgumentOutOfRangeException>(() => new Cpc { PatchCrop = share }.Validate(8));
        var facts = new RunFacts(640, 8, 100, 0, 0, 3, 16) { SequenceLength = 64, Encoder = new SequenceEncoder { Halvings = 2 } };
        Assert.Equal(1, ((Cpc)Cpc.Paper.Resolve(facts)).PatchCrop);

        double Loss(MethodRun of, long index) => of.Learner.Loss(views, new Step(index, 10, seed: 1)).ToDouble();
    }

    [Fact]
    public void A_context_knows_its_row_and_those_above_and_none_below()
    {
        using var scope = NewDisposeScope();
        PartsModule module = Module(new PatchEncoder { Width = 2 }, 64);
        Tensor parts = Random(1, 7, 7, 16).requires_grad_();
        module.Contexts(parts)[.., 3].sum().backward();
        Tensor reached = parts.grad!.abs().sum([0, 2, 3]);
        Assert.Equal(0, reached[4..].sum().item<double>());
        Assert.All(Enumerable.Range(0, 4), row => Assert.True(reached[row].item<double>() > 0));
    }

    [Fact]
    public void A_context_of_a_sequence_knows_its_time_and_those_before_and_none_after()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var module = (PartsModule)new SequenceEncoder { Width = 2, Halvings = 1, ContextSize = 3 }.Build(5, generator).to(ScalarType.Float64);
        Tensor sequence = Random(1, 20, 5).requires_grad_();
        Tensor contexts = module.Contexts(module.Parts(sequence));
        Assert.Equal([1L, 9, 1, 3], contexts.shape);
        contexts[.., 4].sum().backward();
        Tensor reached = sequence.grad!.abs().sum([0, 2]); // the window of part 4 is times 8 to 11
        Assert.Equal(0, reached[12..].sum().item<double>());
        Assert.All(Enumerable.Range(0, 12), time => Assert.True(reached[time].item<double>() > 0));
    }

    [Fact]
    public void A_prediction_looks_for_the_part_so_many_rows_below_in_its_own_column()
    {
        using var scope = NewDisposeScope();
        // Unit vectors, one for each place: only the right place has a score.
        Tensor parts = eye(2 * 4 * 3, dtype: ScalarType.Float64).view(2, 4, 3, 24).mul(50);
        Assert.Equal(0, Loss(parts.narrow(1, 2, 2), firstRow: 2), 1e-9);
        Assert.True(Loss(parts.narrow(1, 1, 2), firstRow: 2) > 100);
        Assert.True(Loss(parts.narrow(1, 2, 2).flip(2), firstRow: 2) > 100);

        double Loss(Tensor predictions, long firstRow) => CpcInfoNce.Loss(parts, predictions, firstRow, CpcCandidates.AllPositions).item<double>();
    }

    [Fact]
    public void The_loss_is_the_mean_over_steps_and_groups_of_examples()
    {
        using var run = new MethodRun(new Cpc { FirstStep = 2, PredictionSteps = 3, ExamplesTogether = 3 });
        using Contrastive.Views views = run.RandomViews();
        var encoder = (PartsModule)run.Learner.Encoder;
        var predictors = run.Learner.named_children().Where(child => child.name != "encoder").ToDictionary(child => child.name, child => (nn.Module<Tensor, Tensor>)child.module);
        Assert.Equal(["predictor_step2", "predictor_step3"], predictors.Keys.Order());
        Tensor parts = encoder.Parts(views[0]), contexts = encoder.Contexts(parts);
        double sum = 0;
        foreach (int k in new[] { 2, 3 })
            foreach ((int start, int count) in new[] { (0, 3), (3, 3), (6, 2) })
            {
                Tensor predictions = predictors[$"predictor_step{k}"].forward(contexts[start..(start + count), ..(7 - k)]) * 0.1;
                sum += CpcInfoNce.Loss(parts[start..(start + count)], predictions, k, CpcCandidates.AllPositions).item<double>() * count / 8;
            }
        Assert.Equal(sum / 2, run.Step(views), 1e-9);
    }

    [Fact]
    public void Every_weight_has_a_gradient()
    {
        using var run = new MethodRun(new Cpc());
        Assert.Equal(run.Learner.named_parameters().Select(entry => entry.name).Order(), run.Gradients().Keys.Order());
    }

    [Fact]
    public void A_small_conv_net_becomes_the_patch_encoder_of_its_size_and_others_are_refused_by_name()
    {
        Assert.Equal(ImageEncoder.PatchEncoder(16, grid: 2), new Cpc().EncoderFor(ImageEncoder.SmallConvNet(16, grid: 2)));
        Assert.Equal(ImageEncoder.PatchEncoder(16, patch: 32), new Cpc().EncoderFor(ImageEncoder.PatchEncoder(16, patch: 32)));
        foreach (ImageEncoder whole in new ImageEncoder[] { ImageEncoder.ViTTiny(), ImageEncoder.ResNet18(), ImageEncoder.LuminanceAndColor(ImageEncoder.SmallConvNet(), ImageEncoder.SmallConvNet()) })
        {
            ArgumentException error = Assert.Throws<ArgumentException>(() => new Cpc().EncoderFor(whole));
            Assert.Contains(whole.GetType().Name, error.Message, StringComparison.Ordinal);
            Assert.Contains("ImageEncoder.PatchEncoder", error.Message, StringComparison.Ordinal);
        }
        Assert.Equal(128, ((PatchEncoder)new Cpc().EncoderFor(ImageEncoder.SmallConvNet(128))).Width);
        Assert.Contains("128 at most", Assert.Throws<ArgumentException>(() => new Cpc().EncoderFor(ImageEncoder.SmallConvNet(129))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_estimator_refuses_an_encoder_that_sees_pictures_whole_before_it_sees_any_and_finds_its_own()
    {
        var ml = new MLContext(1);
        Assert.Contains("VisionTransformer", Assert.Throws<ArgumentException>(() => ml.Transforms.ContrastivePretrain("Features", "Image", new Cpc(), ImageEncoder.ViTTiny())).Message, StringComparison.Ordinal);
        IDataView data = ml.View(Pictures.Make(64));
        using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
            "Features", "Image", new Cpc(), training: new TrainingOptions { Steps = 2, BatchSize = 32 }, imageShape: Pictures.Shape()).Fit(data);
        Assert.Equal(ImageEncoder.PatchEncoder(), encoder.Encoder);
        Assert.Equal((32, 64), (((PatchEncoder)new Cpc().DefaultEncoder(96)).Patch, ((PatchEncoder)new Cpc().DefaultEncoder(224)).Patch));
    }

    [Fact]
    public void Scores_that_are_all_equal_cost_what_it_says()
    {
        using var run = new MethodRun(new Cpc { ExamplesTogether = 3 });
        double expected = ((6 * Math.Log(3 * 49)) + (2 * Math.Log(2 * 49))) / 8;
        Assert.Equal(expected, run.Learner.FlatLoss(MethodRun.BatchSize)!.Value, 1e-12);
        using (no_grad())
            foreach ((string name, TorchSharp.Modules.Parameter parameter) in run.Learner.named_parameters())
                if (name.StartsWith("predictor", StringComparison.Ordinal))
                    parameter.zero_();
        Assert.Equal(expected, run.Step(), 1e-9);
    }

    private static PartsModule Module(ImageEncoder encoder, int side)
    {
        NativeTorch.EnsureLoaded();
        using var generator = new Generator(1);
        return (PartsModule)encoder.Build(3, side, side, generator).to(ScalarType.Float64);
    }

    private static Tensor Random(params long[] shape) => empty(shape, ScalarType.Float64).normal_(0, 1, new Generator(2));
}
