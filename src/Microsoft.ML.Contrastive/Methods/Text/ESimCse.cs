using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// ESimCSE (Wu et al. 2022, "ESimCSE: enhanced sample building method for contrastive learning of unsupervised sentence embedding"): SimCSE where the positive is the
/// text with some tokens repeated, so that a text and its positive differ in length, and where a queue of earlier texts, as a momentum encoder
/// sees them, gives further negatives.
/// </summary>
public sealed record ESimCse : TextMethod
{
    /// <summary>The published settings for BERT-base: repetition 0.32, a queue of 2.5 batches, momentum 0.995, the rest as <see cref="SimCse.Paper"/>.</summary>
    public static ESimCse Paper { get; } = new()
    {
        RepetitionRate = 0.32,
        Optimizer = SimCse.Paper.Optimizer,
        LearningRate = SimCse.Paper.LearningRate,
        MaxGradientNorm = SimCse.Paper.MaxGradientNorm,
    };

    /// <summary>t of <see cref="InBatchContrast"/>, above 0. The default value is 0.05.</summary>
    public double Temperature { get; init; } = 0.05;

    /// <summary>The largest share of a text's tokens that is repeated, 0 to 1. The default value is 0.32.</summary>
    public double RepetitionRate { get; init; } = 0.32;

    /// <summary>K, texts in the queue, at least 1. Null, the default: two and a half batches.</summary>
    public int? QueueLength { get; init; }

    /// <summary>Momentum of the encoder that fills the queue, 0 to 1. The default value is 0.995.</summary>
    public double Momentum { get; init; } = 0.995;

    /// <summary>Whether there is a layer with tanh behind the pooling, in training alone. The default value is true.</summary>
    public bool HasMlp { get; init; } = true;

    /// <summary>
    /// Whether repetition and queue are those of the released code: fewer tokens are repeated (see <see cref="WordRepetition.ReleasedCount"/>), the
    /// momentum encoder follows before the step, and its vectors pass the encoder's own layer behind the pooling, not one that follows too. Its start from
    /// random weights is a defect that is not repeated here. The default value is false: as the paper has it.
    /// </summary>
    public bool ReleasedCode { get; init; }

    /// <inheritdoc/>
    protected override (int Least, int Most) Texts => (1, 1);

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        ShapeCheck.Positive(Temperature, nameof(Temperature));
        SettingChecks.Momentum(Momentum, nameof(Momentum));
        if (!(RepetitionRate >= 0 && RepetitionRate <= 1))
            throw new ArgumentOutOfRangeException(nameof(RepetitionRate), RepetitionRate, "RepetitionRate must be from 0 to 1.");
        ArgumentOutOfRangeException.ThrowIfLessThan(QueueLength ?? 1, 1, nameof(QueueLength));
    }

    /// <inheritdoc/>
    /// <remarks>Queue: two and a half batches. Optimizer and rate: as <see cref="SimCse.Resolve"/>.</remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        (OptimizerSettings optimizer, LearningRate rate, double limit) = SimCse.Recipe(this, facts);
        return this with { QueueLength = QueueLength ?? facts.BatchSize * 5 / 2, Optimizer = optimizer, LearningRate = rate, MaxGradientNorm = limit };
    }

    /// <summary>The text, and the text with repetitions; new ones each epoch.</summary>
    internal override IReadOnlyList<int[]> MakeViews(int[][] texts, TokenKinds tokens, SeededRandom random)
        => [texts[0], WordRepetition.Repeat(texts[0], tokens, RepetitionRate, ReleasedCode, random)];

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new ESimCseLearner(this, setup);
}

/// <summary>Encoder, momentum encoder, their layers behind the pooling, and the queue of <see cref="ESimCse"/>.</summary>
internal sealed class ESimCseLearner : Learner
{
    private readonly nn.Module<Tensor, Tensor> encoder, target_encoder;
    private readonly Linear? mlp, target_mlp;
    private readonly KeyQueue queue;
    private readonly ESimCse _method;
    private Tensor _texts = null!, _keys = null!;

    public ESimCseLearner(ESimCse method, LearnerSetup setup)
        : base(nameof(ESimCse))
    {
        _method = method;
        (encoder, mlp) = (setup.CreateEncoder(), TextHeads.Mlp(setup, method.HasMlp));
        (target_encoder, target_mlp) = (setup.CreateEncoder(), TextHeads.Mlp(setup, method.HasMlp && !method.ReleasedCode));
        queue = new KeyQueue(method.QueueLength!.Value, setup.FeatureSize, setup.Generator, startsEmpty: true);
        RegisterComponents();
        MomentumTiming timing = method.ReleasedCode ? MomentumTiming.BeforeLoss : MomentumTiming.AfterStep;
        Func<long, long, double> momentum = MomentumSchedule.Constant(method.Momentum);
        MomentumPairs = target_mlp is null
            ? [new(encoder, target_encoder, momentum, timing)]
            : [new(encoder, target_encoder, momentum, timing), new(mlp!, target_mlp, momentum, timing)];
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override IReadOnlyList<MomentumPair> MomentumPairs { get; }

    public override Tensor Loss(Views views, Step step)
    {
        TextMethod.SeedDropout(encoder, step);
        Tensor[] projected = TextHeads.Project(encoder.forward(views.Stacked()), mlp).chunk(2, 0);
        step.Embedding = projected[0];
        _texts = views[0];
        if (_method.ReleasedCode)
            _keys = Keys();
        return InBatchContrast.Loss(projected[0], projected[1], _method.Temperature, queue: queue.Count > 0 ? queue.Keys.clone() : null);
    }

    public override void AfterStep(Step step) => queue.Enqueue(_method.ReleasedCode ? _keys : Keys());

    /// <summary>The texts without repetition, as the momentum encoder sees them without dropout: unit rows.</summary>
    private Tensor Keys()
    {
        using var noGradient = no_grad();
        target_encoder.eval();
        return nn.functional.normalize(TextHeads.Project(target_encoder.forward(_texts), _method.ReleasedCode ? mlp : target_mlp));
    }
}
