using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>tanh(x W) of both views, contrasted in the batch; a mask may be drawn for each chunk. It remembers the representations that it contrasted.</summary>
internal sealed class TanhLearner : Learner, IChunkedLearner
{
    private readonly TanhModule encoder;
    private readonly double _temperature, _dropped;

    public TanhLearner(Tensor weight, double temperature, double dropped = 0)
        : base(nameof(TanhLearner))
    {
        (encoder, _temperature, _dropped) = (new TanhModule(weight), temperature, dropped);
        RegisterComponents();
    }

    public Tensor Weight => encoder.Weight;

    public IReadOnlyList<Tensor> Contrasted { get; private set; } = [];

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step) => Contrast(Represent(views, step, 0), views, step);

    public IReadOnlyList<Tensor> Represent(Views views, Step step, int chunk)
    {
        using var generator = new Generator(step.Seed + (ulong)(100 * step.Index + chunk));
        return [.. Enumerable.Range(0, 2).Select(view => encoder.forward(views[view]).mul(zeros(views.Rows, Weight.shape[1], ScalarType.Float64).bernoulli_(1 - _dropped, generator)))];
    }

    public Tensor Contrast(IReadOnlyList<Tensor> representations, Views views, Step step)
    {
        Contrasted = [.. representations.Select(representation => representation.DetachFromDisposeScope())];
        return InBatchContrast.Loss(representations[0], representations[1], _temperature);
    }

    private sealed class TanhModule : nn.Module<Tensor, Tensor>
    {
        private readonly Parameter weight;

        public TanhModule(Tensor weight)
            : base(nameof(TanhModule))
        {
            this.weight = new Parameter(weight.clone());
            RegisterComponents();
        }

        public Parameter Weight => weight;

        public override Tensor forward(Tensor input) => input.mm(weight).tanh();
    }
}
