using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML;

/// <summary>Models of pictures and texts, on <c>mlContext.Model</c> and <c>mlContext.Transforms</c>.</summary>
public static class ClipCatalog
{
    /// <summary>A CLIP model from a checkpoint's folder, a safetensors file or a model zip, without any training.</summary>
    /// <param name="catalog"><c>mlContext.Model</c>.</param>
    /// <param name="path">See <see cref="ClipLoadOptions.Path"/>.</param>
    /// <exception cref="InvalidDataException">A file is damaged, or of a kind that is not known; it is named, with what is wrong.</exception>
    /// <exception cref="IOException">A file can't be read.</exception>
    public static ImageTextTransformer LoadClip(this ModelOperationsCatalog catalog, string path) => catalog.LoadClip(new ClipLoadOptions { Path = path });

    /// <summary>A CLIP model; every setting is in <paramref name="options"/>.</summary>
    /// <param name="catalog"><c>mlContext.Model</c>.</param>
    /// <param name="options">The file or folder, the columns.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    /// <inheritdoc cref="LoadClip(ModelOperationsCatalog, string)"/>
    public static ImageTextTransformer LoadClip(this ModelOperationsCatalog catalog, ClipLoadOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        if (options.Path.EndsWith(".zip", StringComparison.OrdinalIgnoreCase))
            return FromZip(catalog, options.Path);
        IHostEnvironment environment = CatalogUtils.GetEnvironment(catalog);
        using IChannel channel = environment.Register(nameof(LoadClip)).Start("Load");
        (Device device, string? warning) = ContextSettings.ChooseDevice(environment);
        if (warning is not null)
            channel.Warning(warning);
        using ClipCheckpoint checkpoint = ClipCheckpoint.Open(
            options.Path, new ClipConfig { ImageHeads = options.ImageHeads, TextHeads = options.TextHeads, ImageQuickGelu = options.QuickGelu, TextQuickGelu = options.QuickGelu });
        Tokenizer tokenizer = checkpoint.ReadTokenizer();
        EncoderManifest manifest = options.ToManifest(checkpoint);
        nn.Module<Tensor, Tensor> module = manifest.Input.CreateModule(seed: 0);
        try
        {
            checkpoint.LoadInto((ImageTextModule)module);
            module.to(device).eval();
        }
        catch
        {
            module.Dispose();
            throw;
        }
        return new ImageTextTransformer(environment, new PretrainedEncoder(manifest, module, device, tokenizer));
    }

    /// <summary>Trains a network for pictures and one for texts, so that what belongs together has vectors that point the same way.</summary>
    /// <param name="catalog"><c>mlContext.Transforms</c>.</param>
    /// <param name="columns">Two: the pictures' vectors from the column of pictures, then the texts' vectors from the column of texts.</param>
    /// <param name="method">What is learned by. Null: <c>new Clip()</c>.</param>
    /// <param name="encoder">Both networks. Null: small ones, see <see cref="ImageTextEstimator.Options.Encoder"/>.</param>
    /// <param name="training">Epochs, batch, progress, cancellation. Null: the defaults.</param>
    /// <param name="imageShape">How a vector holds a picture; left out for MLImage.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static ImageTextEstimator ContrastivePretrain(
        this TransformsCatalog catalog, IReadOnlyList<InputOutputColumnPair> columns, Clip? method = null, ImageTextEncoder? encoder = null, TrainingOptions? training = null,
        ImageShape? imageShape = null)
    {
        ArgumentNullException.ThrowIfNull(columns);
        if (columns.Count != 2 || columns.Any(pair => pair is null))
            throw new ArgumentException($"There are {columns.Count} column pairs: give two, first of the pictures, then of the texts, such as (\"ImageVector\", \"Image\") and (\"TextVector\", \"Caption\").", nameof(columns));
        return catalog.ContrastivePretrain(new ImageTextEstimator.Options
        {
            ImageColumnName = columns[0].InputColumnName,
            ImageOutputColumnName = columns[0].OutputColumnName,
            TextColumnName = columns[1].InputColumnName,
            TextOutputColumnName = columns[1].OutputColumnName,
            Method = method ?? new Clip(),
            Encoder = encoder,
            Training = training ?? new TrainingOptions(),
            ImageShape = imageShape,
        });
    }

    /// <summary>Trains a network for pictures and one for texts; every setting is in <paramref name="options"/>.</summary>
    /// <param name="catalog"><c>mlContext.Transforms</c>.</param>
    /// <param name="options">The settings.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static ImageTextEstimator ContrastivePretrain(this TransformsCatalog catalog, ImageTextEstimator.Options options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new ImageTextEstimator(CatalogUtils.GetEnvironment(catalog), options);
    }

    /// <summary>Sorts pictures into classes that are only words.</summary>
    /// <param name="catalog"><c>mlContext.Transforms</c>.</param>
    /// <param name="imageColumnName">Name of the column of pictures.</param>
    /// <param name="labels">The classes, such as "cat" and "dog": at least one, each once.</param>
    /// <param name="model">What compares pictures with words: from training, <see cref="LoadClip(ModelOperationsCatalog, string)"/>, or a loaded zip. It stays as it is.</param>
    /// <param name="templates">Sentences that the labels are put into; their vectors' mean stands for the class. Null: <see cref="PromptTemplates.Simple"/>.</param>
    /// <param name="labelColumnName">Name of a column of true labels, text or a key of text, that gets the predictions' keys, for Evaluate. Null, the default, for none.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static ZeroShotClipEstimator ZeroShotClip(
        this TransformsCatalog catalog, string imageColumnName, IReadOnlyList<string> labels, ImageTextTransformer model,
        PromptTemplates? templates = null, string? labelColumnName = null)
        => catalog.ZeroShotClip(new ZeroShotClipEstimator.Options
        {
            ImageColumnName = imageColumnName,
            Labels = labels,
            Model = model,
            Templates = templates ?? PromptTemplates.Simple,
            LabelColumnName = labelColumnName,
        });

    /// <summary>Sorts pictures into classes that are only words; every setting is in <paramref name="options"/>.</summary>
    /// <param name="catalog"><c>mlContext.Transforms</c>.</param>
    /// <param name="options">The settings.</param>
    /// <exception cref="ArgumentException">A setting is out of its range.</exception>
    public static ZeroShotClipEstimator ZeroShotClip(this TransformsCatalog catalog, ZeroShotClipEstimator.Options options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new ZeroShotClipEstimator(CatalogUtils.GetEnvironment(catalog), options);
    }

    /// <summary>The one model of pictures and texts in a zip, or that of its classifier by words; what else is in it is disposed.</summary>
    private static ImageTextTransformer FromZip(ModelOperationsCatalog catalog, string path)
    {
        ITransformer loaded = catalog.Load(path, out _);
        ITransformer[] steps = [.. Steps(loaded)];
        ImageTextTransformer[] found = [.. steps.OfType<ImageTextTransformer>()];
        if (found.Length == 0)
            found = [.. steps.OfType<ZeroShotClipTransformer>().Select(classifier => classifier.Model())];
        ImageTextTransformer? one = found.Length == 1 ? found[0] : null;
        foreach (IDisposable step in steps.Concat(found).Where(step => step != one).OfType<IDisposable>())
            step.Dispose();
        return one ?? throw new InvalidDataException($"{path} holds {found.Length} models of pictures and texts, where one is needed: save the transformer that training with Clip, LoadClip or ZeroShotClip gave.");

        static IEnumerable<ITransformer> Steps(ITransformer step) => step is ITransformerChainAccessor chain ? chain.Transformers.SelectMany(Steps) : [step];
    }
}
