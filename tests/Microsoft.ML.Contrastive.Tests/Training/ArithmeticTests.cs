using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>The fast ways to a product equal the plain one, and a run, a checkpoint and a model keep the way that was chosen.</summary>
public sealed class ArithmeticTests : IDisposable
{
    private static readonly Arithmetic Reduced = new(LinearInBFloat16: true, ConvolutionInBFloat16: true);
    private readonly string _folder = Directory.CreateTempSubdirectory("arithmetic").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(new long[] { 600 }, 40, 24)]
    [InlineData(new long[] { 40, 17 }, 64, 300)]
    [InlineData(new long[] { 3, 2, 512 }, 384, 1024)]
    public void A_linear_layer_as_a_convolution_has_the_products_values_and_gradients(long[] rows, int inputs, int outputs)
        => Agree(
            Arithmetic.Of(Precision.Single, LinearKernel.Convolution, CPU), // the product itself where libtorch's pointwise convolutions are wrong
            arithmetic => (x, w, b) => arithmetic.Multiply(x, w, b), [.. rows, inputs], [outputs, inputs], tolerance: 1e-5);

    [Fact]
    public void BFloat16_has_two_digits_of_single_precision_and_gradients_in_single_precision()
    {
        Agree(Reduced, arithmetic => (x, w, b) => arithmetic.Multiply(x, w, b), [50, 64], [32, 64], tolerance: 0.02);
        Agree(Reduced, arithmetic => (x, w, b) => arithmetic.Convolve(x, w, b, [2, 2], [1, 1]), [4, 8, 9, 9], [16, 8, 3, 3], tolerance: 0.02);
    }

    [Fact]
    public void A_trial_may_come_in_a_pass_without_gradients_and_asks_no_generator()
    {
        byte[] before = get_rng_state().bytes.ToArray();
        using (no_grad())
            foreach (double ratio in new[] { Arithmetic.Speed.OfLinearAsConvolution(), Arithmetic.Speed.OfLinearInBFloat16(), Arithmetic.Speed.OfConvolutionInBFloat16() })
                Assert.InRange(ratio, 0, 100); // 0: wrong here, so not taken
        Assert.Equal(before, get_rng_state().bytes.ToArray());
    }

    [Fact]
    public void Double_precision_is_never_reduced()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        Tensor x = randn([600, 8], ScalarType.Float64, generator: generator), w = randn([5, 8], ScalarType.Float64, generator: generator);
        Assert.Equal(nn.functional.linear(x, w).data<double>().ToArray(), Reduced.Multiply(x, w).data<double>().ToArray());
    }

    [Fact]
    public void A_scope_holds_for_its_thread_and_ends_in_what_was_before()
    {
        using (Reduced.Use())
        {
            var convolution = new Arithmetic(LinearKernel.Convolution);
            using (convolution.Use())
                Assert.Same(convolution, Arithmetic.Current);
            Assert.Same(Reduced, Arithmetic.Current);
            Arithmetic? elsewhere = null;
            var thread = new Thread(() => elsewhere = Arithmetic.Current);
            thread.Start();
            thread.Join();
            Assert.Same(Arithmetic.Plain, elsewhere);
        }
        Assert.Same(Arithmetic.Plain, Arithmetic.Current);
    }

    [Fact]
    public void A_step_in_bfloat16_leaves_single_weights_near_those_of_a_single_step()
    {
        float[][] trained = [.. new[] { Arithmetic.Plain, Reduced }.Select(arithmetic =>
        {
            using var scope = NewDisposeScope();
            using var generator = new Generator(1);
            var facts = new RunFacts(Rows: 64, BatchSize: 32, TotalSteps: 2, ImageHeight: 16, ImageWidth: 16, Channels: 1, FeatureSize: 64);
            ContrastiveMethod method = new SimClrV1().Resolve(facts);
            ImageEncoder encoder = ImageEncoder.SmallConvNet(width: 8);
            using Learner learner = method.CreateLearner(new LearnerSetup(() => encoder.Build(1, 16, 16, generator), encoder.FeatureSize, generator, facts));
            using var runner = new StepRunner(learner, new Sgd { Momentum = 0 }, arithmetic: arithmetic);
            Tensor views = rand([64, 1, 16, 16], generator: generator);
            runner.Run(new Views([views[..32], views[32..]]), new Step(0, 2, seed: 1), rate: 0.1, constantRate: 0.1);
            return cat([.. learner.parameters().Select(weights => weights.flatten())]).data<float>().ToArray();
        })];
        double[] differences = [.. trained[0].Zip(trained[1], (a, b) => (double)Math.Abs(a - b))];
        Assert.InRange(differences.Max(), 1e-7, 0.02); // other numbers, and near
    }

    [Fact]
    public void A_model_keeps_its_precision_and_features_differ_little()
    {
        var ml = new MLContext(1);
        IDataView data = ml.View(Pictures.Make(40));
        var encoder = ImageEncoder.ViTTiny(patch: 4) with { Width = 32, Depth = 2, Heads = 2 };
        using ContrastivePretrainTransformer single = ml.Transforms.ContrastivePretrain(
            "Features", "Image", new SimClrV1(), encoder, new TrainingOptions { Steps = 3, BatchSize = 16, Precision = Precision.BFloat16 }, Pictures.Shape()).Fit(data);
        using ContrastivePretrainTransformer reduced = single.WithPrecision(Precision.BFloat16);
        Assert.DoesNotContain("precision", Manifest(ml, single).Keys);
        Assert.Equal("bFloat16", Manifest(ml, reduced)["precision"].ToString());
        foreach ((float[] one, float[] other) in single.Transform(data).Features().Zip(reduced.Transform(data).Features()))
            Assert.InRange(Cosine(one, other), 0.999, 1.000001);
        Assert.Throws<ArgumentOutOfRangeException>(() => single.WithPrecision((Precision)7));
    }

    [Fact]
    public void A_resumed_run_computes_as_its_checkpoint_says()
    {
        LinearKernel possible = Arithmetic.Of(Precision.Single, LinearKernel.Convolution, CPU).Linear;
        Train(LinearKernel.Convolution, cancelAt: 2);
        Train(LinearKernel.Fastest);
        Assert.Equal(possible, LastWay());

        void Train(LinearKernel kernel, int? cancelAt = null)
        {
            using var source = new CancellationTokenSource();
            var options = new TrainingOptions
            {
                Steps = 4, BatchSize = 16, ReportEvery = 1, CheckpointFolder = _folder, CheckpointSteps = 1, LinearKernel = kernel, CancellationToken = source.Token,
                Progress = new OnProgress(report => { if (report.Step == cancelAt) source.Cancel(); }),
            };
            var ml = new MLContext(1);
            ContrastivePretrainEstimator estimator = ml.Transforms.ContrastivePretrain("Features", "Image", new SimSiam(), ImageEncoder.SmallConvNet(width: 4), options, Pictures.Shape());
            if (cancelAt is null)
                estimator.Fit(ml.View(Pictures.Make(40))).Dispose();
            else
                Assert.Throws<OperationCanceledException>(() => estimator.Fit(ml.View(Pictures.Make(40))));
        }

        LinearKernel LastWay()
        {
            var newest = Checkpoint.Read(Directory.GetFiles(_folder, "*.safetensors").Order(StringComparer.Ordinal).Last());
            return newest.Environment.GetProperty("arithmetic").Deserialize<Arithmetic>(EncoderManifest.Json)!.Linear;
        }
    }

    [Fact]
    public void Options_out_of_range_are_named()
    {
        foreach ((TrainingOptions options, string name) in new (TrainingOptions, string)[]
        {
            (new() { Precision = (Precision)9 }, "Precision"), (new() { LinearKernel = (LinearKernel)9 }, "LinearKernel"), (new() { ComputeThreads = 0 }, "ComputeThreads"),
        })
            Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(options.Validate).ParamName);
    }

    private static Dictionary<string, JsonElement> Manifest(MLContext ml, ContrastivePretrainTransformer encoder)
    {
        using var zip = new MemoryStream();
        ml.Model.Save(encoder, null, zip);
        return JsonDocument.Parse(ZipEntries.Read(zip.ToArray(), "manifest.json")).RootElement.EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value);
    }

    /// <summary>Values, and gradients of a weighed sum of them, with three inputs of normal numbers.</summary>
    private static void Agree(Arithmetic arithmetic, Func<Arithmetic, Func<Tensor, Tensor, Tensor, Tensor>> operation, long[] input, long[] weight, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        Tensor[] given = [randn(input, generator: generator), randn(weight, generator: generator), randn([weight[0]], generator: generator)];
        Tensor[] plain = Results(new Arithmetic(LinearKernel.Product)), other = Results(arithmetic);
        foreach ((Tensor expected, Tensor actual) in plain.Zip(other))
        {
            Assert.Equal(ScalarType.Float32, actual.dtype);
            Assert.Equal(expected.shape, actual.shape);
            Assert.InRange(actual.sub(expected).abs().max().item<float>() / expected.abs().max().item<float>(), 0, tolerance);
        }

        Tensor[] Results(Arithmetic way)
        {
            Tensor[] inputs = [.. given.Select(tensor => tensor.clone().requires_grad_(true))];
            Tensor output = operation(way)(inputs[0], inputs[1], inputs[2]);
            output.mul(arange(output.numel(), ScalarType.Float32).sin().view(output.shape)).sum().backward();
            return [output, .. inputs.Select(tensor => tensor.grad!)];
        }
    }

    private static double Cosine(float[] a, float[] b)
        => a.Zip(b, (x, y) => (double)x * y).Sum() / Math.Sqrt(a.Sum(x => (double)x * x) * b.Sum(x => (double)x * x));
}
