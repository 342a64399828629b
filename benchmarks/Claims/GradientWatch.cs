using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Trains as another method does, and tells how large the gradients of two parameters are at every step: a method of a user's own (docs/own-method.md).</summary>
/// <param name="Method">The other method.</param>
/// <param name="First">How the one parameter's name in the encoder ends.</param>
/// <param name="Last">How the other's ends.</param>
internal sealed record GradientWatch(ContrastiveMethod Method, string First, string Last) : ContrastiveMethod
{
    /// <summary>Gets the root of the mean square over a parameter's numbers, of the first and the last, 0 where it is frozen.</summary>
    [JsonIgnore]
    public Action<(double First, double Last)>? Seen { get; init; }

    /// <summary>The other method with its own type's settings, for descriptions.</summary>
    public string Settings => EncoderManifest.Describe(Method)!.ToJsonString();

    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        Method.Validate(batchSize);
    }

    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ContrastiveMethod method = Method.Resolve(facts);
        return this with
        {
            Method = method,
            Augmentations = method.Augmentations,
            Optimizer = method.Optimizer,
            LearningRate = method.LearningRate,
            MaxGradientNorm = method.MaxGradientNorm,
            MaxParameterGradientNorm = method.MaxParameterGradientNorm,
        };
    }

    public override Learner CreateLearner(LearnerSetup setup) => new Watched(this, Method.CreateLearner(setup));

    private sealed class Watched : Learner
    {
        private readonly Learner inner;
        private readonly GradientWatch _watch;

        public Watched(GradientWatch watch, Learner inner)
            : base(nameof(GradientWatch))
        {
            (_watch, this.inner) = (watch, inner);
            RegisterComponents();
        }

        public override nn.Module<Tensor, Tensor> Encoder => inner.Encoder;

        public override IReadOnlyList<MomentumPair> MomentumPairs => inner.MomentumPairs;

        public override Tensor Loss(Views views, Step step) => inner.Loss(views, step);

        public override void AfterStep(Step step)
        {
            inner.AfterStep(step);
            _watch.Seen?.Invoke((Size(_watch.First), Size(_watch.Last)));
        }

        private double Size(string name)
        {
            using Tensor? squares = inner.Encoder.named_parameters().Single(entry => entry.name.EndsWith(name, StringComparison.Ordinal)).parameter.grad?.square();
            return Math.Sqrt(squares?.mean().item<float>() ?? 0);
        }

        public override double? FlatLoss(long rows) => inner.FlatLoss(rows);

        public override bool HasConstantRate(string parameterName) => inner.HasConstantRate(Own(parameterName));

        public override long FrozenSteps(string parameterName) => inner.FrozenSteps(Own(parameterName));

        private static string Own(string name) => name[(nameof(inner).Length + 1)..];
    }
}
