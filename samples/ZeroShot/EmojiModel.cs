using Microsoft.ML;
using Microsoft.ML.Contrastive;

namespace ZeroShot;

/// <summary>A small network for pictures and one for texts, from nothing.</summary>
internal static class EmojiModel
{
    /// <summary>Trains on pictures and their names.</summary>
    public static ImageTextTransformer Train(MLContext ml, Emoji[] emoji, int epochs, IProgress<TrainingProgress> progress, CancellationToken cancellationToken = default)
        => ml.Transforms.ContrastivePretrain(new ImageTextEstimator.Options
        {
            // Two hands that draw one thing agree on its colours and where they are, not on lines: small, often blurred pictures, and a network that keeps what is where.
            ImageSize = 24,
            Method = new Clip { Augmentations = [new ImageAugmentation { Crop = new(0.8, 1), FlipProbability = 0, Jitter = new(0.3, 0.3, 0.3, 0.03, Probability: 0.8), Blur = new(0.8) }] },
            Encoder = new ImageTextEncoder(
                ImageEncoder.SmallConvNet(32, grid: 4),
                new ClipTextTransformer { VocabularySize = 1024, ContextLength = 16, Width = 128, Depth = 2, Heads = 4, EmbeddingSize = 256 }),
            Training = new TrainingOptions
            {
                Epochs = epochs,
                BatchSize = 200,
                KeepFreedMemory = true,
                Progress = progress,
                ReportEvery = 20,
                CancellationToken = cancellationToken,
            },
        }).Fit(ml.Data.LoadFromEnumerable(emoji));
}
