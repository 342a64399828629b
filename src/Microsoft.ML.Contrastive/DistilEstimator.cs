using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Trains a student, smaller or of the same shape, to say of unlabelled pictures what a fine-tuned teacher says (Chen et al. 2020b, section 2, equations 2 and
/// 3; <see cref="Distillation"/>). The teacher stays as it is. The result is the same kind of classifier.
/// </summary>
/// <remarks>Teacher and student see the same views. The run's seed is the context's, its device the context's GpuDeviceId and FallbackToCpu.</remarks>
public sealed class DistilEstimator : IEstimator<ImageClassifierTransformer>
{
    private readonly IHostEnvironment _environment; // the host keeps the GPU settings of the moment of its registration
    private readonly IHost _host;
    private readonly Options _options;

    /// <summary>All settings of the estimator.</summary>
    public sealed record Options
    {
        /// <summary>The classifier to learn from.</summary>
        public required ImageClassifierTransformer Teacher { get; init; }

        /// <summary>The student's network, with random weights at the start. Null: that of <see cref="StartsFrom"/>, and without it the teacher's.</summary>
        public ImageEncoder? Student { get; init; }

        /// <summary>A pretrained encoder that the student starts from, for pictures of the teacher's size. Null, the default, for random weights.</summary>
        public ContrastivePretrainTransformer? StartsFrom { get; init; }

        /// <summary>Name of a column of labels, a key with the teacher's classes, which some rows may lack. Null, the default: the teacher alone teaches.</summary>
        public string? LabelColumnName { get; init; }

        /// <summary>Name of the column of pictures. Null: the teacher's.</summary>
        public string? ImageColumnName { get; init; }

        /// <summary>Name of the column of the likeliest class to add. The default value is "PredictedLabel".</summary>
        public string PredictedLabelColumnName { get; init; } = "PredictedLabel";

        /// <summary>Name of the column of probabilities to add. The default value is "Score".</summary>
        public string ScoreColumnName { get; init; } = "Score";

        /// <summary>t of <see cref="Distillation"/>, above 0. The default value is 1; the paper uses 0.1 to 1.</summary>
        public double Temperature { get; init; } = 1;

        /// <summary>a of <see cref="Distillation.WithLabels"/>, 0 to 1; below 1 labels are needed. The default value is 1.</summary>
        public double Weight { get; init; } = 1;

        /// <summary>What happens to a picture on its way into a view. Null: as in <see cref="FineTuneEstimator.Options.Augmentation"/>.</summary>
        public ImageAugmentation? Augmentation { get; init; }

        /// <summary>The optimizer. Null: AdamW with a decay of 0.01.</summary>
        public OptimizerSettings? Optimizer { get; init; }

        /// <summary>The learning rate. Null: 0.001, whatever the batch.</summary>
        public LearningRate? LearningRate { get; init; }

        /// <summary>The run; where rows are fewer than a batch, one batch has all. Without Epochs and Steps it lasts <see cref="TrainingOptions.DefaultEpochs"/> epochs and at least 400 steps.</summary>
        public TrainingOptions Training { get; init; } = new();
    }

    internal DistilEstimator(IHostEnvironment environment, Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(options.Teacher, nameof(options.Teacher));
        ArgumentNullException.ThrowIfNull(options.Training, nameof(options.Training));
        options.Training.Validate();
        if (!(options.Temperature > 0 && double.IsFinite(options.Temperature)))
            throw new ArgumentOutOfRangeException(nameof(options.Temperature), options.Temperature, "The temperature must be above 0 and finite.");
        if (!(options.Weight >= 0 && options.Weight <= 1))
            throw new ArgumentOutOfRangeException(nameof(options.Weight), options.Weight, "The weight of distillation must be from 0 to 1.");
        if (options.Weight < 1 && options.LabelColumnName is null)
            throw new ArgumentException("A Weight below 1 leaves the rest to labels: say which column has them (LabelColumnName), or leave Weight at 1.", nameof(options.Weight));
        EncoderManifest manifest = options.Teacher.Weights.Manifest;
        PictureInput teacher = manifest.Pictures(), start = options.StartsFrom?.Weights.Manifest.Pictures() ?? teacher;
        if (options.StartsFrom is not null && options.Student is { } student && student != start.Encoder)
            throw new ArgumentException($"StartsFrom has the weights of {start.Encoder}, the Student is {student}: leave one of them out.", nameof(options.Student));
        if ((start.Height, start.Width, start.Channels) != (teacher.Height, teacher.Width, teacher.Channels))
            throw new ArgumentException($"StartsFrom takes pictures of {start.Height} x {start.Width} x {start.Channels}, the teacher of {teacher.Height} x {teacher.Width} x {teacher.Channels}: both must see the same views.", nameof(options.StartsFrom));
        ImageEncoder shape = options.Student ?? (options.StartsFrom is null ? teacher.Encoder : start.Encoder.ForFineTuning);
        shape.Validate();
        shape.CheckChannels(teacher.Channels);
        if (Math.Min(teacher.Height, teacher.Width) < shape.MinImageSize)
            throw new ArgumentException($"The teacher's views of {teacher.Height} x {teacher.Width} pixels are too small for the student, which needs {shape.MinImageSize}.", nameof(options.Student));
        shape.CheckSize(teacher.Height, teacher.Width);
        _environment = environment;
        _host = environment.Register(nameof(DistilEstimator));
        _options = options;
        Columns = new ClassifierColumns(
            manifest.With(shape, shape.TakesUnitPixels ? Normalization.None(teacher.Channels) : start.Normalization),
            options.ImageColumnName, options.LabelColumnName, options.PredictedLabelColumnName, options.ScoreColumnName);
        Recipe(ClassifierData.None, teach: null).Validate(options.Training.BatchSize);
    }

    private ClassifierColumns Columns { get; }

    /// <inheritdoc/>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => Columns.Promise(inputSchema, _options.Teacher.Classes);

    /// <summary>Trains on the pictures of <paramref name="input"/>; the last step's weights are kept.</summary>
    /// <exception cref="ArgumentException">A column or a setting does not fit: said before any training.</exception>
    /// <exception cref="InvalidOperationException">A picture is missing or holds values that are no pixels; or the loss became infinite.</exception>
    /// <exception cref="OperationCanceledException">Training was cancelled.</exception>
    public ImageClassifierTransformer Fit(IDataView input) => Fit(input, validation: null);

    /// <summary>Trains, and keeps the weights of the epoch that did best on labelled pictures.</summary>
    /// <param name="input">The pictures.</param>
    /// <param name="validation">Pictures with labels, under the name of <see cref="Options.LabelColumnName"/> or of the teacher's labels; null keeps the last step's weights.</param>
    /// <inheritdoc cref="Fit(IDataView)"/>
    public ImageClassifierTransformer Fit(IDataView input, IDataView? validation)
    {
        (Device device, string? warning) = ContextSettings.ChooseDevice(_environment);
        PretrainedEncoder teacher = _options.Teacher.Weights.Share();
        try
        {
            Func<Tensor, Tensor> teach = new Teaching(teacher, Columns.Manifest.Pictures().Normalization).Logits;
            return new ClassifierFit(_host, device, ContextSettings.Seed(_environment))
            {
                Warning = warning,
                Manifest = Columns.Manifest,
                StartsFrom = _options.StartsFrom?.Weights,
                Teacher = _options.Teacher,
                LabelColumnName = _options.LabelColumnName,
                PredictedLabelColumnName = _options.PredictedLabelColumnName,
                Training = _options.Training,
                CreateRecipe = data => Recipe(data, teach),
            }.Run(input, validation);
        }
        finally
        {
            teacher.Release();
        }
    }

    private ClassifierTraining Recipe(ClassifierData data, Func<Tensor, Tensor>? teach) => new()
    {
        Temperature = _options.Temperature,
        DistillationWeight = _options.Weight,
        Augmentations = _options.Augmentation is { } view ? [view] : null,
        Optimizer = _options.Optimizer,
        LearningRate = _options.LearningRate,
        Data = data,
        Teacher = teach,
    };

    /// <summary>The teacher on the student's views, which may be normalised otherwise and lie on another device.</summary>
    private sealed class Teaching(PretrainedEncoder teacher, Normalization student)
    {
        public Tensor Logits(Tensor views)
        {
            using var noGradient = no_grad();
            Normalization own = teacher.Manifest.Pictures().Normalization;
            if (!own.Mean.SequenceEqual(student.Mean) || !own.Deviation.SequenceEqual(student.Deviation))
                views = views.mul(PerChannel(student.Deviation)).Plus(PerChannel(student.Mean)).sub(PerChannel(own.Mean)).div(PerChannel(own.Deviation));
            return teacher.Module.forward(views.to(teacher.Device)).to(views.device);

            Tensor PerChannel(float[] values) => tensor(values, device: views.device).view(1, -1, 1, 1);
        }
    }
}
