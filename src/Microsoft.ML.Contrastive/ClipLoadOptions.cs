namespace Microsoft.ML.Contrastive;

/// <summary>A CLIP model of another library, and the columns that it reads and adds: for <see cref="ClipCatalog.LoadClip(ModelOperationsCatalog, ClipLoadOptions)"/>.</summary>
public sealed record ClipLoadOptions
{
    /// <summary>
    /// A folder of Hugging Face's CLIPModel (config.json, model.safetensors or its shards) or of open_clip (open_clip_config.json, open_clip_model.safetensors); one
    /// safetensors file under OpenAI's or Hugging Face's names; or a model zip that holds an <see cref="ImageTextTransformer"/> or a <see cref="ZeroShotClipTransformer"/>, whose own
    /// columns and settings stay.
    /// </summary>
    public required string Path { get; init; }

    /// <summary>Name of the column of pictures. The default value is "Image".</summary>
    public string ImageColumnName { get; init; } = "Image";

    /// <summary>Name of the column of texts. The default value is "Text".</summary>
    public string TextColumnName { get; init; } = "Text";

    /// <summary>Name of the column of pictures' vectors to add. The default value is "ImageVector".</summary>
    public string ImageOutputColumnName { get; init; } = "ImageVector";

    /// <summary>Name of the column of texts' vectors to add. The default value is "TextVector".</summary>
    public string TextOutputColumnName { get; init; } = "TextVector";

    /// <summary>How a vector column holds pictures; null, the default, for MLImage columns.</summary>
    public ImageShape? ImageShape { get; init; }

    /// <summary>What is done with null and undecodable pictures. The default value is <see cref="MissingImages.Fail"/>.</summary>
    public MissingImages MissingImages { get; init; } = MissingImages.Fail;

    /// <summary>Heads of attention of the picture network. Null, the default: as the folder says, for a file alone one for each 64 numbers of the width, OpenAI's rule.</summary>
    public int? ImageHeads { get; init; }

    /// <summary>Heads of attention of the text network. Null, the default: the same.</summary>
    public int? TextHeads { get; init; }

    /// <summary>
    /// Whether hidden layers bend by x * sigmoid(1.702 x). Null, the default: as the folder says, for a file alone true, as OpenAI's weights need it. Weights of open_clip without
    /// "quickgelu" in their name need false.
    /// </summary>
    public bool? QuickGelu { get; init; }

    /// <summary>Rows that are computed together, 1 to 65,536, and fewer of large pictures. The default value is 64.</summary>
    public int TransformBatchSize { get; init; } = 64;

    internal void Validate()
    {
        foreach ((string value, string name) in new[]
        {
            (Path, nameof(Path)), (ImageColumnName, nameof(ImageColumnName)), (TextColumnName, nameof(TextColumnName)),
            (ImageOutputColumnName, nameof(ImageOutputColumnName)), (TextOutputColumnName, nameof(TextOutputColumnName)),
        })
            ArgumentException.ThrowIfNullOrEmpty(value, name);
        if (ImageOutputColumnName == TextOutputColumnName)
            throw new ArgumentException($"ImageOutputColumnName and TextOutputColumnName are both '{TextOutputColumnName}': they need names of their own.", nameof(TextOutputColumnName));
        ImageShape?.Validate();
        if (ImageShape is { Channels: not 3 })
            throw new ArgumentException("CLIP takes pictures of three channels: the ImageShape must have 3.", nameof(ImageShape));
        if (!Enum.IsDefined(MissingImages))
            throw new ArgumentOutOfRangeException(nameof(MissingImages), MissingImages, "Choose MissingImages.Fail or MissingImages.Skip.");
        ArgumentOutOfRangeException.ThrowIfLessThan(ImageHeads ?? 1, 1, nameof(ImageHeads));
        ArgumentOutOfRangeException.ThrowIfLessThan(TextHeads ?? 1, 1, nameof(TextHeads));
        ArgumentOutOfRangeException.ThrowIfLessThan(TransformBatchSize, 1, nameof(TransformBatchSize));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(TransformBatchSize, EncoderManifest.MaxBatchSize, nameof(TransformBatchSize));
    }

    /// <summary>What a checkpoint is read into.</summary>
    internal EncoderManifest ToManifest(ClipCheckpoint checkpoint) => new()
    {
        Format = EncoderManifest.CurrentFormat,
        Library = LibraryVersion.Current,
        OutputColumn = ImageOutputColumnName,
        InputColumn = ImageColumnName,
        Input = new PairInput
        {
            Pictures = new PictureInput
            {
                ImageShape = ImageShape, MissingImages = MissingImages, Height = checkpoint.ImageSize, Width = checkpoint.ImageSize, Channels = 3,
                Normalization = checkpoint.Normalization, Resizing = PlainResizing.BicubicBytes, Encoder = checkpoint.Shape.Image,
            },
            Texts = new TextInput { Encoder = checkpoint.Shape.Text },
            HasBias = checkpoint.Shape.HasBias,
            TextColumn = TextColumnName,
            TextOutput = TextOutputColumnName,
        },
        BatchSize = TransformBatchSize,
        Training = new() { ["method"] = "imported", ["file"] = System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(Path)) },
    };
}
