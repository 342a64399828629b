namespace Microsoft.ML.Contrastive;

internal sealed class ImageViewMaker(ImageAugmentation augmentation, int height, int width, int channels, Normalization normalization)
{
    public void Make(Picture source, ref SeededRandom random, Span<float> destination) { _ = (augmentation, height, width, channels, normalization); }
    public void MakePlain(Picture source, Span<float> destination) { }
}
