namespace Microsoft.ML.Contrastive;

/// <summary>Weights of another library, and how pictures are to reach them: for <see cref="EncoderImportCatalog.ImportEncoder"/>.</summary>
public sealed record EncoderImportOptions
{
    /// <summary>A safetensors file.</summary>
    public required string Path { get; init; }

    /// <summary>
    /// The network that the weights belong to. Depth, width, stem and patch are compared with the file; the heads of a vision transformer
    /// can't be: they must be as they were trained.
    /// </summary>
    public required ImageEncoder Encoder { get; init; }

    /// <summary>Name of the column of features to add.</summary>
    public required string OutputColumnName { get; init; }

    /// <summary>Name of the column of pictures. Null: <see cref="OutputColumnName"/>.</summary>
    public string? InputColumnName { get; init; }

    /// <summary>How a vector column holds pictures; null for MLImage columns.</summary>
    public ImageShape? ImageShape { get; init; }

    /// <summary>
    /// Height and width of what the network gets, in pixels: from the encoder's minimum to 4,096. Null: the <see cref="ImageShape"/>'s, otherwise
    /// 224. A vision transformer's positions are interpolated to it.
    /// </summary>
    public int? ImageSize { get; init; }

    /// <summary>
    /// Mean of each channel, of pixels from 0 to 1, that the weights were trained with. Null: ImageNet's (0.485, 0.456, 0.406), which torchvision and
    /// most others take; pictures of one channel need to be told. A <see cref="LuminanceAndColor"/> takes pixels as they are.
    /// </summary>
    public IReadOnlyList<float>? Mean { get; init; }

    /// <summary>Deviation of each channel, above 0. Null: ImageNet's (0.229, 0.224, 0.225).</summary>
    public IReadOnlyList<float>? Deviation { get; init; }

    /// <summary>
    /// What stands before the names in the file, such as <c>module.encoder_q.</c>; empty for nothing. Null, the default: that behind which most of
    /// the encoder's tensors are found. Where two networks in the file are alike, it must be said which is meant.
    /// </summary>
    public string? Prefix { get; init; }

    /// <summary>Whether tensors that the file lacks may keep their random values, as a start for training. The default value is false: an error.</summary>
    public bool AllowMissing { get; init; }

    /// <summary>What is done with null and undecodable pictures. The default value is <see cref="MissingImages.Fail"/>.</summary>
    public MissingImages MissingImages { get; init; } = MissingImages.Fail;

    /// <summary>Rows that are featurized together, 1 to 65,536. The default value is 64.</summary>
    public int TransformBatchSize { get; init; } = 64;

    /// <summary>Throws when a setting is out of its range or does not suit the encoder; otherwise what the file's weights are put into.</summary>
    internal EncoderManifest ToManifest()
    {
        ArgumentException.ThrowIfNullOrEmpty(Path, nameof(Path));
        ArgumentNullException.ThrowIfNull(Encoder, nameof(Encoder));
        ArgumentException.ThrowIfNullOrEmpty(OutputColumnName, nameof(OutputColumnName));
        if (InputColumnName is not null)
            ArgumentException.ThrowIfNullOrEmpty(InputColumnName, nameof(InputColumnName));
        ArgumentOutOfRangeException.ThrowIfLessThan(TransformBatchSize, 1, nameof(TransformBatchSize));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(TransformBatchSize, EncoderManifest.MaxBatchSize, nameof(TransformBatchSize));
        if (!Enum.IsDefined(MissingImages))
            throw new ArgumentOutOfRangeException(nameof(MissingImages), MissingImages, "Choose MissingImages.Fail or MissingImages.Skip.");
        Encoder.Validate();
        ImageShape?.Validate();
        int channels = ImageShape?.Channels ?? 3, height = ImageSize ?? ImageShape?.Height ?? 224, width = ImageSize ?? ImageShape?.Width ?? 224;
        Encoder.CheckChannels(channels);
        ArgumentOutOfRangeException.ThrowIfLessThan(Math.Min(height, width), Encoder.MinImageSize, nameof(ImageSize));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Math.Max(height, width), PictureInput.MaxSide, nameof(ImageSize));
        Encoder.CheckSize(height, width);
        return new EncoderManifest
        {
            Format = EncoderManifest.CurrentFormat,
            Library = LibraryVersion.Current,
            OutputColumn = OutputColumnName,
            InputColumn = InputColumnName ?? OutputColumnName,
            Input = new PictureInput
            {
                ImageShape = ImageShape,
                MissingImages = MissingImages,
                Height = height,
                Width = width,
                Channels = channels,
                Normalization = Encoder.TakesUnitPixels && Mean is null && Deviation is null
                    ? Normalization.None(channels)
                    : new Normalization(
                        PerChannel(Mean ?? [0.485f, 0.456f, 0.406f], channels, float.IsFinite, nameof(Mean), "finite"),
                        PerChannel(Deviation ?? [0.229f, 0.224f, 0.225f], channels, value => value > 0 && float.IsFinite(value), nameof(Deviation), "above 0 and finite")),
                Encoder = Encoder,
            },
            BatchSize = TransformBatchSize,
            Training = new() { ["method"] = "imported", ["file"] = System.IO.Path.GetFileName(Path) },
        };
    }

    private static float[] PerChannel(IReadOnlyList<float> given, int channels, Func<float, bool> isGood, string name, string range)
        => given.Count == channels && given.All(isGood)
            ? [.. given]
            : throw new ArgumentException($"{name} must have {channels} number(s), one for each channel of the pictures, {range}: what the weights were trained with.", name);
}
