using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Contrastive;

/// <summary>A run's pictures.</summary>
internal sealed class PictureExamples : Examples
{
    private readonly ImageStore _store;

    public PictureExamples(ImageStore store) => _store = store;

    public override string Name => "pictures";

    public override int Count => _store.Count;

    private PictureInput Pictures => (PictureInput)Input;

    /// <summary>What the settings alone decide, checked before any data is there.</summary>
    public static void Check(ContrastivePretrainEstimator.Options options)
    {
        options.ImageShape?.Validate();
        if (options.Training.Monitor is not (null or KnnMonitor))
            throw new ArgumentException($"A {options.Training.Monitor.GetType().Name} watches no training on pictures: choose a KnnMonitor.", nameof(options.Training.Monitor));
        if (GivenSize(options) is { } size)
            ChooseEncoder(options, size.Height, size.Width);
        else if (options.Encoder is not null)
            TrainedEncoder(options, side: 0); // whatever the size, the method must be able to train it
    }

    /// <param name="input">The data.</param>
    /// <param name="options">The estimator's.</param>
    /// <param name="earlier">The normalisation that the encoder has learned with; null to measure it.</param>
    /// <param name="reading">Reads.</param>
    public static PictureExamples Read(IDataView input, ContrastivePretrainEstimator.Options options, Normalization? earlier, ColumnReading reading)
    {
        var column = new ImageColumn(input.Schema, options.Input, options.ImageShape, options.MissingImages);
        (int Height, int Width)? known = GivenSize(options) ?? column.DeclaredSize;
        if (known is { } size)
            ChooseEncoder(options, size.Height, size.Width); // before the reading
        var store = new ImageStore(column.Channels, options.Training.MemoryBudget, options.Training.ScratchFolder);
        try
        {
            reading.ReadPictures(input, column, options.Input, store, LargestSide(known));
            (int height, int width) = known ?? Square(Math.Min(224, store.MedianShorterSide()));
            ImageEncoder encoder = ChooseEncoder(options, height, width);
            return new PictureExamples(store)
            {
                Input = new PictureInput
                {
                    ImageShape = options.ImageShape,
                    MissingImages = options.MissingImages,
                    Height = height,
                    Width = width,
                    Channels = store.Channels,
                    Normalization = earlier ?? (encoder.TakesUnitPixels ? Normalization.None(store.Channels) : store.MeasureNormalization()),
                    Encoder = encoder,
                },
            };
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The labelled pictures of <see cref="TrainingOptions.Monitor"/>, or null where there are none. Read before what is trained on: a fault in them
    /// is found sooner.
    /// </summary>
    public static MonitoredPictures? ReadMonitored(
        IHostEnvironment environment, IDataView input, ContrastivePretrainEstimator.Options options, ColumnReading reading)
    {
        if (options.Training.Monitor is not KnnMonitor settings)
            return null;
        var trained = new ImageColumn(input.Schema, options.Input, options.ImageShape, options.MissingImages);
        int largestSide = LargestSide(GivenSize(options) ?? trained.DeclaredSize);
        var monitored = new MonitoredPictures(settings, NewStore(), NewStore());
        try
        {
            ReadLabelled(settings.Bank, $"{nameof(TrainingOptions.Monitor)}.{nameof(settings.Bank)}", monitored.Bank);
            ReadLabelled(settings.Queries, $"{nameof(TrainingOptions.Monitor)}.{nameof(settings.Queries)}", monitored.Queries);
            return settings.K <= monitored.Bank.Pictures.Count
                ? monitored
                : throw new ArgumentOutOfRangeException(nameof(settings.K), settings.K, $"K of the {nameof(KnnMonitor)} must be at most the rows of its {nameof(settings.Bank)}, {monitored.Bank.Pictures.Count}.");
        }
        catch
        {
            monitored.Dispose();
            throw;
        }

        ImageStore NewStore() => new(trained.Channels, options.Training.MemoryBudget, options.Training.ScratchFolder);

        void ReadLabelled(IDataView data, string argument, LabelledPictures into)
        {
            var labels = new LabelColumn(environment, data, argument, settings.LabelColumnName, monitored.Classes);
            var column = new ImageColumn(labels.View.Schema, options.Input, options.ImageShape, options.MissingImages, wanted: $"{argument} must hold, as the data of Fit,");
            if (column.Channels != trained.Channels)
                throw new ArgumentException($"Column '{options.Input}' of {argument} has pictures of {column.Channels} channels, that of Fit {trained.Channels}.", argument);
            into.Labels.AddRange(reading.ReadPictures(labels.View, column, options.Input, into.Pictures, largestSide, labels.Rows, argument));
        }
    }

    public override RunFacts Facts(int batchSize, long steps)
        => new(Count, batchSize, steps, Pictures.Height, Pictures.Width, Pictures.Channels, Pictures.Encoder.FeatureSize) { Encoder = Pictures.Encoder, HasColor = _store.HasColor() };

    public override string Fingerprint() => _store.Fingerprint();

    public override BatchMaker CreateMaker(ContrastiveMethod method)
    {
        var maker = new ImageBatchMaker(
            row => _store[row], method.Augmentations!, Pictures.Normalization, Pictures.Height, Pictures.Width, Pictures.Channels);
        return (rows, epoch, seed) =>
        {
            _store.Prefetch(rows, CLibrary.ReadAhead);
            return maker.Make(rows, epoch, seed);
        };
    }

    public override void Dispose() => _store.Dispose();

    /// <summary>The views' size where the settings alone decide it.</summary>
    private static (int Height, int Width)? GivenSize(ContrastivePretrainEstimator.Options options)
        => options.ImageSize is { } size ? (size, size) : options.ImageShape is { } shape ? (shape.Height, shape.Width) : null;

    /// <summary>The encoder that was given, or the method's default for the views' size, as the method trains it.</summary>
    private static ImageEncoder TrainedEncoder(ContrastivePretrainEstimator.Options options, int side) => options.Method.EncoderFor(options.Encoder switch
    {
        null => options.Method.DefaultEncoder(side),
        ImageEncoder given => given,
        Encoder other => throw new ArgumentException($"A {other.GetType().Name} takes no pictures: choose an ImageEncoder, or say with sequence: new SequenceShape(length, size) that the column holds sequences.", nameof(options.Encoder)),
    });

    /// <summary>The same, once size and channels are known to suit it.</summary>
    private static ImageEncoder ChooseEncoder(ContrastivePretrainEstimator.Options options, int height, int width)
    {
        ImageEncoder encoder = TrainedEncoder(options, Math.Min(height, width));
        encoder.Validate(); // the user's was; the method may have made another of it
        encoder.CheckChannels(options.ImageShape?.Channels ?? 3);
        if (Math.Min(height, width) < encoder.MinImageSize)
            throw new ArgumentException($"Views of {height} x {width} pixels are too small for the encoder, which needs {encoder.MinImageSize}: set ImageSize, or choose ImageEncoder.SmallConvNet or a ResNet with Stem.Small.", nameof(options.ImageSize));
        if (Math.Max(height, width) > PictureInput.MaxSide)
            throw new ArgumentException($"Views of {height} x {width} pixels are too large, {PictureInput.MaxSide} is the limit: set ImageSize.", nameof(options.ImageSize));
        encoder.CheckSize(height, width);
        return encoder;
    }

    /// <summary>Pictures are kept at twice the views' size at most, where that is known: crops are taken from them.</summary>
    internal static int LargestSide((int Height, int Width)? known) => 2 * Math.Max(known?.Height ?? 224, known?.Width ?? 224);

    private static (int Height, int Width) Square(int size) => (size, size);
}
