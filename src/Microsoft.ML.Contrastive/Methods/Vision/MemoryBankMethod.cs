using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>How a feature is told from the other rows of a bank.</summary>
public enum BankContrast
{
    /// <summary>By a softmax over all rows.</summary>
    Softmax,

    /// <summary>By a softmax over the own row and rows drawn at random (the released code of CMC calls it softmax).</summary>
    SampledSoftmax,

    /// <summary>By noise-contrastive estimation against rows drawn at random.</summary>
    Nce,
}

/// <summary>What a bank holds before a picture was seen.</summary>
public enum BankStart
{
    /// <summary>Random unit rows, as published: throughout the first epoch each picture is looked for at a random place.</summary>
    Random,

    /// <summary>
    /// Nothing. Seen for the first time, a picture leaves its feature and is asked nothing, so that the first epoch fills the bank and changes no
    /// weight but by decay; its loss is 0.
    /// </summary>
    Empty,
}

/// <summary>
/// What methods with a memory of every example share (Wu, Xiong, Yu, Lin 2018): a <see cref="MemoryBank"/> that gives the negatives,
/// and <see cref="InstanceDiscrimination"/> as the objective.
/// </summary>
public abstract record MemoryBankMethod : ContrastiveMethod
{
    private const long MostSoftmaxRows = 50_000, LargestBank = 8L << 30, ManyEpochs = 50;

    private protected MemoryBankMethod()
    {
    }

    /// <summary>
    /// Null: the softmax up to 50,000 rows, otherwise NCE, whose cost stops growing with the rows. The released code of
    /// InstDisc has the softmax on CIFAR-10, which has as many, and NCE on ImageNet.
    /// </summary>
    public BankContrast? Contrast { get; init; }

    /// <summary>t of <see cref="InstanceDiscrimination"/>, above 0. Null: 0.1 under 64 pixels, otherwise 0.07.</summary>
    public double? Temperature { get; init; }

    /// <summary>m, rows drawn at random for each picture and step, unless the softmax goes over all; at least 1. Null: 4,096, or half the rows where they are fewer.</summary>
    public int? NoiseRows { get; init; }

    /// <summary>Z of NCE. The default value is <see cref="NcePartition.FirstBatch"/>, as published.</summary>
    public NcePartition Partition { get; init; } = NcePartition.FirstBatch;

    /// <summary>Added to NCE's denominators, at least 0. The default value is 0, the paper's formula; the released code has 1e-7, which the form used here does not need.</summary>
    public double Epsilon { get; init; }

    /// <summary>
    /// How the bank begins. Null: <see cref="BankStart.Empty"/> in runs of 2 to 49 epochs, otherwise <see cref="BankStart.Random"/>, as published. A
    /// short run would spend a good part of itself on random places, at its highest rate, and end with features worse than a random network's.
    /// </summary>
    public BankStart? Start { get; init; }

    /// <summary>m of the bank, 0 to 1: how much of a row stays when its picture is seen. The default value is 0.5, as in the released code.</summary>
    public double BankMomentum { get; init; } = 0.5;

    /// <summary>D, numbers in a row of the bank, at least 2. The default value is 128.</summary>
    public int ProjectionSize { get; init; } = 128;

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        RequireViews(1);
        ShapeCheck.Positive(Temperature ?? 1, nameof(Temperature));
        SettingChecks.Projector(layers: null, hiddenSize: null, ProjectionSize);
        SettingChecks.Momentum(BankMomentum, nameof(BankMomentum));
        if (Contrast is { } contrast && !Enum.IsDefined(contrast))
            throw new ArgumentOutOfRangeException(nameof(Contrast), contrast, "Choose BankContrast.Softmax, SampledSoftmax or Nce.");
        if (Start is { } start && !Enum.IsDefined(start))
            throw new ArgumentOutOfRangeException(nameof(Start), start, "Choose BankStart.Random or Empty.");
        if (Start == BankStart.Empty && BankMomentum == 1)
            throw new ArgumentOutOfRangeException(nameof(BankMomentum), BankMomentum, "With BankMomentum 1 an empty bank stays empty: lower it, or choose BankStart.Random.");
        if (NoiseRows < 1)
            throw new ArgumentOutOfRangeException(nameof(NoiseRows), NoiseRows, "At least one row of noise is needed.");
        if (!(Epsilon >= 0 && double.IsFinite(Epsilon)))
            throw new ArgumentOutOfRangeException(nameof(Epsilon), Epsilon, "Epsilon must be at least 0 and finite.");
        ArgumentNullException.ThrowIfNull(Partition, nameof(Partition));
        Partition.Validate();
    }

    /// <summary>The loss when all similarities are equal, of one question put to one bank.</summary>
    internal double FlatLoss(long rows) => Contrast switch
    {
        BankContrast.Softmax => InstanceDiscrimination.SoftmaxFlatLoss(rows),
        BankContrast.SampledSoftmax => InstanceDiscrimination.SoftmaxFlatLoss(1 + NoiseRows!.Value),
        _ => InstanceDiscrimination.NceFlatLoss(NoiseRows!.Value),
    };

    /// <summary>This record with what all bank methods fill alike.</summary>
    private protected MemoryBankMethod ResolveBank(RunFacts facts, int banks)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        long bytes = banks * facts.Rows * ProjectionSize * sizeof(float);
        if (bytes > LargestBank)
            throw new ArgumentException(
                $"{GetType().Name} remembers {ProjectionSize} numbers of each of {facts.Rows} pictures, which would take {bytes >> 30} GiB; {LargestBank >> 30} are the limit. Lower ProjectionSize, or choose MoCoV2, whose queue doesn't grow with the data.",
                nameof(ProjectionSize));
        if (Start == BankStart.Empty && facts.TotalSteps <= facts.StepsPerEpoch)
            throw new ArgumentException(
                $"{GetType().Name} fills an empty bank throughout the first epoch, {facts.StepsPerEpoch} steps, and learns afterwards, but the run has {facts.TotalSteps} steps. Train for 2 epochs or more, or choose BankStart.Random.",
                nameof(Start));
        bool isShort = facts.TotalSteps >= 2 * facts.StepsPerEpoch && facts.TotalSteps < ManyEpochs * facts.StepsPerEpoch;
        return this with
        {
            Start = Start ?? (isShort ? BankStart.Empty : BankStart.Random),
            Contrast = Contrast ?? (facts.Rows <= MostSoftmaxRows ? BankContrast.Softmax : BankContrast.Nce),
            Temperature = Temperature ?? (facts.SmallImages ? 0.1 : 0.07),
            NoiseRows = NoiseRows ?? (int)Math.Clamp(facts.Rows / 2, 1, 4096),
        };
    }
}

