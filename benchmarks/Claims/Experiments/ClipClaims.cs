namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Pictures and words.</summary>
internal static class ClipClaims
{
    private const string Words = "captions of one noun", Sentences = "captions in sentences";
    private static readonly ImageEncoder s_conv = ImageEncoder.SmallConvNet(32, grid: 2);
    private static readonly PairArm s_sentences = new(Sentences, s_conv) { Sentences = true, Shows = true };

    public static Claim Prompts => new("clip-prompts", "Where captions are sentences, a class's word in a template finds more than the bare word, and an ensemble of templates more than one.")
    {
        Source = "Radford et al. 2021, section 3.1.4, figure 4",
        Arms = [s_sentences, new PairArm(Words, s_conv) { InQuick = false }],
        Comparisons = [new(Figure.Template, Sentences, Sentences) { BelowFigure = Figure.Bare }, new(Figure.Ensemble, Sentences, Sentences) { BelowFigure = Figure.Template }],
        Figures = [Figure.Ensemble, Figure.Template, Figure.Bare],
        Differs = "CIFAR-10 and its 368 nouns for 20,000 pictures, from nothing, instead of 400 million pairs; captions are the noun in one of the ensemble's own 18 templates, so that they stand there as in the prompts.",
    };

    public static Claim Unseen => new("clip-unseen", "A class that never was in a caption is told worse than those that were.")
    {
        Source = "the survey; Radford et al. 2021 train on so much that hardly a class is unseen",
        Arms = [new PairArm("deer and truck held out", s_conv) { Sentences = true, HoldsOut = true }],
        Comparisons = [new(Figure.Seen, "deer and truck held out", "deer and truck held out") { BelowFigure = Figure.Unseen }],
        Figures = [Figure.Seen, Figure.Unseen],
        Differs = "Words that were never trained, and mean nothing to a text tower from random weights; chance is a tenth.",
    };

    public static Claim Towers => new("clip-towers", "A vision transformer is the better picture tower.")
    {
        Source = "Radford et al. 2021, section 3.2, figure 10",
        Arms = [s_sentences, new PairArm("the same, transformer tower", new ClipVisionTransformer { Patch = 8, Width = 128, Depth = 3, Heads = 4, EmbeddingSize = 256 }) { Sentences = true }],
        Comparisons = [new(Figure.Ensemble, "the same, transformer tower", Sentences)],
        Figures = [Figure.Ensemble, Figure.Template, Figure.Bare],
        Differs = "20,000 pictures instead of 400 million: transformers need many to catch up. Equal steps; the seconds stand beside.",
    };
}
