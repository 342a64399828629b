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
        SparesDuplicates = false,
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
    /// training alone, as published; with <see cref="MatryoshkaSizes"/> it stays.
    /// </summary>
    public bool? KeepsMlp { get; init; }

    /// <summary>Whether there is that layer at all. The default value is true.</summary>
    public bool HasMlp { get; init; } = true;

    /// <summary>
    /// Lengths at which the loss is taken of the first numbers of each vector, beside the whole (Kusupati et al. 2022), so that a vector cut short is still good. Null,
    /// the default, for none. Each counts as much as the whole. What is cut is what the loss is taken of, behind the layer: it stays, unless <see cref="HasMlp"/> leaves it out.
    /// </summary>
    public IReadOnlyList<int>? MatryoshkaSizes { get; init; }

    /// <summary>
    /// Whether a positive that reads the same as a text's own positive, or as the text, or whose text reads the same, is not its negative: in natural language inference texts and
    /// positives repeat often. The default value is true; the published code has no such rule. Hard negatives always count.
    /// </summary>
    public bool SparesDuplicates { get; init; } = true;

    /// <summary>
    /// How much the loss of guessing hidden words is added, at least 0: the paper's auxiliary objective (section 6.2), where it has 0.1. 15 % of the words are hidden: of these
    /// 80 % behind the mask token, 10 % behind another word, 10 % stay (Devlin et al. 2019). The default value is 0: off.
    /// </summary>
    public double MaskedWordWeight { get; init; }

    /// <summary>Whether the views pass the network as one batch, as published. False: one after the other. The default value is true.</summary>
    public bool JointForward { get; init; } = true;

    /// <summary>
    /// Whether a text's views pass under the same dropout, so that without a positive they do not differ: the paper's trial with a fixed mask (section 3, table 3), for showing what
    /// other masks are worth. The views then pass one after the other. The default value is false.
    /// </summary>
    public bool SharesDropout { get; init; }

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
        if (!(MaskedWordWeight >= 0 && double.IsFinite(MaskedWordWeight)))
            throw new ArgumentOutOfRangeException(nameof(MaskedWordWeight), MaskedWordWeight, "MaskedWordWeight must be at least 0 and finite.");
        if (KeepsMlp == true && !HasMlp)
            throw new ArgumentException("KeepsMlp asks for a layer that HasMlp = false leaves out.", nameof(KeepsMlp));
        if (KeepsMlp == false && HasMlp && MatryoshkaSizes is not null)
            throw new ArgumentException("MatryoshkaSizes cuts the vectors behind the MLP, which KeepsMlp = false throws away: leave KeepsMlp out, or set HasMlp = false.", nameof(KeepsMlp));
    }

    /// <inheritdoc/>
    /// <remarks>Optimizer: AdamW without decay, gradients of norm 1 at most. Rate: 2e-2 for means of word vectors, 5e-4 for networks that start at random and 3e-5 for published ones (5e-5 with positives), whatever the batch, falling linearly to 0.</remarks>
    public override ContrastiveMethod Resolve(RunFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        Validate(facts.BatchSize);
        if (Symmetric && facts.TextsPerExample > 2)
            throw new ArgumentException("A symmetric loss has no place for hard negatives: leave NegativeColumnName out, or Symmetric.", nameof(Symmetric));
        if (facts.TextsPerExample == 1 && !SharesDropout && facts.Encoder is WordVectorEncoder or TextTransformer { Dropout: 0, AttentionDropout: 0 })
            throw new ArgumentException("Without dropout a text's two views are the same, and there is nothing to learn: set PositiveColumnName, or choose an encoder with dropout, or new ESimCse(); or SharesDropout, to see what comes of it.", nameof(facts));
        if (MaskedWordWeight > 0 && facts.Encoder is not TextTransformer)
            throw new ArgumentException("Hidden words can be guessed by a TextTransformer alone: leave MaskedWordWeight out, or choose such an encoder.", nameof(MaskedWordWeight));
        if (MatryoshkaSizes?.FirstOrDefault(size => size > facts.FeatureSize) is > 0 and var size)
            throw new ArgumentException($"MatryoshkaSizes has {size}, more than the encoder's {facts.FeatureSize} numbers.", nameof(MatryoshkaSizes));
        (OptimizerSettings optimizer, LearningRate rate, double limit) = Recipe(this, facts);
        return this with { KeepsMlp = Keeps(facts.TextsPerExample), Optimizer = optimizer, LearningRate = rate, MaxGradientNorm = limit };
    }

    /// <summary>A method's own optimizer, rate and limit of the gradient, or what <see cref="Resolve"/> fills in for them.</summary>
    internal static (OptimizerSettings Optimizer, LearningRate Rate, double MaxGradientNorm) Recipe(ContrastiveMethod method, RunFacts facts)
        => (method.Optimizer ?? new AdamW(), method.LearningRate ?? new(Peak(facts), Scaling: RateScaling.None) { Schedule = new LinearRate() }, method.MaxGradientNorm ?? 1);

    // Of word vectors by the trials on STS-B train in docs/sentences.md: their numbers are of deviation 0.4 to 1, a new transformer's of 0.02.
    private static double Peak(RunFacts facts) => facts switch
    {
        { Encoder: WordVectorEncoder } => 2e-2,
        { StartsPretrained: false } => 5e-4,
        _ => facts.TextsPerExample > 1 ? 5e-5 : 3e-5,
    };

    internal override TextEncoder EncoderFor(TextEncoder chosen, int texts)
        => Keeps(texts) && chosen is TextTransformer { DenseSize: null } transformer ? transformer with { DenseSize = transformer.FeatureSize } : chosen;

    private bool Keeps(int texts) => KeepsMlp ?? (HasMlp && (texts > 1 || MatryoshkaSizes is not null));

    /// <summary>The text twice, or its columns; behind them the text with hidden words, where they are to be guessed.</summary>
    internal override IReadOnlyList<int[]> MakeViews(int[][] texts, TokenKinds tokens, SeededRandom random)
    {
        int[][] views = texts is [var only] ? [only, only] : texts;
        return MaskedWordWeight > 0 ? [.. views, HiddenWords.Hide(texts[0], tokens, random)] : views;
    }

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new SimCseLearner(this, setup);
}

