using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What a run on pictures and texts has beside the pictures' settings.</summary>
/// <param name="TextColumn">The column of texts.</param>
/// <param name="TextOutput">The column of their vectors.</param>
/// <param name="ImageStart">Whose weights and normalisation the pictures' network starts with; or null.</param>
/// <param name="TextStart">Whose weights and vocabulary the texts' network starts with; or null.</param>
internal sealed record PairOptions(string TextColumn, string TextOutput, PretrainedEncoder? ImageStart, PretrainedEncoder? TextStart);

/// <summary>A run's pictures, each with its text.</summary>
internal sealed class PairExamples : Examples
{
    private readonly ImageStore _pictures;
    private readonly TokenStore _texts;
    private readonly TextStart _start;
    private readonly PretrainedEncoder? _imageStart;
    private readonly long[] _captions;

    private PairExamples(ImageStore pictures, TokenStore texts, TextStart start, PretrainedEncoder? imageStart, long[] captions)
        => (_pictures, _texts, _start, _imageStart, _captions) = (pictures, texts, start, imageStart, captions);

    public override string Name => "pairs";

    public override int Count => _pictures.Count;

    public override Tokenizer Tokenizer => _start.Tokenizer;

    public override Action<nn.Module>? FirstWeights => _start.Load is null && _imageStart is null ? null : module =>
    {
        var both = (ImageTextModule)module;
        _start.Load?.Invoke(both.TextTower);
        if (_imageStart is not null)
            ModuleState.Copy(_imageStart.Module, both.ImageTower);
    };

    private PairInput Pairs => (PairInput)Input;

    /// <summary>What the settings alone decide, checked before any data is there.</summary>
    public static void Check(ContrastivePretrainEstimator.Options options)
    {
        options.ImageShape?.Validate();
        if (options.Training.Monitor is not null)
            throw new ArgumentException("A Monitor watches the training of pictures alone: leave TrainingOptions.Monitor out for pairs, and measure with mlContext.Representation() afterwards.", nameof(options.Training.Monitor));
        if (options.Sequence is not null)
            throw new ArgumentException("Clip learns from pictures and texts: leave Sequence out.", nameof(options.Sequence));
        if (options.Encoder is { } encoder && encoder is not ImageTextEncoder)
            throw new ArgumentException($"A {encoder.GetType().Name} takes no pairs of pictures and texts: leave the encoder out, or give new ImageTextEncoder(image, text).", nameof(options.Encoder));
    }

    /// <param name="input">The data.</param>
    /// <param name="options">The estimator's.</param>
    /// <param name="earlier">What training goes on from, whose vocabulary and normalisation are taken; or null.</param>
    /// <param name="reading">Reads.</param>
    public static PairExamples Read(IDataView input, ContrastivePretrainEstimator.Options options, PretrainedEncoder? earlier, ColumnReading reading)
    {
        PairOptions pairs = options.Pairs!;
        var column = new ImageColumn(input.Schema, options.Input, options.ImageShape, options.MissingImages);
        var textColumn = new TextColumn(input.Schema, pairs.TextColumn);
        PairInput? before = earlier?.Manifest.Pairs();
        PictureInput? start = before?.Pictures ?? pairs.ImageStart?.Manifest.Pictures();
        if (start is not null && start.Channels != column.Channels)
            throw new ArgumentException($"Column '{options.Input}' has pictures of {column.Channels} channels, the earlier encoder was trained on {start.Channels}.", nameof(input));
        var chosen = (ImageTextEncoder?)options.Encoder;
        (int Height, int Width)? known = options.ImageSize is { } given ? (given, given)
            : start is not null ? (start.Height, start.Width)
            : options.ImageShape is { } shape ? (shape.Height, shape.Width) : column.DeclaredSize;
        TextStart texts = before is not null ? new TextStart(before.Texts.Encoder, earlier!.Tokenizer!, null) { Prompt = before.Texts.Prompt }
            : pairs.TextStart is { } learned ? TextStart.Of(learned)
            : TextStart.Create(chosen?.Text ?? SmallText(start?.Encoder), options.Prompt, () => reading.Texts(input, [textColumn]));
        TextInput textInput = texts.Input(options.EmptyTexts, options.Prompt);

        var pictures = new ImageStore(column.Channels, options.Training.MemoryBudget, options.Training.ScratchFolder);
        var tokens = new TokenStore(new ByteStore(options.Training.MemoryBudget, options.Training.ScratchFolder));
        try
        {
            var captions = new Captions();
            long cut = 0;
            PictureReader? reader = null;
            reading.Read(input, column.Index, $"{options.Input}' and '{pairs.TextColumn}", "picture with a text", row =>
            {
                reader = column.CreateReader(row);
                Func<long, ReadOnlyMemory<char>> readText = textColumn.CreateReader(row, options.EmptyTexts);
                int largestSide = PictureExamples.LargestSide(known);
                var resizer = new Resizer();
                var ids = new List<int>();
                return position =>
                {
                    ReadOnlyMemory<char> text = readText(position);
                    if (text.IsEmpty || !reader.Read(position))
                        return false;
                    pictures.AddShrunk(reader.Buffer.Picture, largestSide, resizer);
                    ids.Clear();
                    cut += textInput.Encode(texts.Tokenizer, text.Span, ids) ? 1 : 0;
                    ReadOnlySpan<int> encoded = CollectionsMarshal.AsSpan(ids);
                    tokens.Add(encoded);
                    captions.Add(encoded);
                    return true;
                };
            }, more: [textColumn.Index]);
            reader!.CheckScale();
            if (cut > 0)
                reading.Warn(CutTexts.Message(cut, pictures.Count, texts.Encoder));
            pictures.Seal();
            tokens.Seal();
            reading.Log(pictures.ScratchLength + tokens.ScratchLength, "pictures and token ids");
            (int height, int width) = known ?? Square(Math.Min(224, pictures.MedianShorterSide()));
            ImageEncoder image = start?.Encoder ?? chosen?.Image ?? (Math.Min(height, width) < 64 ? ImageEncoder.SmallConvNet() : ImageEncoder.ResNet18());
            image.CheckChannels(pictures.Channels);
            ArgumentOutOfRangeException.ThrowIfLessThan(Math.Min(height, width), image.MinImageSize, nameof(options.ImageSize));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(Math.Max(height, width), PictureInput.MaxSide, nameof(options.ImageSize));
            image.CheckSize(height, width);
            var taken = new PairInput
            {
                Pictures = new PictureInput
                {
                    ImageShape = options.ImageShape, MissingImages = options.MissingImages, Height = height, Width = width, Channels = pictures.Channels,
                    Normalization = start?.Normalization ?? (image.TakesUnitPixels ? Normalization.None(pictures.Channels) : pictures.MeasureNormalization()),
                    Resizing = start?.Resizing ?? PlainResizing.Bilinear, Encoder = image,
                },
                Texts = textInput,
                EmbeddingSize = before?.EmbeddingSize ?? chosen?.EmbeddingSize,
                HasBias = options.Method is Clip { Objective: PairObjective.PairwiseSigmoid } || (before?.HasBias ?? chosen?.HasBias) == true,
                TextColumn = pairs.TextColumn,
                TextOutput = pairs.TextOutput,
            };
            taken.Encoder.Validate();
            return new PairExamples(pictures, tokens, texts, pairs.ImageStart, captions.Numbers) { Input = taken };
        }
        catch
        {
            pictures.Dispose();
            tokens.Dispose();
            throw;
        }

        static (int, int) Square(int side) => (side, side);
    }

