using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Trains a classifier of pictures from labels, on a pretrained encoder: a linear layer behind it, and of the encoder nothing, its last stages, or
/// all (Chen et al. 2020b, section 2). The encoder that it starts from stays as it is.
/// </summary>
/// <remarks>
/// The run's seed is the context's, its device the context's GpuDeviceId and FallbackToCpu. For a network that learns from the labels alone, give it
/// <see cref="ContrastivePretrainEstimator.Untrained"/>.
/// </remarks>
public sealed class FineTuneEstimator : IEstimator<ImageClassifierTransformer>
{
    private readonly IHostEnvironment _environment; // the host keeps the GPU settings of the moment of its registration
    private readonly IHost _host;
    private readonly Options _options;

    /// <summary>All settings of the estimator.</summary>
    public sealed record Options
    {
        /// <summary>The pretrained encoder of pictures in one column, by any method; of a CLIP <see cref="ImageTextTransformer.AsImageEncoder"/>.</summary>
        public required ContrastivePretrainTransformer Encoder { get; init; }

        /// <summary>Name of the column of labels, a key. Rows without one are left out. The default value is "Label".</summary>
        public string LabelColumnName { get; init; } = "Label";

        /// <summary>Name of the column of pictures. Null: the encoder's.</summary>
        public string? ImageColumnName { get; init; }

        /// <summary>Name of the column of the likeliest class to add. The default value is "PredictedLabel".</summary>
        public string PredictedLabelColumnName { get; init; } = "PredictedLabel";

        /// <summary>Name of the column of probabilities to add. The default value is "Score".</summary>
        public string ScoreColumnName { get; init; } = "Score";

        /// <summary>What of the encoder changes. The default value is <see cref="TrainedLayers.All"/>.</summary>
        public TrainedLayers Trains { get; init; } = TrainedLayers.All;

        /// <summary>How many, where <see cref="Trains"/> is <see cref="TrainedLayers.LastStages"/>, from 1 to as many as the encoder has. The default value is 1.</summary>
        public int Stages { get; init; } = 1;

        /// <summary>
        /// For an encoder that keeps a layer of its projector (<see cref="EncoderWithHead"/>, what <see cref="SimClrV2"/> trains): true, the default, starts from behind
        /// that layer, as published; false from where the encoder's features are. Others have no such layer, and it changes nothing.
        /// </summary>
        public bool FromMiddleLayer { get; init; } = true;

        /// <summary>e of <see cref="LabelCrossEntropy"/>, 0 to below 1. The default value is 0.</summary>
        public double LabelSmoothing { get; init; }

        /// <summary>What happens to a picture on its way into a view. Null: crops of 0.5 to 1 of the area under 64 pixels, otherwise 0.08 to 1, and a flip.</summary>
        public ImageAugmentation? Augmentation { get; init; }

        /// <summary>The optimizer. Null: AdamW with a decay of 0.01.</summary>
        public OptimizerSettings? Optimizer { get; init; }

        /// <summary>The learning rate. Null: 0.001, or 0.01 for <see cref="TrainedLayers.Head"/>, whatever the batch.</summary>
        public LearningRate? LearningRate { get; init; }

        /// <summary>
        /// The run. The default value has batches of 64; where rows are fewer, one batch has all. Without Epochs and Steps it lasts
        /// <see cref="TrainingOptions.DefaultEpochs"/> epochs and at least 400 steps.
        /// </summary>
        public TrainingOptions Training { get; init; } = new() { BatchSize = 64 };
    }

    internal FineTuneEstimator(IHostEnvironment environment, Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(options.Encoder, nameof(options.Encoder));
        ArgumentException.ThrowIfNullOrEmpty(options.LabelColumnName, nameof(options.LabelColumnName));
        ArgumentNullException.ThrowIfNull(options.Training, nameof(options.Training));
        options.Training.Validate();
        if (!Enum.IsDefined(options.Trains))
            throw new ArgumentOutOfRangeException(nameof(options.Trains), options.Trains, "Choose TrainedLayers.Head, LastStages or All.");
        if (!(options.LabelSmoothing >= 0 && options.LabelSmoothing < 1))
            throw new ArgumentOutOfRangeException(nameof(options.LabelSmoothing), options.LabelSmoothing, "The label smoothing must be at least 0 and below 1.");
        ImageEncoder encoder = options.Encoder.Weights.Manifest.Pictures().Encoder;
        Shape = options.FromMiddleLayer ? encoder.ForFineTuning : encoder;
        if (options.Stages < 1 || options.Stages > Shape.Stages.Count)
            throw new ArgumentOutOfRangeException(nameof(options.Stages), options.Stages, $"The encoder {Shape.GetType().Name} has {Shape.Stages.Count} stages: choose from 1 to {Shape.Stages.Count}.");
        _environment = environment;
        _host = environment.Register(nameof(FineTuneEstimator));
        _options = options;
        Recipe(ClassifierData.None).Validate(options.Training.BatchSize);
        Columns = new ClassifierColumns(
            options.Encoder.Weights.Manifest, options.ImageColumnName, options.LabelColumnName, options.PredictedLabelColumnName, options.ScoreColumnName);
    }

    private ImageEncoder Shape { get; }

    private ClassifierColumns Columns { get; }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => Columns.Promise(inputSchema, teacher: null);

    /// <summary>Trains on the labelled pictures of <paramref name="input"/>; the last step's weights are kept.</summary>
    /// <exception cref="ArgumentException">A column or a setting does not fit: said before any training.</exception>
    /// <exception cref="InvalidOperationException">A picture is missing or holds values that are no pixels; or the loss became infinite.</exception>
    /// <exception cref="OperationCanceledException">Training was cancelled.</exception>
    public ImageClassifierTransformer Fit(IDataView input) => Fit(input, validation: null);

    /// <summary>Trains, and keeps the weights of the epoch that did best on other labelled pictures.</summary>
    /// <param name="input">The labelled pictures.</param>
    /// <param name="validation">Pictures and labels under the same column names and with the same keys; null keeps the last step's weights.</param>
    /// <inheritdoc cref="Fit(IDataView)"/>
    public ImageClassifierTransformer Fit(IDataView input, IDataView? validation)
    {
        (Device device, string? warning) = ContextSettings.ChooseDevice(_environment);
        PretrainedEncoder encoder = _options.Encoder.Weights.Share();
        try
        {
            return new ClassifierFit(_host, device, ContextSettings.Seed(_environment))
            {
                Warning = warning,
                Manifest = Columns.Manifest.With(Shape),
                StartsFrom = encoder,
                LabelColumnName = _options.LabelColumnName,
                PredictedLabelColumnName = _options.PredictedLabelColumnName,
                Training = _options.Training,
                CreateRecipe = Recipe,
            }.Run(input, validation);
        }
        finally
        {
            encoder.Release();
        }
    }

    private ClassifierTraining Recipe(ClassifierData data) => new()
    {
        Trains = _options.Trains,
        Stages = _options.Stages,
        LabelSmoothing = _options.LabelSmoothing,
        Augmentations = _options.Augmentation is { } view ? [view] : null,
        Optimizer = _options.Optimizer,
        LearningRate = _options.LearningRate,
        Data = data,
    };
}