/// <summary>Encoder and MLP of <see cref="SimCse"/>.</summary>
internal sealed class SimCseLearner : Learner, IChunkedLearner
{
    private readonly nn.Module<Tensor, Tensor> encoder;
    private readonly Linear? mlp;
    private readonly MaskedWords? masked_words;
    private readonly SimCse _method;

    public SimCseLearner(SimCse method, LearnerSetup setup)
        : base(nameof(SimCse))
    {
        _method = method;
        encoder = setup.CreateEncoder();
        mlp = TextHeads.Mlp(setup, method.HasMlp && method.KeepsMlp != true);
        masked_words = method.MaskedWordWeight > 0 ? new MaskedWords((TextTransformer)setup.Facts.Encoder!, setup.Generator) : null;
        RegisterComponents();
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step) => Contrast(Represent(views, step, chunk: 0), views, step);

    /// <summary>The projections of each view; and behind them, where hidden words are guessed, the loss of each row's.</summary>
    public IReadOnlyList<Tensor> Represent(Views views, Step step, int chunk)
    {
        TextMethod.SeedDropout(this, step, chunk);
        Tensor[] texts = Texts(views);
        Tensor[] projected = _method.JointForward && !_method.SharesDropout ? Project(cat(texts, 0)).chunk(texts.Length, 0) : [.. texts.Select(ProjectByItself)];
        return masked_words is null ? projected : [.. projected, masked_words.PerRow((TextTransformerModule)encoder, texts[0], views[views.Count - 1])];

        Tensor ProjectByItself(Tensor view)
        {
            if (_method.SharesDropout)
                TextMethod.SeedDropout(this, step, chunk);
            return Project(view);
        }
    }

    public Tensor Contrast(IReadOnlyList<Tensor> representations, Views views, Step step)
    {
        Tensor[] texts = Texts(views), projected = [.. representations.Take(texts.Length)];
        step.Embedding = projected[0];
        Tensor? hardNegatives = projected.Length > 2 ? projected[2] : null, spared = _method.SparesDuplicates ? Duplicates(texts[0], texts[1]) : null;
        Tensor loss = _method.MatryoshkaSizes is { } sizes
            ? Cut(sizes.Append((int)projected[0].shape[1]).Distinct())
            : Of(projected[0], projected[1], hardNegatives);
        return masked_words is null ? loss
            : loss.Plus(representations[^1].sum().div(MaskedWords.Hidden(views[views.Count - 1]).sum().AtLeast(1)), alpha: _method.MaskedWordWeight);

        Tensor Cut(IEnumerable<int> lengths) => lengths
            .Select(length => Of(projected[0].narrow(1, 0, length), projected[1].narrow(1, 0, length), hardNegatives?.narrow(1, 0, length)))
            .Aggregate((sum, next) => sum.Plus(next));

        Tensor Of(Tensor anchors, Tensor partners, Tensor? negatives) => _method.Symmetric
            ? InBatchContrast.Symmetric(anchors, partners, _method.Temperature, spared)
            : InBatchContrast.Loss(anchors, partners, _method.Temperature, negatives, _method.HardNegativeWeight, excluded: spared);
    }

    public override double? FlatLoss(long rows) => null; // the number of columns depends on the views

    /// <summary>The views that are texts, without the one with hidden words.</summary>
    private Tensor[] Texts(Views views) => [.. Enumerable.Range(0, masked_words is null ? views.Count : views.Count - 1).Select(view => views[view])];

    private Tensor Project(Tensor view) => TextHeads.Project(encoder.forward(view), mlp);

    /// <summary>True where the partner of another row reads as the row's own partner or as the row itself, or that row as this one: [N, N]; null where there are none.</summary>
    private static Tensor? Duplicates(Tensor texts, Tensor partners)
    {
        Tensor others = eye(texts.shape[0], dtype: ScalarType.Bool, device: texts.device).logical_not();
        Tensor same = Equal(partners, partners).logical_or(Equal(texts, partners)).logical_or(Equal(texts, texts)).logical_and(others);
        return same.any().item<bool>() ? same : null;

        static Tensor Equal(Tensor rows, Tensor columns) => rows.unsqueeze(1).eq(columns.unsqueeze(0)).all(2);
    }
}

/// <summary>The layer that SimCSE and its heirs have behind the pooling.</summary>
internal static class TextHeads
{
    /// <summary>As wide as the vector, weights normal with deviation 0.02 as in BERT; null where there is none.</summary>
    public static Linear? Mlp(LearnerSetup setup, bool isThere) => isThere ? Linear.Normal(setup.FeatureSize, setup.FeatureSize, setup.Generator, 0.02) : null;

    public static Tensor Project(Tensor vectors, Linear? mlp) => mlp is null ? vectors : mlp.forward(vectors).tanh();
}
