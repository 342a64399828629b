using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// InstDisc (Wu, Xiong, Yu, Lin 2018, "Unsupervised feature learning via non-parametric instance discrimination"): every picture is a
/// class of its own, and a view of it is to find it among all pictures of the data, as a bank remembers them from when each was
/// last seen. One view a step, one encoder, one linear layer: the cheapest step of all, but a memory that grows with the data.
/// </summary>
public sealed record InstDisc : MemoryBankMethod
{
    /// <summary>
    /// The published ImageNet settings: 4,096 rows of noise, temperature 0.07, SGD with base rate 0.03 and decay 1e-4, and a rate that
    /// falls to a tenth at epochs 120 and 160 of 200. No proximal term, as in the released code.
    /// </summary>
    public static InstDisc Paper { get; } = new()
    {
        Augmentations = [ImageAugmentations.MoCoV1],
        Contrast = BankContrast.Nce,
        Start = BankStart.Random,
        Temperature = 0.07,
        NoiseRows = 4096,
        Optimizer = new Sgd { WeightDecay = 1e-4 },
        LearningRate = new(0.03) { Schedule = new StepRate(new(120.0 / 200, 0.1), new(160.0 / 200, 0.01)) },
    };

    /// <summary>
    /// How much <see cref="InstanceDiscrimination.Proximal"/> is added to the loss, at least 0. The default value is 0: the released code, which
    /// the published figures come from, leaves the term out, and the bank's momentum has its effect. The paper (equation 9) has it, and
    /// shows 10 to 50.
    /// </summary>
    public double ProximalWeight { get; init; }

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        if (!(ProximalWeight >= 0 && double.IsFinite(ProximalWeight)))
            throw new ArgumentOutOfRangeException(nameof(ProximalWeight), ProximalWeight, "ProximalWeight must be at least 0 and finite.");
    }

    /// <inheritdoc/>
    /// <remarks>
    /// View: <see cref="ImageAugmentations.MoCoV1"/> (Wu et al.'s own). Optimizer: SGD (decay 5e-4 under 64 pixels, otherwise 1e-4). Rate:
    /// 0.06 under 64 pixels (0.03 at the published batch of 128), otherwise 0.03, scaled linearly, no warm-up.
    /// </remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        MemoryBankMethod resolved = ResolveBank(facts, banks: 1);
        return resolved with
        {
            Augmentations = Augmentations ?? [ImageAugmentations.MoCoV1],
            Optimizer = Optimizer ?? new Sgd { WeightDecay = facts.SmallImages ? 5e-4 : 1e-4 },
            LearningRate = LearningRate ?? new(facts.SmallImages ? 0.06 : 0.03),
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new InstDiscLearner(this, setup);
}

/// <summary>Encoder, projector and bank of <see cref="InstDisc"/>.</summary>
internal sealed class InstDiscLearner : BankLearner
{
    private readonly nn.Module<Tensor, Tensor> encoder, projector;
    private readonly MemoryBank bank;
    private readonly PartitionConstant? partition;
    private readonly InstDisc _method;
    private (Tensor Indices, Tensor Features) _seen;

    public InstDiscLearner(InstDisc method, LearnerSetup setup)
        : base(nameof(InstDisc), method)
    {
        _method = method;
        encoder = setup.CreateEncoder();
        projector = Mlp.Linear(setup.FeatureSize, method.ProjectionSize, setup.Generator);
        bank = CreateBank(setup);
        partition = CreatePartition();
        RegisterComponents();
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step)
    {
        Tensor own = views.RowIndices, features = projector.forward(encoder.forward(views[0]));
        _seen = (own, features.detach());
        step.Embedding = features;
        Tensor known = Known(own, bank);
        (own, features) = (own.index_select(0, known), features.index_select(0, known));
        if (known.shape[0] == 0)
            return features.sum();
        Tensor loss = Ask(features, bank, IndicesOf(own, bank, step), partition);
        return _method.ProximalWeight == 0 ? loss : loss.Plus(InstanceDiscrimination.Proximal(features, bank.Lookup(own)), alpha: _method.ProximalWeight);
    }

    public override void AfterStep(Step step)
    {
        bank.Update(_seen.Indices, _seen.Features, _method.BankMomentum);
        partition?.Keep();
    }

    public override double? FlatLoss(long rows) => _method.FlatLoss(bank.Count);
}
