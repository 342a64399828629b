namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What keeps methods without negatives from collapsing.</summary>
internal static class CollapseClaims
{
    private const double DinoLength = 2;
    private static readonly ImageEncoder s_grouped = ImageEncoder.SmallConvNet(16, grid: 2) with { Norm = EncoderNorm.GroupWithStandardizedWeights };

    public static Claim ByolNorms => new("byol-norm", "BYOL needs no batch statistics in its MLPs, but a good start: without norm it fails, started from one pass of batch norm it learns, and so it does with group norm and weight standardisation.")
    {
        Source = "Richemond et al. 2020, sections 3.1 to 3.3",
        Arms =
        [
            new PictureArm("batch norm", SmallHeads.Byol) { Shows = true },
            new PictureArm("no norm", SmallHeads.Byol with { HeadNorm = HeadNorm.None }),
            new PictureArm("started from one pass of batch norm", SmallHeads.Byol with { HeadNorm = HeadNorm.FirstBatch }),
            new PictureArm("group norm, weights standardised", SmallHeads.Byol with { HeadNorm = HeadNorm.Group }) { Encoder = s_grouped },
            new PictureArm("the same without norm in the MLPs", SmallHeads.Byol with { HeadNorm = HeadNorm.None }) { Encoder = s_grouped },
            new PictureArm("as it starts", SmallHeads.Byol) { Length = 0 },
        ],
        Comparisons =
        [
            new(Figure.Linear, "batch norm", "no norm"),
            new(Figure.Linear, "started from one pass of batch norm", "no norm"),
            new(Figure.Projection, "started from one pass of batch norm", "no norm"),
            new(Figure.Linear, "group norm, weights standardised", "the same without norm in the MLPs"),
            new(Figure.Projection, "group norm, weights standardised", "the same without norm in the MLPs"),
        ],
        Figures = [Figure.Linear, Figure.Knn, Figure.Projection, Figure.Rank],
        Differs = "The encoder keeps its batch norm in the first three arms, where the paper takes it out of both; the next two have no batch statistics in it. What the loss sees has a deviation of 1 where it is spread out, and of 0 where all is one point: that is a collapse, though features in front of the projector may stay as they started.",
    };

    public static Claim StoppedGradient => new("simsiam-stop", "Without the stopped gradient SimSiam collapses.")
    {
        Source = "Chen and He 2021, section 4.1, figure 2",
        Arms = [new PictureArm("with stop", SmallHeads.SimSiam) { Shows = true }, new PictureArm("without stop", SmallHeads.SimSiam with { StopsGradient = false }), new PictureArm("as it starts", SmallHeads.SimSiam) { Length = 0 }],
        Comparisons = [new(Figure.Knn, "with stop", "without stop"), new(Figure.Linear, "with stop", "without stop"), new(Figure.Projection, "with stop", "without stop")],
        Figures = [Figure.Knn, Figure.Linear, Figure.Projection, Figure.Rank],
        Differs = "Features are measured in front of the projector, where a random network's already tell clothes apart: a collapse of what the loss sees (a deviation of 0 where all is one point) lowers them, and does not bring them to chance. In runs of minutes it is on its way, not at its end.",
    };

    public static Claim DinoCollapse => new("dino-collapse", "DINO collapses without the centring of its teacher's scores, and without their sharpening.")
    {
        Source = "Caron et al. 2021, section 5.3, figure 7",
        Arms =
        [
            new PictureArm("both", SmallHeads.Dino) { Shows = true, Length = DinoLength },
            new PictureArm("no centring", SmallHeads.Dino with { CentreMomentum = 1 }) { Length = DinoLength },
            new PictureArm("no sharpening", SmallHeads.Dino with { FirstTeacherTemperature = 0.1, TeacherTemperature = 0.1 }) { Length = DinoLength },
            new PictureArm("as it starts", SmallHeads.Dino) { Length = 0 },
        ],
        Comparisons =
        [
            new(Figure.Knn, "both", "no centring"),
            new(Figure.Knn, "both", "no sharpening"),
            new(Figure.Linear, "both", "no centring"),
            new(Figure.Linear, "both", "no sharpening"),
            new(Figure.Knn, "both", "as it starts"),
        ],
        Figures = [Figure.Knn, Figure.Linear, Figure.Projection, Figure.Rank],
        Differs = "A centre that keeps all of its 0 is none; a teacher no sharper than its student (temperature 0.1) is none sharpened. A conv net without multi-crop instead of ViT-S with it. DINO starts slowly: its arms are twice as long as others, and in the quick form it has hardly left its start, which the last comparison tells.",
    };
}
