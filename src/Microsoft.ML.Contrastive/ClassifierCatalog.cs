using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;

namespace Microsoft.ML;

/// <summary>Classifiers on pretrained encoders, on <c>mlContext.MulticlassClassification.Trainers</c>.</summary>
public static class ClassifierCatalog
{
    /// <summary>Trains a classifier of pictures from labels, on a pretrained encoder.</summary>
    /// <param name="catalog"><c>mlContext.MulticlassClassification.Trainers</c>.</param>
    /// <param name="encoder">What <c>ContrastivePretrain</c> gave. It stays as it is.</param>
    /// <param name="labelColumnName">Name of the column of labels, a key.</param>
    /// <param name="trains">What of the encoder changes. The default value is <see cref="TrainedLayers.All"/>.</param>
    /// <param name="training">Epochs, batch, progress, cancellation. Null: batches of 64, 20 epochs, at least 400 steps.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static FineTuneEstimator FineTune(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog, ContrastivePretrainTransformer encoder,
        string labelColumnName = "Label", TrainedLayers trains = TrainedLayers.All, TrainingOptions? training = null)
    {
        var options = new FineTuneEstimator.Options { Encoder = encoder, LabelColumnName = labelColumnName, Trains = trains };
        return catalog.FineTune(training is null ? options : options with { Training = training });
    }

    /// <summary>Trains a classifier of pictures from labels, on a pretrained encoder; every setting is in <paramref name="options"/>.</summary>
    /// <param name="catalog"><c>mlContext.MulticlassClassification.Trainers</c>.</param>
    /// <param name="options">The settings.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static FineTuneEstimator FineTune(this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog, FineTuneEstimator.Options options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new FineTuneEstimator(CatalogUtils.GetEnvironment(catalog), options);
    }

    /// <summary>Trains a student on unlabelled pictures to say what a fine-tuned teacher says.</summary>
    /// <param name="catalog"><c>mlContext.MulticlassClassification.Trainers</c>.</param>
    /// <param name="teacher">What <c>FineTune</c> or <c>Distil</c> gave. It stays as it is.</param>
    /// <param name="student">The student's network. Null: the teacher's, with new weights.</param>
    /// <param name="training">Epochs, batch, progress, cancellation. Null: the defaults, and at least 400 steps.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static DistilEstimator Distil(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog, ImageClassifierTransformer teacher,
        ImageEncoder? student = null, TrainingOptions? training = null)
    {
        var options = new DistilEstimator.Options { Teacher = teacher, Student = student };
        return catalog.Distil(training is null ? options : options with { Training = training });
    }

    /// <summary>Trains a student on unlabelled pictures to say what a fine-tuned teacher says; every setting is in <paramref name="options"/>.</summary>
    /// <param name="catalog"><c>mlContext.MulticlassClassification.Trainers</c>.</param>
    /// <param name="options">The settings.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static DistilEstimator Distil(this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog, DistilEstimator.Options options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new DistilEstimator(CatalogUtils.GetEnvironment(catalog), options);
    }
}
