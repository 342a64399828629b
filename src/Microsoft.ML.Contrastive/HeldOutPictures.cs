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
        float[] logits = new PretrainedEncoder(manifest, classifier, device).Share().ForwardAll(store, classifier.Classes); // never released: the network is the caller's
        return labels.Index().Average(row => ClassColumns.Decide(logits.AsSpan(row.Index * classifier.Classes, classifier.Classes)) == row.Item + 1 ? 1.0 : 0);
    }

    public void Dispose() => store.Dispose();
}
