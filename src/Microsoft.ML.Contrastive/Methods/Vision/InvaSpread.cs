using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Which of its two published forms <see cref="InvarianceSpread"/> has.</summary>
public enum InvaSpreadForm
{
    /// <summary>The released code's: negatives are all other rows of both views, and each row learns against the others as constants.</summary>
    Released,

    /// <summary>The paper's formula: negatives are the first views, and gradient flows through all factors.</summary>
    Paper,
}

/// <summary>
/// InvaSpread (Ye, Zhang, Yuen, Chang 2019, "Unsupervised embedding learning via invariant and spreading instance feature"):
/// two views of each picture are to be one instance, all other pictures of the batch none of it. One encoder, one linear
/// layer, no memory; made for small batches and short features.
/// </summary>
public sealed record InvaSpread : ContrastiveMethod
{
    /// <summary>
    /// The published CIFAR-10 settings: temperature 0.1, 128 numbers, SGD with rate 0.03 at batches of 128 and decay 5e-4, and a rate that falls to 0.1, 0.05
    /// and 0.01 of that at epochs 120, 160 and 200 of 301.
    /// </summary>
    public static InvaSpread Paper { get; } = new()
    {
        Augmentations = [ImageAugmentations.MoCoV1, ImageAugmentations.MoCoV1],
        Optimizer = new Sgd { WeightDecay = 5e-4 },
        LearningRate = new(0.06) { Schedule = new StepRate(new(120.0 / 301, 0.1), new(160.0 / 301, 0.05), new(200.0 / 301, 0.01)) },
    };

    /// <summary>t of <see cref="InvarianceSpread"/>, above 0. The default value is 0.1.</summary>
    public double Temperature { get; init; } = 0.1;

    /// <summary>The objective's form. The default value is <see cref="InvaSpreadForm.Released"/>, which the published figures come from.</summary>
    public InvaSpreadForm Form { get; init; } = InvaSpreadForm.Released;

    /// <summary>The released code's negM, at least 1: how often the other pictures count. The default value is 1, as published. For <see cref="InvaSpreadForm.Released"/> alone.</summary>
    public double NegativeWeight { get; init; } = 1;

    /// <summary>Length of the projection, at least 2. The default value is 128.</summary>
    public int ProjectionSize { get; init; } = 128;

    /// <summary>
    /// True, the default: both views pass the network as one batch of 2N, so that batch norm sees them together, as
    /// published. False: one after the other.
    /// </summary>
    public bool JointForward { get; init; } = true;

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        RequireViews(2);
        ShapeCheck.Positive(Temperature);
        SettingChecks.Projector(layers: null, hiddenSize: null, ProjectionSize);
        if (!Enum.IsDefined(Form))
            throw new ArgumentOutOfRangeException(nameof(Form), Form, "Choose InvaSpreadForm.Released or InvaSpreadForm.Paper.");
        InvarianceSpread.CheckNegativeWeight(NegativeWeight);
        if (Form == InvaSpreadForm.Paper && NegativeWeight != 1)
            throw new ArgumentException("NegativeWeight belongs to the released form: leave it at 1, or choose InvaSpreadForm.Released.", nameof(NegativeWeight));
    }

    /// <inheritdoc/>
    /// <remarks>Views: <see cref="ImageAugmentations.MoCoV1"/> (Wu et al. 2018's). Optimizer: SGD (decay 5e-4). Rate: 0.06, scaled linearly, no warm-up.</remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        return this with
        {
            Augmentations = Augmentations ?? Paper.Augmentations,
            Optimizer = Optimizer ?? Paper.Optimizer,
            LearningRate = LearningRate ?? new(0.06),
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new InvaSpreadLearner(this, setup);
}

/// <summary>Encoder and projector of <see cref="InvaSpread"/>.</summary>
internal sealed class InvaSpreadLearner : Learner
{
    private readonly nn.Module<Tensor, Tensor> encoder, projector;
    private readonly InvaSpread _method;

    public InvaSpreadLearner(InvaSpread method, LearnerSetup setup)
        : base(nameof(InvaSpread))
    {
        _method = method;
        encoder = setup.CreateEncoder();
        projector = Mlp.Linear(setup.FeatureSize, method.ProjectionSize, setup.Generator);
        RegisterComponents();
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step)
    {
        (Tensor first, Tensor second) = views.Projected(view => projector.forward(encoder.forward(view)), _method.JointForward);
        step.Embedding = first;
        return _method.Form == InvaSpreadForm.Paper
            ? InvarianceSpread.PaperLoss(first, second, _method.Temperature)
            : InvarianceSpread.Loss(first, second, _method.Temperature, _method.NegativeWeight);
    }

    public override double? FlatLoss(long rows)
        => _method.Form == InvaSpreadForm.Paper ? InvarianceSpread.PaperFlatLoss(rows) : InvarianceSpread.FlatLoss(rows, _method.NegativeWeight);
}
