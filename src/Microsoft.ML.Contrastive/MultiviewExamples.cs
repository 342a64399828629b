using Microsoft.ML.Data;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>A run's pictures, several to a row.</summary>
internal sealed class MultiviewExamples : Examples
{
    private readonly ImageStore[] _stores;

    private MultiviewExamples(ImageStore[] stores) => _stores = stores;

    public override string Name => "rows of pictures";

    public override int Count => _stores[0].Count;

    private IReadOnlyList<PictureInput> Views => ((MultiviewInput)Input).Views;

    /// <summary>What the settings alone decide, checked before any data is there.</summary>
    public static void Check(ContrastivePretrainEstimator.Options options)
    {
        IReadOnlyList<string> names = options.InputColumnNames!;
        if (options.InputColumnName is not null)
            throw new ArgumentException($"InputColumnName '{options.InputColumnName}' and InputColumnNames are both set: give one of them.", nameof(options.InputColumnNames));
        if (names.Count is < 2 or > MultiviewEncoder.MostViews)
            throw new ArgumentException($"InputColumnNames has {names.Count} columns: give 2 to {MultiviewEncoder.MostViews}, or a single one as InputColumnName.", nameof(options.InputColumnNames));
        if (names.Any(string.IsNullOrEmpty))
            throw new ArgumentException("InputColumnNames holds a null or empty name.", nameof(options.InputColumnNames));
        if (names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ArgumentException($"InputColumnNames has '{twice.Key}' more than once: a column is one view.", nameof(options.InputColumnNames));
        if (options.ImageShapes is { } shapes && shapes.Count != names.Count)
            throw new ArgumentException($"There are {shapes.Count} ImageShapes for {names.Count} columns: give one for each, null where a column holds MLImage.", nameof(options.ImageShapes));
        if (options.ImageShape is not null || options.Sequence is not null)
            throw new ArgumentException("With InputColumnNames leave ImageShape and Sequence out: ImageShapes says how each column holds pictures.", nameof(options.ImageShapes));
        if (options.Training.Monitor is not null)
            throw new ArgumentException("A Monitor watches training on one column of pictures: leave TrainingOptions.Monitor out for several, and measure with mlContext.Representation() afterwards.", nameof(options.Training.Monitor));
        foreach (ImageShape? shape in options.ImageShapes ?? [])
            shape?.Validate();
        int[]? channels = options.ImageShapes is null ? null : [.. options.ImageShapes.Select(shape => shape?.Channels ?? 3)];
        (int Height, int Width)? known = options.ImageSize is { } size ? (size, size) : options.ImageShapes?[0] is { } first ? (first.Height, first.Width) : null;
        ChooseEncoder(options, known, channels);
    }

    /// <param name="input">The data.</param>
    /// <param name="options">The estimator's.</param>
    /// <param name="earlier">What training goes on from, whose normalisation is taken; or null.</param>
    /// <param name="reading">Reads.</param>
    public static MultiviewExamples Read(IDataView input, ContrastivePretrainEstimator.Options options, PretrainedEncoder? earlier, ColumnReading reading)
    {
        IReadOnlyList<string> names = options.InputColumnNames!;
        ImageColumn[] columns = [.. names.Select((name, view) => new ImageColumn(input.Schema, name, options.ImageShapes?[view], options.MissingImages))];
        int[] channels = [.. columns.Select(column => column.Channels)];
        (int Height, int Width)? known = options.ImageSize is { } given ? (given, given) : columns[0].DeclaredSize;
        ChooseEncoder(options, known, channels); // before the reading
        long budget = (options.Training.MemoryBudget ?? ByteStore.DefaultBudget) / columns.Length;
        ImageStore[] stores = [.. columns.Select(column => new ImageStore(column.Channels, budget, options.Training.ScratchFolder))];
        try
        {
            int largestSide = PictureExamples.LargestSide(known);
            PictureReader[] readers = [];
            reading.Read(input, columns[0].Index, string.Join("' or '", names), "picture", row =>
            {
                readers = [.. columns.Select(column => column.CreateReader(row))];
                var resizer = new Resizer();
                return position =>
                {
                    if (!Array.TrueForAll(readers, reader => reader.Read(position)))
                        return false;
                    foreach ((ImageStore store, PictureReader reader) in stores.Zip(readers))
                        store.AddShrunk(reader.Buffer.Picture, largestSide, resizer);
                    return true;
                };
            }, more: columns.Skip(1).Select(column => column.Index));
            foreach (PictureReader reader in readers)
                reader.CheckScale();
            foreach (ImageStore store in stores)
                store.Seal();
            reading.Log(stores.Sum(store => store.ScratchLength), "pictures");
            int side = Math.Min(224, stores[0].MedianShorterSide());
            (int height, int width) = known ?? (side, side);
            MultiviewEncoder encoder = ChooseEncoder(options, (height, width), channels);
            IReadOnlyList<PictureInput>? before = (earlier?.Manifest.Input as MultiviewInput)?.Views;
            return new MultiviewExamples(stores)
            {
                Input = new MultiviewInput
                {
                    Columns = [.. names],
                    Views = [.. stores.Select((store, view) => new PictureInput
                    {
                        ImageShape = options.ImageShapes?[view], MissingImages = options.MissingImages, Height = height, Width = width, Channels = store.Channels,
                        Normalization = before is not null && view < before.Count && before[view].Channels == store.Channels ? before[view].Normalization : store.MeasureNormalization(),
                        Encoder = encoder.Views[view],
                    })],
                },
            };
        }
        catch
        {
            foreach (ImageStore store in stores)
                store.Dispose();
            throw;
        }
    }

    public override RunFacts Facts(int batchSize, long steps)
        => new(Count, batchSize, steps, Views[0].Height, Views[0].Width, Views.Sum(view => view.Channels), Input.Network.FeatureSize)
        {
            Encoder = Input.Network, HasColor = _stores.Any(store => store.HasColor()), ImageColumns = _stores.Length,
        };

    public override string Fingerprint() => string.Join('-', _stores.Select(store => store.Fingerprint()));

    /// <summary>One view: the columns' pictures beside each other as channels, all cut and flipped alike.</summary>
    public override BatchMaker CreateMaker(ContrastiveMethod method)
    {
        ImageBatchMaker[] makers = [.. _stores.Zip(Views, (store, view) =>
            new ImageBatchMaker(row => store[row], method.Augmentations!, view.Normalization, view.Height, view.Width, view.Channels))];
        return (rows, epoch, seed) =>
        {
            var views = new Views[makers.Length];
            for (int view = 0; view < views.Length; view++)
            {
                _stores[view].Prefetch(rows, CLibrary.ReadAhead);
                views[view] = makers[view].Make(rows, epoch, seed);
            }
            var together = new Views(cat([.. views.Select(each => each[0])], 1)) { RowIndices = Contrastive.Views.IndicesOf(rows) };
            foreach (Views each in views)
                each.Dispose();
            return together;
        };
    }

    public override void Dispose()
    {
        foreach (ImageStore store in _stores)
            store.Dispose();
    }

    /// <summary>A network for each column: those that were given, or one shape for all, held against channels and size as far as they are known.</summary>
    private static MultiviewEncoder ChooseEncoder(ContrastivePretrainEstimator.Options options, (int Height, int Width)? size, int[]? channels)
    {
        int count = options.InputColumnNames!.Count;
        int side = size is { } known ? Math.Min(known.Height, known.Width) : 224;
        MultiviewEncoder encoder = options.Method.EncoderFor(options.Encoder switch
        {
            null => new MultiviewEncoder([.. Enumerable.Repeat(options.Method.DefaultEncoder(side), count)]),
            ImageEncoder one => new MultiviewEncoder([.. Enumerable.Repeat(one, count)]),
            MultiviewEncoder several => several,
            Encoder other => throw new ArgumentException($"A {other.GetType().Name} takes no pictures: give an ImageEncoder for all columns, or a MultiviewEncoder.", nameof(options.Encoder)),
        });
        encoder.Validate();
        if (encoder.Views.Count != count)
            throw new ArgumentException($"The MultiviewEncoder has {encoder.Views.Count} networks for {count} columns: give one for each.", nameof(options.Encoder));
        foreach ((int view, ImageEncoder part) in encoder.Views.Index())
        {
            if (channels is not null)
                part.CheckChannels(channels[view]);
            if (size is not var (height, width))
                continue;
            if (Math.Min(height, width) < part.MinImageSize)
                throw new ArgumentException($"Views of {height} x {width} pixels are too small for the encoder of column '{options.InputColumnNames[view]}', which needs {part.MinImageSize}: set ImageSize, or choose ImageEncoder.SmallConvNet.", nameof(options.ImageSize));
            if (Math.Max(height, width) > PictureInput.MaxSide)
                throw new ArgumentException($"Views of {height} x {width} pixels are too large, {PictureInput.MaxSide} is the limit: set ImageSize.", nameof(options.ImageSize));
            part.CheckSize(height, width);
        }
        return encoder;
    }
}
