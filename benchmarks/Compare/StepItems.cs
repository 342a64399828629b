using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Training steps, by the runner and the learners that Fit uses, on views that are ready.</summary>
internal static class StepItems
{
    private const double Rate = 0.01;
    private const int Batches = 4;

    public static Item ResNet { get; } = new(
        "resnet18-step", "training step, ResNet-18, SimCLR, 64 in two views: 128 of 3x32x32", "PyTorch", "step", 1.0, 1.3, Rounds: 7,
        workshop => Pictures(workshop, "resnet18", ImageEncoder.ResNet18(Stem.Small), rows: 64, side: 32, channels: 3, times: 1, Flops.Training(Flops.ResNet18Small(32, 3), 128)));

    public static Item SmallConvNet { get; } = new(
        "simclr-step", "SimCLR step, small conv net, 256 in two views of 1x28x28", "PyTorch", "step", 1.0, 1.5, Rounds: 11,
        workshop => Pictures(workshop, "small", ImageEncoder.SmallConvNet(), rows: 256, side: 28, channels: 1, times: 8, Flops.Training(Flops.SmallConvNet(28, 1), 512)));

    public static Item Mlp { get; } = new(
        "mlp-step", "training step, MLP 32-64-10 on 64 rows: the overhead of a step", "PyTorch", "step", 0.7, 1.0, Rounds: 15, OfMlp);

    private static Contest Pictures(
        Workshop workshop, string net, ImageEncoder shape, int rows, int side, int channels, int times, double operations)
    {
        var facts = new RunFacts(Batches * rows, rows, 1000, side, side, channels, shape.FeatureSize);
        var method = (SimClrV1)new SimClrV1().Resolve(facts);
        float[] half = [.. Enumerable.Repeat(0.5f, channels)];
        byte[][] pictures = MadePictures.Make(Batches * rows, side, channels);
        var maker = new ImageBatchMaker(row => new Picture(pictures[row], side, side, channels), method.Augmentations!, new Normalization(half, half), side, side, channels);
        Views[] batches = [.. Enumerable.Range(0, Batches).Select(batch => maker.Make([.. Enumerable.Range(batch * rows, rows)], epoch: 0, seed: 1))];

        using var generator = new Generator(2);
        Learner learner = method.CreateLearner(new LearnerSetup(() => shape.Build(channels, side, side, generator), shape.FeatureSize, generator, facts));
        string file = workshop.Write(net, [.. Workshop.State(learner), .. batches.Index().Select(batch => ($"batch.{batch.Index}", batch.Item.Stacked().contiguous()))]);
        return Steps(workshop, learner, method.Optimizer!, batches, times, operations, new JsonObject
        {
            ["net"] = net, ["channels"] = channels, ["batches"] = Batches, ["file"] = file, ["times"] = times, ["rate"] = Rate, ["temperature"] = method.Temperature,
        });
    }

    private static Contest OfMlp(Workshop workshop)
    {
        const int rows = 64, inputs = 32, hidden = 64, classes = 10, times = 500;
        using var generator = new Generator(3);
        var learner = new MlpLearner(inputs, hidden, classes, generator);
        var views = new Views(randn(rows, inputs, generator: generator)) { Labels = randint(0, classes, rows, ScalarType.Int64, generator: generator) };
        string file = workshop.Write("mlp", [.. Workshop.State(learner).Select(entry => (entry.Name["mlp.".Length..], entry.Value)), ("batch.0", views[0]), ("labels", views.Labels)]);
        return Steps(workshop, learner, new Sgd { WeightDecay = 0 }, [views], times, operations: null, new JsonObject
        {
            ["net"] = "mlp", ["hidden"] = hidden, ["classes"] = classes, ["file"] = file, ["times"] = times, ["rate"] = Rate,
        });
    }

    private static Contest Steps(Workshop workshop, Learner learner, OptimizerSettings optimizer, Views[] batches, int times, double? operations, JsonObject settings)
    {
        settings["threads"] = workshop.Threads;
        learner.train();
        var runner = new StepRunner(learner, optimizer);
        var peer = new Peer("steps.py", workshop.Threads);
        long done = 0;
        return new Contest
        {
            Ours = () => Workshop.Seconds(() => Step(), times),
            Theirs = peer.Round,
            Check = new Check("losses of three steps", 1e-3, () => Check.Largest([Step(), Step(), Step()], peer.Values())),
            Threads = workshop.Threads,
            Versions = peer.Prepare(settings),
            Operations = operations,
        }.Owning([learner, runner, peer, .. batches]);

        double Step()
        {
            double loss = runner.Run(batches[done % batches.Length], new Step(done, long.MaxValue, 1), Rate, Rate).Loss;
            done++;
            return loss;
        }
    }

    /// <summary>A classifier of vectors, whose step is almost all overhead.</summary>
    private sealed class MlpLearner : Learner
    {
        private readonly nn.Module<Tensor, Tensor> mlp;

        public MlpLearner(int inputs, int hidden, int classes, Generator generator)
            : base(nameof(MlpLearner))
        {
            mlp = Contrastive.Mlp.Create(inputs, hidden, classes, layers: 2, new MlpForm(HiddenNorm: false, HiddenBias: true, OutputBias: true), generator);
            RegisterComponents();
        }

        public override nn.Module<Tensor, Tensor> Encoder => mlp;

        public override Tensor Loss(Views views, Step step) => nn.functional.cross_entropy(mlp.forward(views[0]), views.Labels);
    }
}
