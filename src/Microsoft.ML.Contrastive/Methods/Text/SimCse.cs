using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// SimCSE (Gao, Yao, Chen 2021, "SimCSE: simple contrastive learning of sentence embeddings"). Without further columns a text is its own positive: it passes the
/// encoder twice, and dropout alone makes the difference. With positives, such as sentences that follow from it, and hard negatives, such as
/// sentences that contradict it, it learns from these. All other texts of the batch are negatives.
/// </summary>
public sealed record SimCse : TextMethod
{
    /// <summary>
    /// The published unsupervised settings for BERT-base: temperature 0.05, the MLP in training alone, AdamW without decay, rate 3e-5 falling linearly to 0,
    /// gradients of norm 1 at most. With batches of 64, one epoch of a million sentences, 32 tokens.
    /// </summary>
    public static SimCse Paper { get; } = new()
    {
        Optimizer = new AdamW(),
        LearningRate = new(3e-5, Scaling: RateScaling.None) { Schedule = new LinearRate() },
        MaxGradientNorm = 1,
    };

    /// <summary>t of <see cref="InBatchContrast"/>, above 0. The default value is 0.05.</summary>
    public double Temperature { get; init; } = 0.05;

    /// <summary>w, the logarithm of how many times a text's own hard negative counts. The default value is 0, the paper's best.</summary>
    public double HardNegativeWeight { get; init; }

    /// <summary>
    /// Whether positives look for their texts too, and the loss is the mean of both directions. The default value is false, as published; not with hard negatives.
    /// </summary>
    public bool Symmetric { get; init; }

    /// <summary>
    /// Whether the layer behind the pooling (as wide as the vector, with tanh) stays in the encoder. Null, the default: with positives it stays, without it is for
    /// training alone, as published.
    /// </summary>
    public bool? KeepsMlp { get; init; }

    /// <summary>Whether there is that layer at all. The default value is true.</summary>
    public bool HasMlp { get; init; } = true;

    /// <summary>
    /// Lengths at which the loss is taken of the first numbers of each vector, beside the whole (Kusupati et al. 2022), so that a vector cut short is still good. Null,
    /// the default, for none. Each counts as much as the whole.
    /// </summary>
    public IReadOnlyList<int>? MatryoshkaSizes { get; init; }

    /// <summary>Whether the views pass the network as one batch, as published. False: one after the other. The default value is true.</summary>
    public bool JointForward { get; init; } = true;

    /// <inheritdoc/>
    protected override (int Least, int Most) Texts => (1, 3);

    /// <inheritdoc/>
    public override void Validate(int batchSize)
    {
        base.Validate(batchSize);
        ShapeCheck.Positive(Temperature, nameof(Temperature));
        if (!double.IsFinite(HardNegativeWeight))
            throw new ArgumentOutOfRangeException(nameof(HardNegativeWeight), HardNegativeWeight, "HardNegativeWeight must be finite.");
        if (MatryoshkaSizes is { } sizes && (sizes.Count == 0 || sizes.Any(size => size < 1)))
            throw new ArgumentOutOfRangeException(nameof(MatryoshkaSizes), "MatryoshkaSizes must be at least 1 each, or null for none.");
        if (KeepsMlp == true && !HasMlp)
            throw new ArgumentException("KeepsMlp asks for a layer that HasMlp = false leaves out.", nameof(KeepsMlp));
    }

    /// <inheritdoc/>
    /// <remarks>Optimizer: AdamW without decay, gradients of norm 1 at most. Rate: 5e-4 for networks that start at random and 3e-5 for published ones (5e-5 with positives), whatever the batch, falling linearly to 0.</remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        if (Symmetric && facts.TextsPerExample > 2)
            throw new ArgumentException("A symmetric loss has no place for hard negatives: leave NegativeColumnName out, or Symmetric.", nameof(Symmetric));
        if (MatryoshkaSizes?.FirstOrDefault(size => size > facts.FeatureSize) is > 0 and var size)
            throw new ArgumentException($"MatryoshkaSizes has {size}, more than the encoder's {facts.FeatureSize} numbers.", nameof(MatryoshkaSizes));
        return this with
        {
            KeepsMlp = KeepsMlp ?? (HasMlp && facts.TextsPerExample > 1),
            Optimizer = Optimizer ?? new AdamW(),
            LearningRate = LearningRate ?? new(facts.StartsPretrained ? facts.TextsPerExample > 1 ? 5e-5 : 3e-5 : 5e-4, Scaling: RateScaling.None) { Schedule = new LinearRate() },
            MaxGradientNorm = MaxGradientNorm ?? 1,
        };
    }

    internal override TextEncoder EncoderFor(TextEncoder chosen, int texts)
        => HasMlp && (KeepsMlp ?? texts > 1) && chosen is TextTransformer { DenseSize: null } transformer ? transformer with { DenseSize = transformer.FeatureSize } : chosen;

    /// <summary>The text twice, or its columns.</summary>
    internal override IReadOnlyList<int[]> MakeViews(int[][] texts, Func<int, bool> isSpecial, SeededRandom random) => texts is [var only] ? [only, only] : texts;

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new SimCseLearner(this, setup);
}

/// <summary>Encoder and MLP of <see cref="SimCse"/>.</summary>
internal sealed class SimCseLearner : Learner
{
    private readonly nn.Module<Tensor, Tensor> encoder;
    private readonly Linear? mlp;
    private readonly SimCse _method;

    public SimCseLearner(SimCse method, LearnerSetup setup)
        : base(nameof(SimCse))
    {
        _method = method;
        encoder = setup.CreateEncoder();
        mlp = TextHeads.Mlp(setup, method.HasMlp && method.KeepsMlp != true);
        RegisterComponents();
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step)
    {
        TextMethod.SeedDropout(this, step);
        Tensor[] projected = _method.JointForward
            ? Project(views.Stacked()).chunk(views.Count, 0)
            : [.. Enumerable.Range(0, views.Count).Select(view => Project(views[view]))];
        step.Embedding = projected[0];
        Tensor? hardNegatives = projected.Length > 2 ? projected[2] : null;
        return _method.MatryoshkaSizes is { } sizes
            ? Cut(sizes.Append((int)projected[0].shape[1]))
            : Contrast(projected[0], projected[1], hardNegatives);

        Tensor Cut(IEnumerable<int> lengths) => lengths
            .Select(length => Contrast(projected[0].narrow(1, 0, length), projected[1].narrow(1, 0, length), hardNegatives?.narrow(1, 0, length)))
            .Aggregate((sum, next) => sum.add(next));
    }

    public override double? FlatLoss(long rows) => null; // the number of columns depends on the views

    private Tensor Project(Tensor view) => TextHeads.Project(encoder.forward(view), mlp);

    private Tensor Contrast(Tensor anchors, Tensor partners, Tensor? hardNegatives) => _method.Symmetric
        ? InBatchContrast.Symmetric(anchors, partners, _method.Temperature)
        : InBatchContrast.Loss(anchors, partners, _method.Temperature, hardNegatives, _method.HardNegativeWeight);
}

/// <summary>The layer that SimCSE and its heirs have behind the pooling.</summary>
internal static class TextHeads
{
    /// <summary>As wide as the vector, weights normal with deviation 0.02 as in BERT; null where there is none.</summary>
    public static Linear? Mlp(LearnerSetup setup, bool isThere) => isThere ? Linear.Normal(setup.FeatureSize, setup.FeatureSize, setup.Generator, 0.02) : null;

    public static Tensor Project(Tensor vectors, Linear? mlp) => mlp is null ? vectors : mlp.forward(vectors).tanh();
}
