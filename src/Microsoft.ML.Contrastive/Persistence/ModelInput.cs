using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// What a fitted encoder takes, and the encoder that takes it: the part of the manifest that differs between kinds of input. A new kind is a new record here.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(PictureInput), "pictures")]
[JsonDerivedType(typeof(SequenceInput), "sequences")]
[JsonDerivedType(typeof(TextInput), "texts")]
[JsonDerivedType(typeof(PairInput), "pairs")]
[JsonDerivedType(typeof(MultiviewInput), "multiview")]
internal abstract record ModelInput
{
    /// <summary>The network's shape.</summary>
    [JsonIgnore]
    public abstract Encoder Network { get; }

    /// <summary>Numbers of one example.</summary>
    [JsonIgnore]
    public abstract int Numbers { get; }

    /// <summary>The texts that it takes; null where it takes none.</summary>
    [JsonIgnore]
    public virtual TextInput? TextPart => null;

    /// <summary>Numbers in the network's weights.</summary>
    public abstract long CountWeights();

    /// <summary>The network with random weights.</summary>
    public abstract nn.Module<Tensor, Tensor> Build(Generator generator);

    /// <summary>The network with the random weights that belong to a seed.</summary>
    public nn.Module<Tensor, Tensor> CreateModule(long seed)
    {
        NativeTorch.EnsureLoaded();
        using var generator = new Generator((ulong)seed);
        return Build(generator);
    }

    /// <summary>Throws an <see cref="ArgumentException"/> where a value is out of range: the file may be anybody's.</summary>
    public abstract void Check();

    /// <summary>Whether weights of another input's network mean the same here.</summary>
    public virtual bool Suits(ModelInput other) => Network == other.Network;

    /// <summary>What the network is and takes, in a message.</summary>
    [JsonIgnore]
    public virtual string Description => $"{Network}";

    private protected static void Require(bool condition, string field)
    {
        if (!condition)
            throw new ArgumentException($"its '{field}' is out of range.");
    }
}

/// <summary>Numbers in channels, each normalised.</summary>
internal abstract record NumericInput : ModelInput
{
    /// <summary>C of a picture, d of a sequence.</summary>
    public required int Channels { get; init; }

    /// <summary>Of each channel.</summary>
    public required Normalization Normalization { get; init; }

    public override void Check()
    {
        Network.Validate();
        Require(Normalization.Mean.Length == Channels && Normalization.Deviation.Length == Channels, nameof(Normalization));
        Require(Normalization.Mean.All(float.IsFinite) && Normalization.Deviation.All(value => value > 0 && float.IsFinite(value)), nameof(Normalization));
    }

    public override bool Suits(ModelInput other) => base.Suits(other) && Channels == ((NumericInput)other).Channels;

    [JsonIgnore]
    public override string Description => $"{Network} on {Channels} channels";
}

/// <summary>Pictures of one size.</summary>
internal sealed record PictureInput : NumericInput
{
    /// <summary>Largest height and width.</summary>
    public const int MaxSide = 4096;

    /// <summary>Null where the input column holds MLImage.</summary>
    public ImageShape? ImageShape { get; init; }

    public MissingImages MissingImages { get; init; }

    /// <summary>How a picture is resized.</summary>
    public PlainResizing Resizing { get; init; }

    /// <summary>Rows and columns of pixels of what the network takes.</summary>
    public required int Height { get; init; }

    public required int Width { get; init; }

    public required ImageEncoder Encoder { get; init; }

    [JsonIgnore]
    public override Encoder Network => Encoder;

    [JsonIgnore]
    public override int Numbers => Height * Width * Channels;

    public override long CountWeights() => Encoder.CountWeights(Channels, Height, Width);

    public override nn.Module<Tensor, Tensor> Build(Generator generator) => Encoder.Build(Channels, Height, Width, generator);

    public override void Check()
    {
        Encoder.Validate();
        ImageShape?.Validate();
        Require(Enum.IsDefined(Resizing), nameof(Resizing));
        Require(Height is >= 1 and <= MaxSide, nameof(Height));
        Require(Width is >= 1 and <= MaxSide, nameof(Width));
        Require(Channels == (ImageShape?.Channels ?? 3), nameof(Channels));
        Require(Math.Min(Height, Width) >= Encoder.MinImageSize, nameof(Encoder));
        Encoder.CheckSize(Height, Width);
        Encoder.CheckChannels(Channels);
        base.Check();
    }
}

/// <summary>Sequences of one length.</summary>
internal sealed record SequenceInput : NumericInput
{
    public required SequenceShape Shape { get; init; }

    public required SequenceEncoder Encoder { get; init; }

    [JsonIgnore]
    public override Encoder Network => Encoder;

    [JsonIgnore]
    public override int Numbers => Shape.Numbers;

    public override long CountWeights() => Encoder.CountWeights(Channels);

    public override nn.Module<Tensor, Tensor> Build(Generator generator) => Encoder.Build(Channels, generator);

    public override void Check()
    {
        Encoder.Validate();
        Shape.Validate();
        Require(Channels == Shape.Size, nameof(Channels));
        Encoder.CheckLength(Shape.Length);
        base.Check();
    }
}

/// <summary>Texts. Their tokenizer is beside the manifest, in files of its own.</summary>
internal sealed record TextInput : ModelInput
{
    /// <summary>Characters that may stand before every text.</summary>
    public const int LongestPrompt = 1000;

    public required TextEncoder Encoder { get; init; }

    public EmptyTexts EmptyTexts { get; init; }

    /// <summary>Stands before every text.</summary>
    public string Prompt { get; init; } = "";

    [JsonIgnore]
    public override Encoder Network => Encoder;

    [JsonIgnore]
    public override int Numbers => Encoder.MaxTokens;

    [JsonIgnore]
    public override TextInput? TextPart => this;

    public override long CountWeights() => Encoder.CountWeights();

    public override nn.Module<Tensor, Tensor> Build(Generator generator) => Encoder.Build(generator);

    public override void Check()
    {
        Encoder.Validate();
        Require(Prompt.Length <= LongestPrompt, nameof(Prompt));
    }

    /// <summary>Throws where a tokenizer has ids that the network has no vectors for.</summary>
    /// <exception cref="InvalidDataException">It has.</exception>
    public void CheckVocabulary(Tokenizer tokenizer)
    {
        int most = Encoder switch { TextTransformer transformer => transformer.VocabularySize, WordVectorEncoder words => words.VocabularySize, ClipTextTransformer clip => clip.VocabularySize, _ => 0 };
        if (tokenizer.Vocabulary.Count > most)
            throw new InvalidDataException($"The model's tokenizer has {tokenizer.Vocabulary.Count} tokens, its network vectors for {most}: entries of two models are mixed.");
    }

    /// <summary>A text's token ids: never none.</summary>
    /// <returns>Whether the text was cut.</returns>
    public bool Encode(Tokenizer tokenizer, ReadOnlySpan<char> text, List<int> ids)
    {
        int start = ids.Count;
        bool isCut = tokenizer.Encode(Prompt.Length == 0 ? text : string.Concat(Prompt, text), Encoder.MaxTokens, ids);
        if (ids.Count == start)
            ids.Add(tokenizer.PaddingId); // nothing to attend to would be no number
        return isCut;
    }
}