    public override RunFacts Facts(int batchSize, long steps)
        => new(Count, batchSize, steps, Pairs.Pictures.Height, Pairs.Pictures.Width, Pairs.Pictures.Channels, Input.Network.FeatureSize)
        {
            Encoder = Pairs.Pictures.Encoder,
            HasColor = _pictures.HasColor(),
            StartsPretrained = _start.IsPretrained || _imageStart is not null,
        };

    public override string Fingerprint() => $"{_pictures.Fingerprint()}-{_texts.Fingerprint()}";

    /// <summary>Views: the picture, its text's token ids, filled to the longest of the batch [N, T], and which captions are equal [N].</summary>
    public override BatchMaker CreateMaker(ContrastiveMethod method)
    {
        PictureInput input = Pairs.Pictures;
        var maker = new ImageBatchMaker(row => _pictures[row], method.Augmentations!, input.Normalization, input.Height, input.Width, input.Channels);
        return (rows, epoch, seed) =>
        {
            _pictures.Prefetch(rows, CLibrary.ReadAhead);
            _texts.Prefetch(rows, CLibrary.ReadAhead);
            Views pictures = maker.Make(rows, epoch, seed); // its tensors go on in other hands
            var texts = new int[rows.Length][];
            var captions = new long[rows.Length];
            for (int i = 0; i < rows.Length; i++)
                (texts[i], captions[i]) = (_texts[rows[i]][0], _captions[rows[i]]);
            return new Views(pictures[0], TextTensors.Of(texts), tensor(captions)) { RowIndices = pictures.RowIndices };
        };
    }

    public override void Dispose()
    {
        _pictures.Dispose();
        _texts.Dispose();
    }

    /// <summary>The text network where none was chosen: its vectors are as long as those of a picture network that has its own projection.</summary>
    private static ClipTextTransformer SmallText(ImageEncoder? image) => image is { ProjectsItself: true } ? ImageTextEncoder.SmallText with { EmbeddingSize = image.FeatureSize } : ImageTextEncoder.SmallText;

    /// <summary>A number for each different caption, told by a digest of its token ids.</summary>
    private sealed class Captions
    {
        private readonly Dictionary<UInt128, long> _known = [];
        private readonly List<long> _numbers = [];

        public long[] Numbers => [.. _numbers];

        public void Add(ReadOnlySpan<int> ids)
        {
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(MemoryMarshal.AsBytes(ids), hash);
            UInt128 digest = MemoryMarshal.Read<UInt128>(hash);
            if (!_known.TryGetValue(digest, out long number))
                _known[digest] = number = _known.Count;
            _numbers.Add(number);
        }
    }
}
