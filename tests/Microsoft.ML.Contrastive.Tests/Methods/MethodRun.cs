using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

/// <summary>A method's real learner on a small encoder and random views, in double precision, to look at it step by step.</summary>
internal sealed class MethodRun : IDisposable
{
    public const int BatchSize = 8, Side = 8, Rows = 64;
    private readonly DisposeScope _scope;
    private readonly Generator _generator;
    private readonly long _steps;
    private readonly double _rate;
    private readonly OptimizerSettings _optimizer;
    private StepRunner? _runner;
    private long _done;

    public MethodRun(ContrastiveMethod method, ImageEncoder? encoder = null, long steps = 10, double rate = 0.1, OptimizerSettings? optimizer = null)
    {
        _optimizer = optimizer ?? new Sgd { Momentum = 0 };
        NativeTorch.EnsureLoaded();
        (_scope, _generator, _steps, _rate) = (NewDisposeScope(), new Generator(5), steps, rate);
        encoder = method.EncoderFor(encoder ?? ImageEncoder.SmallConvNet(2));
        var facts = new RunFacts(Rows, BatchSize, steps, Side, Side, 3, encoder.FeatureSize) { Encoder = encoder };
        Method = method.ResolveFully(facts);
        Learner = Method.CreateLearner(new LearnerSetup(() => encoder.Build(3, Side, Side, _generator), encoder.FeatureSize, _generator, facts));
        foreach (MomentumPair pair in Learner.MomentumPairs)
            pair.CopyToTarget();
        Learner.to(ScalarType.Float64);
        Learner.train();
    }

    public ContrastiveMethod Method { get; }

    public Learner Learner { get; }

    /// <summary>A copy of every tensor of the learner.</summary>
    public Dictionary<string, Tensor> State() => Learner.state_dict().ToDictionary(entry => entry.Key, entry => entry.Value.detach().clone());

    /// <summary>Two views of as many examples, random numbers all; the examples are the first of the data, or those that follow <paramref name="firstRow"/>.</summary>
    public Contrastive.Views RandomViews(long firstRow = 0) => new(Random(), Random()) { RowIndices = arange(firstRow, firstRow + BatchSize) };

    /// <summary>One training step, of plain SGD unless another optimizer was given; gives the loss before it.</summary>
    public double Step(Contrastive.Views? views = null)
    {
        _runner ??= new StepRunner(Learner, _optimizer);
        return _runner.Run(views ?? RandomViews(), new Step(_done++, _steps, seed: 1), _rate, _rate).Loss;
    }

    /// <summary>The gradients of one loss by parameter; those that none reaches are left out.</summary>
    public Dictionary<string, Tensor> Gradients()
    {
        using var scope = NewDisposeScope();
        Learner.Loss(RandomViews(), new Step(0, _steps, seed: 1)).backward();
        return Learner.named_parameters().Where(entry => entry.parameter.grad is { } gradient && gradient.abs().max().ToDouble() > 0)
            .ToDictionary(entry => entry.name, entry => entry.parameter.grad!.clone().MoveToOuterDisposeScope());
    }

    public void Dispose()
    {
        _runner?.Dispose();
        Learner.Dispose();
        _generator.Dispose();
        _scope.Dispose();
    }

    private Tensor Random() => empty(BatchSize, 3, Side, Side, ScalarType.Float64).normal_(0, 1, _generator);
}
