namespace Microsoft.ML.Contrastive;

public static class ImageAugmentations
{
    public static ImageAugmentation SimClr(double strength = 1, bool blur = true) => new();
    public static ImageAugmentation MoCoV2 { get; } = new();
    public static ImageAugmentation SimSiam => MoCoV2;
}
