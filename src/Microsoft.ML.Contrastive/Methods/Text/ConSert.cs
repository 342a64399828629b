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

    /// <summary>Each token's vector moves by a given length to where the classifier errs most. For joint training alone: it needs labels.</summary>
    Adversarial,
}

/// <summary>
/// ConSERT (Yan et al. 2021, "ConSERT: a contrastive framework for self-supervised sentence representation transfer"): two views of a text, changed in the embedding
/// layer, are to find each other among the views of all texts of the batch (<see cref="NtXent"/>). With a column of positives and one of labels it is the paper's joint training: a
/// classifier of pairs (entailment, neutral, contradiction) learns beside, and both texts of a pair have their two views.
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

    /// <summary>Length by which <see cref="TextAugmentation.Adversarial"/> moves each token's vector, above 0. The default value is 1, the released code's.</summary>
    public double NoiseNorm { get; init; } = 1;

    /// <summary>
    /// How much the contrast counts beside the classifier's cross-entropy in joint training, at least 0. The default value is 0.15, the released code's, for the sum of both directions
    /// and both texts.
    /// </summary>
    public double ContrastWeight { get; init; } = 0.15;

    /// <summary>t of <see cref="NtXent"/>, above 0. The default value is 0.1.</summary>
    public double Temperature { get; init; } = 0.1;

    /// <inheritdoc/>
    protected override (int Least, int Most) Texts => (1, 2);

    internal override bool NeedsLabels(int texts) => texts == 2;

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
        ShapeCheck.Positive(NoiseNorm, nameof(NoiseNorm));
        if (!(ContrastWeight >= 0 && double.IsFinite(ContrastWeight)))
            throw new ArgumentOutOfRangeException(nameof(ContrastWeight), ContrastWeight, "ContrastWeight must be at least 0 and finite.");
        if (First == TextAugmentation.None && Second == TextAugmentation.None && !ModelDropout)
            throw new ArgumentException("Two views without any augmentation are the same: choose First or Second, or ModelDropout.", nameof(First));
    }

    /// <inheritdoc/>
    /// <remarks>Optimizer: AdamW. Rate: 5e-4 for networks that start at random; for published ones 2e-6 (the published 5e-7 belongs to ten epochs) and 2e-5 in joint training; whatever the batch, falling linearly to 0; gradients of norm 1 at most.</remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        if (facts.Classes == 0 && (First == TextAugmentation.Adversarial || Second == TextAugmentation.Adversarial))
            throw new ArgumentException("An adversarial view needs a classifier to err: set PositiveColumnName and LabelColumnName, or choose another augmentation.", nameof(First));
        return this with
        {
            Optimizer = Optimizer ?? new AdamW(),
            LearningRate = LearningRate ?? new(facts.StartsPretrained ? facts.Classes > 0 ? 2e-5 : 2e-6 : 5e-4, Scaling: RateScaling.None) { Schedule = new LinearRate() },
            MaxGradientNorm = MaxGradientNorm ?? 1,
        };
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new ConSertLearner(this, setup);
}

/// <summary>The encoder of <see cref="ConSert"/>, and in joint training the classifier of pairs.</summary>
internal sealed class ConSertLearner : Learner
{
    private readonly TextNetwork encoder;
    private readonly Linear? classifier;
    private readonly ConSert _method;

    public ConSertLearner(ConSert method, LearnerSetup setup)
        : base(nameof(ConSert))
    {
        _method = method;
        encoder = setup.CreateEncoder() as TextNetwork
            ?? throw new ArgumentException("ConSert changes what is between embedding and layers: choose one of the TextEncoder kinds.", nameof(setup));
        classifier = setup.Facts.Classes > 0 ? Linear.Normal(4 * setup.FeatureSize, setup.Facts.Classes, setup.Generator, 0.02) : null;
        RegisterComponents();
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step)
    {
        encoder.train(_method.ModelDropout);
        using var draws = new Generator(new SeededRandom(step.Seed, (ulong)step.Index, ulong.MaxValue, 15).NextBits(), views[0].device);
        if (classifier is null)
            return Contrast(views[0], noise: null, draws, step, firstPass: 0);

        // Joint: the pairs as they are through the classifier; then views of both texts.
        TextMethod.SeedDropout(encoder, step, pass: 4);
        Tensor[] embedded = [.. Enumerable.Range(0, 2).Select(text => encoder.Embed(views[text]))];
        Tensor first = encoder.Represent(embedded[0], views[0]), second = encoder.Represent(embedded[1], views[1]);
        Tensor supervised = LabelCrossEntropy.Loss(classifier.forward(PairFeatures.Joint(first, second)), views.Labels);
        Tensor[]? noise = _method.First == TextAugmentation.Adversarial || _method.Second == TextAugmentation.Adversarial ? Noise(supervised, embedded) : null;
        Tensor contrast = Contrast(views[0], noise?[0], draws, step, firstPass: 0).Plus(Contrast(views[1], noise?[1], draws, step, firstPass: 2)).Times(2); // both directions are added
        return supervised.Plus(contrast, alpha: _method.ContrastWeight);
    }

    public override double? FlatLoss(long rows) => classifier is null ? NtXent.FlatLoss(rows) : null;

    /// <summary>Where the classifier's error grows fastest: its gradient, of a given length at each token.</summary>
    private Tensor[] Noise(Tensor supervised, Tensor[] embedded)
        => [.. autograd.grad([supervised], embedded, retain_graph: true).Select(gradient
            => gradient.div(gradient.norm(2, keepdim: true).Plus(1e-10)).Times(_method.NoiseNorm).detach())];

    private Tensor Contrast(Tensor tokens, Tensor? noise, Generator draws, Step step, int firstPass)
    {
        Tensor first = View(tokens, noise, _method.First, draws, step, firstPass), second = View(tokens, noise, _method.Second, draws, step, firstPass + 1);
        step.Embedding ??= first;
        return NtXent.Loss(first, second, _method.Temperature);
    }

    private Tensor View(Tensor tokens, Tensor? noise, TextAugmentation augmentation, Generator draws, Step step, int pass)
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
            TextAugmentation.Adversarial => embedded.Plus(noise!),
            _ => embedded,
        };
        return encoder.Represent(changed, tokens);

        Tensor Scores(long[] shape) => empty(shape, device: tokens.device).uniform_(0, 1, draws);
    }
}
