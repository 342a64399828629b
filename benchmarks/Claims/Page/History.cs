namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>A method's place in the history of the field.</summary>
/// <param name="Method">Its type's name in the library.</param>
/// <param name="Name">Its name.</param>
/// <param name="When">Year and month of its first public version.</param>
/// <param name="Authors">Short.</param>
/// <param name="Idea">What was new, in a sentence.</param>
/// <param name="Flow">How data flow through it.</param>
internal sealed record Milestone(string Method, string Name, string When, string Authors, string Idea, DataFlow Flow)
{
    /// <summary>Whether it learns from texts alone.</summary>
    public bool OfTexts { get; init; }

    /// <summary>Its row in sentences.json; null where it has none.</summary>
    public string? SentencesRow { get; init; }
}

/// <summary>From InstDisc to CLIP, and from SimCSE to ConSERT.</summary>
internal static class History
{
    public static IReadOnlyList<Milestone> All =>
    [
        new(nameof(InstDisc), "InstDisc", "2018-05", "Wu, Xiong, Yu, Lin", "Every picture is a class of its own, found again among all pictures as a bank remembers them.",
            new("picture", "own row?", new Lane(View(1), s_encoder, s_linear)) { Memory = "bank of all" }),
        new(nameof(Cpc), "CPC", "2018-07", "van den Oord, Li, Vinyals", "What is seen so far predicts what comes, among other pieces: one objective for sound, text and pictures.",
            new("sequence", "InfoNCE", new Lane(new Box(Part.View, "past"), s_encoder, new Box(Part.Head, "GRU"), s_predictor), new Lane(new Box(Part.View, "future"), s_encoder)) { SameWeights = true }),
        new(nameof(InvaSpread), "InvaSpread", "2019-04", "Ye, Zhang, Yuen, Chang", "One network end to end: negatives are the other pictures of the batch.",
            new("picture", "batch softmax", new Lane(View(1), s_encoder, s_linear), new Lane(View(2), s_encoder, s_linear)) { SameWeights = true }),
        new(nameof(Cmc), "CMC", "2019-06", "Tian, Krishnan, Isola", "Views may be modalities: lightness and colours of one picture find each other.",
            new("picture", "NCE", new Lane(new Box(Part.View, "L"), new Box(Part.Encoder, "encoder L"), s_linear), new Lane(new Box(Part.View, "ab"), new Box(Part.Encoder, "encoder ab"), s_linear)) { Memory = "two banks" }),
        new(nameof(MoCoV1), "MoCo v1", "2019-11", "He, Fan, Wu, Xie, Girshick", "A queue of keys from a slowly moving encoder: many negatives, all of about one age.",
            new("picture", "InfoNCE", new Lane(View(1), s_encoder, s_linear), new Lane(View(2), s_target, s_targetLinear) { Stops = true }) { Memory = "queue" }),
        new(nameof(SimClrV1), "SimCLR v1", "2020-02", "Chen, Kornblith, Norouzi, Hinton", "Strong views, an MLP that is thrown away, large batches, and no memory at all.",
            new("picture", "NT-Xent", new Lane(View(1), s_encoder, s_mlp), new Lane(View(2), s_encoder, s_mlp)) { SameWeights = true }),
        new(nameof(MoCoV2), "MoCo v2", "2020-03", "Chen, Fan, Girshick, He", "MoCo with SimCLR's MLP and stronger views, in batches that fit one machine.",
            new("picture", "InfoNCE", new Lane(View(1), s_encoder, s_mlp), new Lane(View(2), s_target, s_targetMlp) { Stops = true }) { Memory = "queue" }),
        new(nameof(Byol), "BYOL", "2020-06", "Grill et al.", "No negatives: predict what a slow copy of yourself makes of the other view.",
            new("picture", "distance", new Lane(View(1), s_encoder, s_mlp, s_predictor), new Lane(View(2), s_target, s_targetMlp) { Stops = true })),
        new(nameof(SwAV), "SwAV", "2020-06", "Caron et al.", "Compare assignments to prototypes, not pictures; see many small views of each.",
            new("picture", "swapped", new Lane(View(1), s_encoder, s_mlp), new Lane(new Box(Part.View, "other views"), s_encoder, s_mlp)) { SameWeights = true, Memory = "prototypes" }),
        new(nameof(SimClrV2), "SimCLR v2", "2020-06", "Chen et al.", "Bigger encoders, a deeper projector whose first layer is kept: a start for few labels.",
            new("picture", "NT-Xent", new Lane(View(1), s_encoder, new Box(Part.Encoder, "kept layer"), s_mlp), new Lane(View(2), s_encoder, new Box(Part.Encoder, "kept layer"), s_mlp)) { SameWeights = true }),
        new(nameof(SimSiam), "SimSiam", "2020-11", "Chen, He", "No negatives and no momentum: a stopped gradient suffices.",
            new("picture", "−cosine", new Lane(View(1), s_encoder, s_mlp, s_predictor), new Lane(View(2), s_encoder, s_mlp) { Stops = true }) { SameWeights = true }),
        new(nameof(Clip), "CLIP", "2021-02", "Radford et al.", "The other view is a text: captions become classes that need no labels.",
            new("", "both ways", new Lane(new Box(Part.View, "crop"), new Box(Part.Encoder, "image tower"), s_linear) { Input = "picture" }, new Lane(new Box(Part.View, "tokens"), new Box(Part.Encoder, "text tower"), s_linear) { Input = "caption" })),
        new(nameof(MoCoV3), "MoCo v3", "2021-04", "Chen, Xie, He", "MoCo without a queue, with a predictor, for vision transformers whose patch projection stays frozen.",
            new("picture", "InfoNCE", new Lane(View(1), s_encoder, s_mlp, s_predictor), new Lane(View(2), s_target, s_targetMlp) { Stops = true })),
        new(nameof(Dino), "DINO", "2021-04", "Caron et al.", "A student tells what its own slow teacher says, whose scores are centred and sharpened.",
            new("picture", "cross-entropy", new Lane(new Box(Part.View, "all views"), s_encoder, s_mlp), new Lane(new Box(Part.View, "large views"), s_target, s_targetMlp) { Stops = true }) { Memory = "centre" }),
        new(nameof(SimCse), "SimCSE", "2021-04", "Gao, Yao, Chen", "The same sentence twice: dropout alone makes the difference.",
            new("sentence", "InfoNCE", new Lane(new Box(Part.View, "as it is"), new Box(Part.Encoder, "dropout 1"), s_mlp), new Lane(new Box(Part.View, "as it is"), new Box(Part.Encoder, "dropout 2"), s_mlp)) { SameWeights = true })
        {
            OfTexts = true, SentencesRow = "simcse",
        },
        new(nameof(ConSert), "ConSERT", "2021-05", "Yan et al.", "Views are made between embedding and layers: positions shuffled, tokens and features cut.",
            new("sentence", "NT-Xent", new Lane(new Box(Part.View, "shuffle"), s_encoder), new Lane(new Box(Part.View, "cutoff"), s_encoder)) { SameWeights = true })
        {
            OfTexts = true, SentencesRow = "consert",
        },
        new(nameof(ESimCse), "ESimCSE", "2021-09", "Wu et al.", "Repeated words, so that length is no hint; a queue of earlier sentences, so that batches may be small.",
            new("sentence", "InfoNCE", new Lane(new Box(Part.View, "as it is"), s_encoder, s_mlp), new Lane(new Box(Part.View, "words twice"), s_encoder, s_mlp)) { SameWeights = true, Memory = "momentum queue" })
        {
            OfTexts = true, SentencesRow = "esimcse",
        },
    ];

    private static readonly Box s_encoder = new(Part.Encoder, "encoder"), s_target = new(Part.Momentum, "momentum"), s_linear = new(Part.Head, "linear"), s_mlp = new(Part.Head, "MLP"),
        s_predictor = new(Part.Predictor, "predictor"), s_targetLinear = new(Part.Momentum, "linear"), s_targetMlp = new(Part.Momentum, "MLP");

    private static Box View(int number) => new(Part.View, $"view {number}");
}
