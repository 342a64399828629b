using Microsoft.ML.Contrastive;

namespace Microsoft.ML;

/// <summary>Training on several columns of pictures, on <c>mlContext.Transforms</c>.</summary>
public static class MultiviewCatalog
{
    /// <summary>
    /// Learns features from several columns of unlabelled pictures, what two sensors saw for instance: each column is a view with a network of its own, and the features are all
    /// networks' beside each other.
    /// </summary>
    /// <param name="catalog"><c>mlContext.Transforms</c>.</param>
    /// <param name="outputColumnName">Name of the column to add: a known-size vector of Single.</param>
    /// <param name="inputColumnNames">Names of 2 to 16 columns of pictures, of any sizes: all are resized to one.</param>
    /// <param name="method">What is learned by: <c>new Cmc()</c>.</param>
    /// <param name="encoder">One for each column, such as <c>ImageEncoder.Multiview(ImageEncoder.ResNet18(), ImageEncoder.SmallConvNet())</c>, or an <see cref="ImageEncoder"/> that each of them gets. Null: small conv nets for views under 64 pixels, otherwise ResNet-18.</param>
    /// <param name="training">Epochs, batch, progress, cancellation. Null: the defaults.</param>
    /// <param name="imageShapes">How each column's vectors hold pictures, null in place of one for MLImage. Null: all columns are MLImage.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static ContrastivePretrainEstimator ContrastivePretrain(
        this TransformsCatalog catalog, string outputColumnName, string[] inputColumnNames, Cmc method, Encoder? encoder = null, TrainingOptions? training = null,
        IReadOnlyList<ImageShape?>? imageShapes = null)
    {
        ArgumentNullException.ThrowIfNull(inputColumnNames);
        return catalog.ContrastivePretrain(new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = outputColumnName,
            InputColumnNames = [.. inputColumnNames],
            Method = method,
            Encoder = encoder,
            Training = training ?? new TrainingOptions(),
            ImageShapes = imageShapes,
        });
    }
}
