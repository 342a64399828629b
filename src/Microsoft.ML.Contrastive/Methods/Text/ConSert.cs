using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What <see cref="ConSert"/> does to one of a text's two views.</summary>
public enum TextAugmentation
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Tokens are told each other's positions.</summary>
    Shuffle,

    /// <summary>Whole tokens' vectors become zero.</summary>
    TokenCutoff,

    /// <summary>Whole features, the same of all tokens of a text, become zero.</summary>
    FeatureCutoff,

    /// <summary>Single numbers become zero; nothing is scaled up for it.</summary>
    Dropout,
}

/// <summary>
/// ConSERT (Yan et al. 2021, "ConSERT: a contrastive framework for self-supervised sentence representation transfer"): two views of a text, changed in the embedding
/// layer, are to find each other among the views of all texts of the batch (<see cref="NtXent"/>).
/// </summary>
public sealed record ConSert : TextMethod
{
    /// <summary>
    /// The published unsupervised settings for BERT-base: shuffle and feature cutoff of 0.2, no dropout in the network, temperature 0.1, AdamW with epsilon 1e-6, rate 5e-7 after a
    /// warm-up of a tenth. With batches of 96, 10 epochs, 64 tokens.
    /// </summary>
    /// <remarks>The released code adds both directions and weighs them by 0.15, which AdamW makes no difference of.</remarks>
    public static ConSert Paper { get; } = new()
    {
        Optimizer = new AdamW { Epsilon = 1e-6 },
        LearningRate = new(5e-7, WarmupEpochs: 1, RateScaling.None) { Schedule = new LinearRate() },
    };

    /// <summary>Of view 1. The default value is <see cref="TextAugmentation.FeatureCutoff"/>.</summary>
    public TextAugmentation First { get; init; } = TextAugmentation.FeatureCutoff;

    /// <summary>Of view 2. The default value is <see cref="TextAugmentation.Shuffle"/>.</summary>
    public TextAugmentation Second { get; init; } = TextAugmentation.Shuffle;

    /// <summary>Share of a text's tokens that <see cref="TextAugmentation.TokenCutoff"/> cuts, 0 to below 1. The default value is 0.15.</summary>
    public double TokenCutoffRate { get; init; } = 0.15;

    /// <summary>Share of features that <see cref="TextAugmentation.FeatureCutoff"/> cuts, 0 to below 1. The default value is 0.2.</summary>
    public double FeatureCutoffRate { get; init; } = 0.2;

    /// <summary>Share of numbers that <see cref="TextAugmentation.Dropout"/> cuts, 0 to below 1. The default value is 0.2.</summary>
    public double DropoutRate { get; init; } = 0.2;

    /// <summary>Whether the network's own dropout is on. The default value is false, as in the published unsupervised runs.</summary>
    public bool ModelDropout { get; init; }

    /// <summary>t of <see cref="NtXent"/>, above 0. The default value is 0.1.</summary>
    public double Temperature { get; init; } = 0.1;

    /// <inheritdoc/>
    protected override (int Least, int Most) Texts => (1, 1);

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        ShapeCheck.Positive(Temperature, nameof(Temperature));
        foreach ((TextAugmentation augmentation, string name) in new[] { (First, nameof(First)), (Second, nameof(Second)) })
            if (!Enum.IsDefined(augmentation))
                throw new ArgumentOutOfRangeException(name, augmentation, $"{name} of ConSert must be one of TextAugmentation.");
        foreach ((double rate, string name) in new[] { (TokenCutoffRate, nameof(TokenCutoffRate)), (FeatureCutoffRate, nameof(FeatureCutoffRate)), (DropoutRate, nameof(DropoutRate)) })
            if (!(rate >= 0 && rate < 1))
                throw new ArgumentOutOfRangeException(name, rate, $"{name} of ConSert must be at least 0 and below 1.");
        if (First == TextAugmentation.None && Second == TextAugmentation.None && !ModelDropout)
            throw new ArgumentException("Two views without any augmentation are the same: choose First or Second, or ModelDropout.", nameof(First));
    }

    /// <inheritdoc/>
    /// <remarks>Optimizer: AdamW. Rate: 5e-4 for networks that start at random, 2e-6 for published ones (the published 5e-7 belongs to ten epochs), whatever the batch, falling linearly to 0; gradients of norm 1 at most.</remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        return this with
        {
            Optimizer = Optimizer ?? new AdamW(),
            LearningRate = LearningRate ?? new(facts.StartsPretrained ? 2e-6 : 5e-4, Scaling: RateScaling.None) { Schedule = new LinearRate() },
            MaxGradientNorm = MaxGradientNorm ?? 1,
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new ConSertLearner(this, setup);
}

/// <summary>The encoder of <see cref="ConSert"/>; there is no head.</summary>
internal sealed class ConSertLearner : Learner
{
    private readonly TextNetwork encoder;
    private readonly ConSert _method;

    public ConSertLearner(ConSert method, LearnerSetup setup)
        : base(nameof(ConSert))
    {
        _method = method;
        encoder = setup.CreateEncoder() as TextNetwork
            ?? throw new ArgumentException("ConSert changes what is between embedding and layers: choose one of the TextEncoder kinds.", nameof(setup));
        RegisterComponents();
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step)
    {
        encoder.train(_method.ModelDropout);
        var draws = new Generator(new SeededRandom(step.Seed, (ulong)step.Index, ulong.MaxValue, 15).NextBits(), views[0].device);
        using (draws)
        {
            Tensor first = View(views[0], _method.First, draws, step, pass: 0), second = View(views[0], _method.Second, draws, step, pass: 1);
            step.Embedding = first;
            return NtXent.Loss(first, second, _method.Temperature);
        }
    }

    public override double? FlatLoss(long rows) => NtXent.FlatLoss(rows);

    private Tensor View(Tensor tokens, TextAugmentation augmentation, Generator draws, Step step, int pass)
    {
        TextMethod.SeedDropout(encoder, step, pass);
        Tensor mask = TextNetwork.MaskOf(tokens);
        Tensor? positions = augmentation == TextAugmentation.Shuffle ? EmbeddingCutoff.Shuffled(encoder.PositionsOf(tokens), mask, Scores(tokens.shape)) : null;
        Tensor embedded = encoder.Embed(tokens, positions);
        Tensor changed = augmentation switch
        {
            TextAugmentation.TokenCutoff => EmbeddingCutoff.Tokens(embedded, mask, _method.TokenCutoffRate, Scores(tokens.shape)),
            TextAugmentation.FeatureCutoff => EmbeddingCutoff.Features(embedded, _method.FeatureCutoffRate, Scores([embedded.shape[0], embedded.shape[2]])),
            TextAugmentation.Dropout => EmbeddingCutoff.Numbers(embedded, mask, _method.DropoutRate, Scores(embedded.shape)),
            _ => embedded,
        };
        return encoder.Represent(changed, tokens);

        Tensor Scores(long[] shape) => empty(shape, device: tokens.device).uniform_(0, 1, draws);
    }
}
