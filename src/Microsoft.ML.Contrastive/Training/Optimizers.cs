using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Turns gradients into a step over <see cref="ParameterGroup"/>s; what it remembers is in <see cref="State"/>.</summary>
internal abstract class Optimizer : IDisposable
{
    /// <summary>The optimizer that the settings describe.</summary>
    public static Optimizer Create(OptimizerSettings settings, IReadOnlyList<ParameterGroup> groups) => settings switch
    {
        Sgd sgd => new SgdOptimizer(sgd, groups),
        Lars lars => new LarsOptimizer(lars, groups),
        AdamW adam => new AdamWOptimizer(adam, groups),
        _ => throw new ArgumentException($"No optimizer for {settings.GetType().Name}.", nameof(settings)),
    };

    /// <summary>Named tensors that a resumed run needs.</summary>
    public abstract IEnumerable<(string Name, Tensor Value)> State { get; }

    /// <summary>One step, which leaves out what is still frozen. The gradients may be overwritten.</summary>
    /// <param name="step">Where the run stands.</param>
    /// <param name="rate">The scheduled rate.</param>
    /// <param name="constantRate">The rate of groups that do not follow the schedule.</param>
    public abstract void Step(Step step, double rate, double constantRate);

    public void Dispose()
    {
        foreach ((_, Tensor value) in State)
            value.Dispose();
    }

    /// <summary>The groups that move in a step, with their place among all.</summary>
    private protected static IEnumerable<(int Index, ParameterGroup Group)> Moving(IReadOnlyList<ParameterGroup> groups, Step step)
        => groups.Index().Where(each => step.Index >= each.Item.FrozenSteps);

    private protected static Tensor[] ZerosLike(IReadOnlyList<ParameterGroup> groups) => [.. groups.Select(group => zeros_like(group.Values))];

    private protected static double DecayOf(OptimizerSettings settings, ParameterGroup group, Step step)
        => !group.IsMatrix && !settings.DecayBiasesAndNorms ? 0
            : settings is AdamW { FinalWeightDecay: { } final } ? LearningRate.HalfCosine(settings.WeightDecay, final, (double)step.Index / step.Total)
            : settings.WeightDecay;
}

/// <summary>See <see cref="Sgd"/>.</summary>
internal sealed class SgdOptimizer(Sgd settings, IReadOnlyList<ParameterGroup> groups) : Optimizer
{
    private readonly Tensor[] _velocity = ZerosLike(groups);

    public override IEnumerable<(string Name, Tensor Value)> State => _velocity.Select((value, i) => ($"velocity.{i}", value));

    public override void Step(Step step, double rate, double constantRate)
    {
        foreach ((int i, ParameterGroup group) in Moving(groups, step))
        {
            double decay = DecayOf(settings, group, step);
            if (decay > 0)
                group.Gradients.AddScaled(group.Values, decay);
            _velocity[i].Scale(settings.Momentum).AddScaled(group.Gradients, 1);
            group.Values.AddScaled(_velocity[i], -(group.ConstantRate ? constantRate : rate));
        }
    }
}

/// <summary>See <see cref="Lars"/>.</summary>
internal sealed class LarsOptimizer(Lars settings, IReadOnlyList<ParameterGroup> groups) : Optimizer
{
    private readonly Tensor[] _velocity = ZerosLike(groups);

    public override IEnumerable<(string Name, Tensor Value)> State => _velocity.Select((value, i) => ($"velocity.{i}", value));

    public override void Step(Step step, double rate, double constantRate)
    {
        using var scope = NewDisposeScope();
        foreach ((int i, ParameterGroup group) in Moving(groups, step))
        {
            double decay = DecayOf(settings, group, step);
            if (decay > 0)
                group.Gradients.AddScaled(group.Values, decay);
            if (group.IsMatrix)
                foreach ((Tensor value, Tensor gradient) in group.Tensors)
                    gradient.mul_(Trust(value, gradient, settings.TrustCoefficient));
            double own = group.ConstantRate ? constantRate : rate;
            _velocity[i].Scale(settings.Momentum).AddScaled(group.Gradients, settings.RateInMomentum ? own : 1);
            group.Values.AddScaled(_velocity[i], settings.RateInMomentum ? -1 : -own);
        }
    }

    /// <summary>coefficient * ||w|| / ||d||, or 1 where a norm is 0; a scalar, without leaving the device.</summary>
    public static Tensor Trust(Tensor weight, Tensor direction, double coefficient)
    {
        Tensor weightNorm = weight.norm(), directionNorm = direction.norm();
        return where(weightNorm.mul(directionNorm).IsAbove(0), weightNorm.div(directionNorm).Scale(coefficient), ones_like(weightNorm));
    }
}

/// <summary>See <see cref="AdamW"/>.</summary>
internal sealed class AdamWOptimizer(AdamW settings, IReadOnlyList<ParameterGroup> groups) : Optimizer
{
    private readonly Tensor[] _mean = ZerosLike(groups), _square = ZerosLike(groups);

    public override IEnumerable<(string Name, Tensor Value)> State =>
        [.. _mean.Select((value, i) => ($"mean.{i}", value)), .. _square.Select((value, i) => ($"square.{i}", value))];

    public override void Step(Step step, double rate, double constantRate)
    {
        using var scope = NewDisposeScope();
        foreach ((int i, ParameterGroup group) in Moving(groups, step))
        {
            long done = step.Index + 1 - group.FrozenSteps; // means of what was frozen are younger
            double correct1 = 1 - Math.Pow(settings.Beta1, done), correct2 = 1 - Math.Pow(settings.Beta2, done);
            double own = group.ConstantRate ? constantRate : rate, decay = DecayOf(settings, group, step);
            if (decay > 0)
                group.Values.Scale(1 - own * decay);
            _mean[i].Scale(settings.Beta1).AddScaled(group.Gradients, 1 - settings.Beta1);
            _square[i].Scale(settings.Beta2).AddProduct(group.Gradients, group.Gradients, 1 - settings.Beta2);
            Tensor root = _square[i].Over(correct2).sqrt_().Add(settings.Epsilon);
            group.Values.AddQuotient(_mean[i], root, -own / correct1);
        }
    }
}
