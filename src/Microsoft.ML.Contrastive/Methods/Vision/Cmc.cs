using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// CMC (Tian, Krishnan, Isola 2020, "Contrastive multiview coding") on luminance and colour: a network that sees a picture in black and
/// white is to find it among what another network, which sees colour alone, remembers of all pictures; and the other way round. What
/// both can know of a picture is what it shows. For colour pictures.
/// </summary>
/// <remarks>
/// The encoder that is trained, saved and transforms is a <see cref="LuminanceAndColor"/>. Any other encoder is taken twice at half its width,
/// so that a step costs about half and the features are as many as of the encoder that was given.
/// </remarks>
public sealed record Cmc : MemoryBankMethod
{
    /// <summary>
    /// The published ImageNet settings: 4,096 rows of noise, temperature 0.07, SGD with base rate 0.03 and decay 1e-4, and a rate that
    /// falls to a tenth at epochs 120, 160 and 200 of 240.
    /// </summary>
    public static Cmc Paper { get; } = new()
    {
        Augmentations = [new ImageAugmentation()],
        Contrast = BankContrast.Nce,
        Start = BankStart.Random,
        Temperature = 0.07,
        NoiseRows = 4096,
        Optimizer = new Sgd { WeightDecay = 1e-4 },
        LearningRate = new(0.03) { Schedule = new StepRate(new(120.0 / 240, 0.1), new(160.0 / 240, 0.01), new(200.0 / 240, 0.001)) },
    };

    /// <inheritdoc/>
    /// <remarks>
    /// View: crop (20 to 100 % of the area) and flip, and no jitter: colour is the other view. Optimizer: SGD (decay 5e-4 under 64 pixels, otherwise
    /// 1e-4). Rate: 0.06 under 64 pixels, otherwise 0.03, scaled linearly, no warm-up.
    /// </remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        MemoryBankMethod resolved = ResolveBank(facts, banks: 2);
        if (!facts.HasColor)
            throw new ArgumentException("Cmc compares a picture's luminance with its colour, but these pictures are gray. Choose another method, such as SimClrV1 or MoCoV2.", nameof(facts));
        return resolved with
        {
            Augmentations = Augmentations ?? [new ImageAugmentation()],
            Optimizer = Optimizer ?? new Sgd { WeightDecay = facts.SmallImages ? 5e-4 : 1e-4 },
            LearningRate = LearningRate ?? new(facts.SmallImages ? 0.06 : 0.03),
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new CmcLearner(this, setup);

    internal override ImageEncoder EncoderFor(ImageEncoder chosen)
        => chosen as LuminanceAndColor ?? new LuminanceAndColor(chosen.HalfWidth(), chosen.HalfWidth());
}

/// <summary>Both encoders of <see cref="Cmc"/>, with a projector and a bank each.</summary>
internal sealed class CmcLearner : BankLearner
{
    private readonly LuminanceAndColorModule encoder;
    private readonly nn.Module<Tensor, Tensor> luminance_projector, color_projector;
    private readonly MemoryBank luminance_bank, color_bank;
    private readonly PartitionConstant? luminance_partition, color_partition;
    private readonly Cmc _method;
    private (Tensor Indices, Tensor Luminance, Tensor Color) _seen;

    public CmcLearner(Cmc method, LearnerSetup setup)
        : base(nameof(Cmc), method)
    {
        _method = method;
        encoder = setup.CreateEncoder() as LuminanceAndColorModule
            ?? throw new ArgumentException("Cmc trains an encoder of two parts: build a LuminanceAndColor.", nameof(setup));
        luminance_projector = Mlp.Linear(encoder.LuminanceSize, method.ProjectionSize, setup.Generator);
        color_projector = Mlp.Linear(encoder.ColorSize, method.ProjectionSize, setup.Generator);
        (luminance_bank, color_bank) = (CreateBank(setup), CreateBank(setup));
        (luminance_partition, color_partition) = (CreatePartition(), CreatePartition());
        RegisterComponents();
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step)
    {
        (Tensor luminance, Tensor color) = encoder.Features(views[0]);
        (luminance, color) = (luminance_projector.forward(luminance), color_projector.forward(color));
        Tensor own = views.RowIndices;
        _seen = (own, luminance.detach(), color.detach());
        step.Embedding = cat([nn.functional.normalize(luminance.detach()), nn.functional.normalize(color.detach())], 1);

        Tensor known = Known(own, luminance_bank); // the colour bank holds the same
        (own, luminance, color) = (own.index_select(0, known), luminance.index_select(0, known), color.index_select(0, known));
        if (known.shape[0] == 0)
            return luminance.sum().add(color.sum());

        // Each is looked for in the other's bank; the same noise serves both, and the loss is the sum.
        Tensor indices = IndicesOf(own, luminance_bank, step);
        return Ask(luminance, color_bank, indices, luminance_partition).add(Ask(color, luminance_bank, indices, color_partition));
    }

    public override void AfterStep(Step step)
    {
        luminance_bank.Update(_seen.Indices, _seen.Luminance, _method.BankMomentum);
        color_bank.Update(_seen.Indices, _seen.Color, _method.BankMomentum);
        luminance_partition?.Keep();
        color_partition?.Keep();
    }

    public override double? FlatLoss(long rows) => 2 * _method.FlatLoss(luminance_bank.Count);
}
