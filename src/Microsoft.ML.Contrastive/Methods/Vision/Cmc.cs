using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Into which views <see cref="Cmc"/> takes a colour picture apart.</summary>
public enum CmcPlanes
{
    /// <summary>Two: luminance, and both planes of colour.</summary>
    LuminanceAndColor,

    /// <summary>Three: luminance, and each plane of colour by itself.</summary>
    Each,
}

/// <summary>
/// CMC (Tian, Krishnan, Isola 2020, "Contrastive multiview coding"): a network that sees one view of an example is to find it among what another network, which sees
/// another view, remembers of all examples. What both can know of it is what it shows. The views are luminance and colour of a picture, or columns of pictures.
/// </summary>
/// <remarks>
/// Of more than two views every pair is compared, both ways: the paper's full graph (section 3.3). On one column the encoder that is trained, saved and transforms is a
/// <see cref="ColorViews"/>. Any other encoder is taken once for each view at half its width, so that a step of two views costs about half and their features are as many as
/// of the encoder that was given. On several columns it is a <see cref="MultiviewEncoder"/>, and any other encoder is taken once for each column as it is. Its learner's
/// view then holds the columns' pictures beside each other as channels, all cut and flipped alike.
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

    /// <summary>In which a picture's luminance is told from its colour. The default value is <see cref="CmcColorSpace.Lab"/>. Several columns stay as they are.</summary>
    public CmcColorSpace ColorSpace { get; init; }

    /// <summary>The views of one column's pictures. The default value is <see cref="CmcPlanes.LuminanceAndColor"/>.</summary>
    public CmcPlanes Planes { get; init; }

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        if (!Enum.IsDefined(ColorSpace))
            throw new ArgumentOutOfRangeException(nameof(ColorSpace), ColorSpace, "Choose CmcColorSpace.Lab or CmcColorSpace.YCbCr.");
        if (!Enum.IsDefined(Planes))
            throw new ArgumentOutOfRangeException(nameof(Planes), Planes, "Choose CmcPlanes.LuminanceAndColor or CmcPlanes.Each.");
    }

    /// <inheritdoc/>
    /// <remarks>
    /// View: crop (20 to 100 % of the area) and flip, and no jitter: colour is the other view. Optimizer: SGD (decay 5e-4 under 64 pixels, otherwise
    /// 1e-4). Rate: 0.06 under 64 pixels, otherwise 0.03, scaled linearly, no warm-up.
    /// </remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        MemoryBankMethod resolved = ResolveBank(facts, banks: facts.ImageColumns > 1 ? facts.ImageColumns : Planes == CmcPlanes.Each ? 3 : 2);
        if (facts is { ImageColumns: 1, HasColor: false })
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
    {
        if (chosen is not ColorViews views)
        {
            ImageEncoder half = chosen.HalfWidth();
            return Planes == CmcPlanes.Each ? new LuminanceAndTwoColors(half, half, half) { ColorSpace = ColorSpace } : new LuminanceAndColor(half, half) { ColorSpace = ColorSpace };
        }
        if (views.ColorSpace != ColorSpace)
            throw new ArgumentException($"The encoder sees {views.ColorSpace}, Cmc is to compare {ColorSpace}: give both the same ColorSpace.", nameof(chosen));
        if (views is LuminanceAndTwoColors != (Planes == CmcPlanes.Each))
            throw new ArgumentException($"A {views.GetType().Name} has other views than Cmc's Planes, {Planes}: give a LuminanceAndColor, or a LuminanceAndTwoColors with CmcPlanes.Each.", nameof(chosen));
        return views;
    }

    internal override MultiviewEncoder EncoderFor(MultiviewEncoder chosen) => chosen;
}

/// <summary>The encoders of <see cref="Cmc"/>, with a projector and a bank each.</summary>
internal sealed class CmcLearner : BankLearner
{
    private readonly MultiviewModule encoder;
    private readonly nn.Module<Tensor, Tensor>[] _projectors;
    private readonly MemoryBank[] _banks;
    private readonly (int View, int Other, PartitionConstant? Partition)[] _pairs;
    private readonly Cmc _method;
    private (Tensor Indices, Tensor[] Features) _seen;

    public CmcLearner(Cmc method, LearnerSetup setup)
        : base(nameof(Cmc), method)
    {
        _method = method;
        encoder = setup.CreateEncoder() as MultiviewModule
            ?? throw new ArgumentException("Cmc trains an encoder of several parts: build a LuminanceAndColor or a MultiviewEncoder.", nameof(setup));
        RegisterComponents();
        IReadOnlyList<string> names = encoder.Names;
        _projectors = [.. encoder.Sizes.Select(size => Mlp.Linear(size, method.ProjectionSize, setup.Generator))];
        _banks = [.. names.Select(_ => CreateBank(setup))];
        _pairs = [.. from view in Enumerable.Range(0, names.Count) from other in Enumerable.Range(0, names.Count) where view != other select (view, other, CreatePartition())];
        foreach ((int view, string name) in names.Index())
        {
            register_module($"{name}_projector", _projectors[view]);
            register_module($"{name}_bank", _banks[view]);
        }
        foreach ((int view, int other, PartitionConstant? partition) in _pairs)
            if (partition is not null)
                register_module($"{names[view]}_{names[other]}_partition", partition);
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step)
    {
        Tensor own = views.RowIndices;
        Tensor[] features = [.. encoder.Features(views[0]).Zip(_projectors, (seen, projector) => projector.forward(seen))];
        _seen = (own, [.. features.Select(each => each.detach())]);
        step.Embedding = cat([.. _seen.Features.Select(each => nn.functional.normalize(each))], 1);

        Tensor known = Known(own, _banks[0]); // the other banks hold the same
        (own, features) = (own.index_select(0, known), [.. features.Select(each => each.index_select(0, known))]);
        if (known.shape[0] == 0)
            return features.Select(each => each.sum()).Aggregate((sum, each) => sum.Plus(each));

        // Each view is looked for in each other's bank; the same noise serves all, and the loss is the sum.
        Tensor indices = IndicesOf(own, _banks[0], step);
        return _pairs.Select(pair => Ask(features[pair.View], _banks[pair.Other], indices, pair.Partition)).Aggregate((sum, each) => sum.Plus(each));
    }

    public override void AfterStep(Step step)
    {
        foreach ((MemoryBank bank, Tensor features) in _banks.Zip(_seen.Features))
            bank.Update(_seen.Indices, features, _method.BankMomentum);
        foreach ((_, _, PartitionConstant? partition) in _pairs)
            partition?.Keep();
    }

    public override double? FlatLoss(long rows) => _pairs.Length * _method.FlatLoss(_banks[0].Count);
}
