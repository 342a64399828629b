using Microsoft.ML.Contrastive;

namespace Microsoft.ML;

/// <summary>Measures of <see cref="RepresentationCatalog"/> on an encoder and the views that it is to be tried on, in place of views that have the features already.</summary>
public static class EncoderEvaluation
{
    /// <summary>Weighted k nearest neighbours by the features that an encoder gives both views; see <see cref="RepresentationCatalog.EvaluateKnn"/>.</summary>
    /// <param name="catalog">The context's.</param>
    /// <param name="encoder">A fitted transformer or chain that adds the features.</param>
    /// <param name="train">Rows whose classes vote.</param>
    /// <param name="test">Rows that are classified.</param>
    /// <param name="featureColumnName">The column that the encoder adds, a known-size vector of Single.</param>
    /// <param name="labelColumnName">The class, in both: a key, text, a number or a truth value; compared by what it reads as.</param>
    /// <param name="k">Neighbours that vote, 1 to the number of training rows. The default value is 200.</param>
    /// <param name="temperature">t of the votes exp(cosine / t), above 0. The default value is 0.1, as on CIFAR-10; ImageNet's is 0.07.</param>
    /// <exception cref="ArgumentException">A column is missing or of another type, or a number is out of its range.</exception>
    /// <exception cref="InvalidOperationException">A row has no label, or a feature that is no finite number.</exception>
    public static KnnMetrics EvaluateKnn(
        this RepresentationCatalog catalog, ITransformer encoder, IDataView train, IDataView test, string featureColumnName = "Features", string labelColumnName = "Label", int k = 200, double temperature = 0.1)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(encoder);
        return catalog.EvaluateKnn(encoder.Transform(train), encoder.Transform(test), featureColumnName, labelColumnName, k, temperature);
    }

    /// <summary>A linear probe on the features that an encoder gives both views; see <see cref="RepresentationCatalog.EvaluateLinearProbe"/>.</summary>
    /// <param name="catalog">The context's.</param>
    /// <param name="encoder">A fitted transformer or chain that adds the features; it stays as it is.</param>
    /// <param name="train">Rows to train on, at least two.</param>
    /// <param name="test">Rows that are classified.</param>
    /// <param name="featureColumnName">The column that the encoder adds, a known-size vector of Single.</param>
    /// <param name="labelColumnName">The class, in both: a key, text, a number or a truth value; compared by what it reads as.</param>
    /// <param name="options">Rates, epochs and the like. Null: the defaults.</param>
    /// <exception cref="ArgumentException">A column is missing or of another type, or a setting is out of its range.</exception>
    /// <exception cref="InvalidOperationException">A row has no label, or a feature that is no finite number.</exception>
    public static LinearProbeMetrics EvaluateLinearProbe(
        this RepresentationCatalog catalog, ITransformer encoder, IDataView train, IDataView test, string featureColumnName = "Features", string labelColumnName = "Label", LinearProbeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(encoder);
        return catalog.EvaluateLinearProbe(encoder.Transform(train), encoder.Transform(test), featureColumnName, labelColumnName, options);
    }
}