/// <summary>What learners with banks share: the noise of a step, and one question put to one bank.</summary>
internal abstract class BankLearner : Learner
{
    private readonly MemoryBankMethod _method;

    protected BankLearner(string name, MemoryBankMethod method)
        : base(name)
    {
        _method = method;
        DrawNoise = Draw;
    }

    /// <summary>
    /// Indices for a step, [N, 1 + m]: the rows' own [N] in column 0, the noise behind them. Known answers give their own.
    /// </summary>
    public Func<Tensor, long, Step, Tensor> DrawNoise { get; set; }

    protected MemoryBank CreateBank(LearnerSetup setup) => _method.Start == BankStart.Empty
        ? MemoryBank.Empty(setup.Facts.Rows, _method.ProjectionSize)
        : new MemoryBank(setup.Facts.Rows, _method.ProjectionSize, setup.Generator);

    /// <summary>Places [M] in the batch of those that can be looked for, because the bank holds them: all, once an empty bank is filled.</summary>
    /// <exception cref="ArgumentException">A row that the bank does not have.</exception>
    protected static Tensor Known(Tensor own, MemoryBank bank) => bank.Holds(own).nonzero().flatten();

    /// <summary>Whom a batch is compared with: the batch's own rows [N], with noise behind them where not all of the bank is.</summary>
    /// <exception cref="ArgumentException">A row that the bank does not have.</exception>
    protected Tensor IndicesOf(Tensor own, MemoryBank bank, Step step)
    {
        bank.Check(own);
        return _method.Contrast == BankContrast.Softmax ? own : DrawNoise(own, bank.Count, step);
    }

    protected PartitionConstant? CreatePartition() => _method.Contrast == BankContrast.Nce ? new PartitionConstant(_method.Partition) : null;

    /// <summary>Which row of the bank is each feature [N, D]?</summary>
    /// <param name="features">Of any length.</param>
    /// <param name="bank">Whose rows they are looked for among.</param>
    /// <param name="indices"><see cref="IndicesOf"/> the batch.</param>
    /// <param name="partition">Z of NCE, otherwise null.</param>
    protected Tensor Ask(Tensor features, MemoryBank bank, Tensor indices, PartitionConstant? partition)
    {
        double temperature = _method.Temperature!.Value;
        if (_method.Contrast == BankContrast.Softmax)
            return InstanceDiscrimination.SoftmaxLoss(features, bank.Rows, indices, temperature);
        Tensor logits = InstanceDiscrimination.SampledLogits(features, bank.Rows, indices, temperature);
        if (partition is null)
            return InstanceDiscrimination.SampledSoftmaxLoss(logits);
        Tensor logPartition = partition.Next(InstanceDiscrimination.LogPartition(logits, bank.Count));
        return InstanceDiscrimination.NceLoss(logits, logPartition, bank.Count, _method.Epsilon);
    }

    /// <summary>Uniform over all rows, the own one among them, as published: a function of the run's seed and the step's index.</summary>
    private Tensor Draw(Tensor own, long rows, Step step)
    {
        int noise = _method.NoiseRows!.Value;
        var random = new SeededRandom(step.Seed, (ulong)step.Index, ulong.MaxValue, 2);
        var drawn = new long[own.shape[0], noise];
        for (int row = 0; row < drawn.GetLength(0); row++)
            for (int column = 0; column < noise; column++)
                drawn[row, column] = random.NextInt((int)rows);
        return cat([own.unsqueeze(1), tensor(drawn, device: own.device)], 1);
    }
}
