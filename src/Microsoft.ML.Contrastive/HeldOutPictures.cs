using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Labelled pictures that a classifier is tried on while it trains, as they are: nothing in their views is random.</summary>
internal sealed class HeldOutPictures(ImageStore store, long[] labels, EncoderManifest manifest, Device device) : IDisposable
{
    /// <summary>SHA-256 over pictures and labels.</summary>
    public string Fingerprint() => store.Fingerprint() + Checkpoint.Digest(stream => stream.Write(MemoryMarshal.AsBytes(labels.AsSpan())));

    /// <summary>The share of the pictures, 0 to 1, whose class is the classifier's likeliest.</summary>
    /// <param name="classifier">In evaluation mode, on the run's device; it stays the caller's.</param>
    public double Accuracy(PictureClassifier classifier)
    {
        PretrainedEncoder network = new PretrainedEncoder(manifest, classifier, device).Share();
        var maker = new ImageViewMaker(new ImageAugmentation(), manifest.Height, manifest.Width, manifest.Channels, manifest.Normalization);
        int length = manifest.Height * manifest.Width * manifest.Channels, classes = classifier.Classes, right = 0;
        var planar = new float[length];
        var pixels = new float[network.RowsTogether * length];
        var logits = new float[network.RowsTogether * classes];
        for (int start = 0; start < store.Count; start += network.RowsTogether)
        {
            int rows = Math.Min(network.RowsTogether, store.Count - start);
            for (int row = 0; row < rows; row++)
            {
                maker.MakePlain(store[start + row], planar);
                PixelOrder.Interleave(planar, manifest.Channels, pixels.AsSpan(row * length, length));
            }
            network.Forward(pixels, rows, logits);
            for (int row = 0; row < rows; row++)
                if (ClassColumns.Decide(logits.AsSpan(row * classes, classes)) == labels[start + row] + 1)
                    right++;
        }
        return (double)right / store.Count;
    }

    public void Dispose() => store.Dispose();
}
