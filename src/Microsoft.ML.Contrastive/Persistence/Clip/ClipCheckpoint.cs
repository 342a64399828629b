using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A CLIP model that another library saved: a folder of Hugging Face's CLIPModel or of open_clip, or one safetensors file under OpenAI's or Hugging Face's names, alone or in a
/// folder with its tokenizer. The networks' sizes are told by the weights, and compared with what the folder says; every tensor is accounted for.
/// </summary>
internal sealed class ClipCheckpoint : IDisposable
{
    private const string HuggingFaceWeights = "model.safetensors", Preprocessor = "preprocessor_config.json";
    private const long LongestJson = 1 << 22;
    private const int FaultsShown = 20;
    private static readonly string[] s_openClipWeights = ["open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"];
    private readonly WeightFiles _weights;
    private readonly ClipNames _names;
    private readonly string _folder;
    private readonly bool _prefersPublished;

    /// <param name="weights">The files, which this closes.</param>
    /// <param name="config">What is beside them.</param>
    /// <param name="folder">Where the tokenizer lies.</param>
    /// <param name="isFile">Whether the file was named and not the folder, which then may have another model's tokenizer.</param>
    private ClipCheckpoint(WeightFiles weights, ClipConfig config, string folder, bool isFile)
    {
        (_weights, _folder, _prefersPublished) = (weights, folder, isFile || config.HasPublishedTokenizer);
        Normalization = config.Normalization;
        _names = ClipNames.Of(weights.Entries) ?? throw new InvalidDataException(
            $"{weights.Source} holds no CLIP model of a kind that is known: it has neither 'visual.conv1.weight' (OpenAI, open_clip) nor 'vision_model.embeddings.patch_embedding.weight' (Hugging Face), but {Some()}.");
        try
        {
            (ImageEncoder image, ImageSize) = ReadImage(config);
            Shape = new ImageTextEncoder(image, ReadText(config)) { HasBias = weights.Entries.ContainsKey("logit_bias") };
            Shape.Validate();
            image.CheckSize(ImageSize, ImageSize);
            image.CheckChannels(3);
        }
        catch (Exception error) when (error is ArgumentException or OverflowException)
        {
            throw new InvalidDataException($"{weights.Source} is not supported, or not whole: {Printable.Message(error.Message)}", error);
        }
        if (config.ImageSize is { } size && size != ImageSize)
            throw new InvalidDataException($"{config.Source} says pictures of {size} pixels, but the positions in {weights.Source} are for {ImageSize}: files of two models are mixed.");
        if (weights.DataLength < Shape.CountWeights(3, ImageSize, ImageSize))
            throw new InvalidDataException($"{weights.Source} is not whole: a model of these sizes has {Shape.CountWeights(3, ImageSize, ImageSize)} numbers, its {weights.DataLength} bytes can't hold them.");
    }

    public ImageTextEncoder Shape { get; }

    /// <summary>Height and width of the pictures that the positions are for.</summary>
    public int ImageSize { get; }

    public Normalization Normalization { get; }

    /// <summary>Reads all but the weights' values.</summary>
    /// <param name="path">A folder, or a safetensors file.</param>
    /// <param name="given">What is said in place of the folder's configuration, for a file that has none beside it.</param>
    /// <exception cref="InvalidDataException">Damaged, or of a kind that is not known; the file and what is wrong are named.</exception>
    public static ClipCheckpoint Open(string path, ClipConfig? given = null)
    {
        bool isFolder = Directory.Exists(path);
        (string file, string? configuration) = isFolder ? Find(path) : (path, null);
        ClipConfig config;
        string now = path;
        try
        {
            config = configuration switch
            {
                ClipConfig.OpenClipFile => ClipConfig.OfOpenClip(Json(configuration)!.Value),
                ClipConfig.HuggingFaceFile => ClipConfig.OfHuggingFace(Json(configuration)!.Value, Json(Preprocessor)),
                _ => new(),
            };
        }
        catch (Exception error) when (error is InvalidOperationException or FormatException or OverflowException)
        {
            throw new InvalidDataException($"{now} is damaged: {Printable.Message(error.Message)}", error);
        }
        if (given is not null)
            config = config with
            {
                ImageHeads = given.ImageHeads ?? config.ImageHeads, TextHeads = given.TextHeads ?? config.TextHeads,
                ImageQuickGelu = given.ImageQuickGelu ?? config.ImageQuickGelu, TextQuickGelu = given.TextQuickGelu ?? config.TextQuickGelu,
            };
        WeightFiles weights = WeightFiles.Open(file);
        try
        {
            return new ClipCheckpoint(weights, config, isFolder ? path : Path.GetDirectoryName(Path.GetFullPath(path))!, isFile: !isFolder);
        }
        catch
        {
            weights.Dispose();
            throw;
        }

        JsonPart? Json(string name)
        {
            var info = new FileInfo(Path.Combine(path, name));
            now = info.FullName;
            return !info.Exists ? null
                : info.Length <= LongestJson ? new JsonPart(TokenizerJson.Parse(File.ReadAllBytes(now), now), now, "")
                : throw new InvalidDataException($"{now} has {info.Length} bytes; {LongestJson} are the most that are read.");
        }
    }

    /// <summary>A folder's weights and what they are described by, if anything is. It may hold both kinds of model, and one of open_clip may have other names for its weights.</summary>
    private static (string File, string? Configuration) Find(string folder)
    {
        bool isOpenClip = File.Exists(In(ClipConfig.OpenClipFile)), isHuggingFace = File.Exists(In(ClipConfig.HuggingFaceFile)), hasTheirs = WeightFiles.Exist(In(HuggingFaceWeights));
        if (isOpenClip && s_openClipWeights.Select(In).FirstOrDefault(WeightFiles.Exist) is { } own)
            return (own, ClipConfig.OpenClipFile);
        if (isHuggingFace && (hasTheirs || !isOpenClip))
            return (In(HuggingFaceWeights), ClipConfig.HuggingFaceFile);
        return isOpenClip ? (hasTheirs ? In(HuggingFaceWeights) : OnlyWeights(folder), ClipConfig.OpenClipFile) : (OnlyWeights(folder), null);

        string In(string name) => Path.Combine(folder, name);
    }

    /// <summary>The one weights file of a folder that has no configuration, as OpenAI's models have none, or has another name for it.</summary>
    private static string OnlyWeights(string folder) => Directory.GetFiles(folder, "*.safetensors") switch
    {
        [var only] => only,
        var files when File.Exists(Path.Combine(folder, ClipConfig.OpenClipFile)) => throw new InvalidDataException(
            $"The folder {folder} has {ClipConfig.OpenClipFile}, but {s_openClipWeights[0]} does not exist, and of other safetensors files there are {files.Length}, where one would be taken. A .bin or .pt may hold any code and is not read."),
        _ => throw new InvalidDataException(
            $"The folder {folder} has neither {ClipConfig.HuggingFaceFile} nor {ClipConfig.OpenClipFile}, and not one safetensors file: give a folder of Hugging Face's CLIPModel or of open_clip, or a safetensors file."),
    };

    /// <summary>The folder's tokenizer; the published one where the folder has none and the vocabulary has its size.</summary>
    /// <exception cref="InvalidDataException">It does not fit the text network.</exception>
    public Tokenizer ReadTokenizer()
    {
        int size = ((ClipTextTransformer)Shape.Text).VocabularySize;
        bool isPublished = size == new ClipTextTransformer().VocabularySize;
        bool hasOwn = !(_prefersPublished && isPublished) && new[] { TokenizerFiles.Json, "vocab.json" }.Any(name => File.Exists(Path.Combine(_folder, name)));
        if (!hasOwn && !isPublished)
            throw new InvalidDataException($"{_weights.Source} has vectors for {size} tokens, which are not those of the published tokenizer: put the model's tokenizer.json, or vocab.json and merges.txt, beside it.");
        Tokenizer tokenizer = hasOwn ? TokenizerFiles.ReadFolder(_folder) : ClipBpe.Published();
        if (tokenizer.Vocabulary.Count != size || tokenizer.Specials.Closing is not { } closing || tokenizer.Vocabulary.Find(closing, "closing") != size - 1)
            throw new InvalidDataException($"The tokenizer beside {_weights.Source} has {tokenizer.Vocabulary.Count} tokens; it must have {size}, one for each of the model's vectors, and the last must be the one that closes a text.");
        return tokenizer;
    }

    /// <summary>Copies the weights into a network of <see cref="Shape"/>.</summary>
    /// <exception cref="InvalidDataException">A tensor is missing, too many, of another shape or kind; all are named.</exception>
    public void LoadInto(ImageTextModule module)
    {
        Dictionary<string, Tensor> targets = module.state_dict();
        var places = new Dictionary<string, (Tensor Target, ClipSource Source)>();
        var faults = new List<string>();
        foreach ((string name, Tensor target) in targets)
            foreach (ClipSource source in _names.Sources(name))
            {
                long[] expected = target.dim() == 0 ? [] : [target.shape[0] / source.Parts, .. target.shape[1..]];
                if (source.IsTransposed)
                    Array.Reverse(expected);
                if (!_weights.Entries.TryGetValue(source.Name, out SafeTensorsEntry? entry))
                    faults.Add($"it lacks {Printable.Quote(source.Name)} {Show(expected)}");
                else if (!entry.Shape.AsSpan().SequenceEqual(expected) && !(target.dim() == 0 && entry.Shape is [1]))
                    faults.Add($"{Printable.Quote(source.Name)} is {Show(entry.Shape)}, where the other tensors ask for {Show(expected)}");
                else if (!SafeTensors.IsFloat(SafeTensorsHeader.ScalarOf(entry.DType)))
                    faults.Add($"{Printable.Quote(source.Name)} is {entry.DType}, no kind of floating point numbers that is read here");
                places[source.Name] = (target, source);
            }
        faults.AddRange(_weights.Entries.Values.Where(entry => !places.ContainsKey(entry.Name) && !ClipNames.IsIncidental(entry.Name))
            .Select(entry => $"{Printable.Quote(entry.Name)} {Show(entry.Shape)} is no tensor of such a model"));
        if (faults.Count > 0)
            throw new InvalidDataException($"{_weights.Source} does not hold a whole CLIP model of one kind: {string.Join("; ", faults.Take(FaultsShown))}{(faults.Count > FaultsShown ? $"; and {faults.Count - FaultsShown} more" : "")}.");

        using var noGradient = no_grad();
        foreach ((SafeTensorsEntry entry, Tensor value) in _weights.ReadTensors(entry => places.ContainsKey(entry.Name)))
        {
            using var scope = NewDisposeScope();
            using Tensor read = value;
            (Tensor target, ClipSource source) = places[entry.Name];
            Tensor part = source.Parts == 1 ? target.alias() : target.narrow(0, source.Part * (target.shape[0] / source.Parts), target.shape[0] / source.Parts);
            part.copy_(source.IsTransposed ? read.t() : target.dim() == 0 ? read.reshape([]) : read);
        }
    }

    /// <summary>Closes the files.</summary>
    public void Dispose() => _weights.Dispose();

    private (ImageEncoder Encoder, int Size) ReadImage(ClipConfig config)
    {
        if (ShapeOf("image.attnpool.c_proj.weight") is { Length: 2 } pooled)
        {
            int[] blocks = [.. Enumerable.Range(1, 4).Select(stage => Count(block => $"image.layer{stage}.{block}.conv1.weight"))];
            int width = Size("image.layer1.0.conv1.weight", 0);
            return (new ClipResNet
            {
                Blocks = new(blocks[0], blocks[1], blocks[2], blocks[3]), Width = width, EmbeddingSize = (int)Math.Min(pooled[0], int.MaxValue),
                Heads = config.ImageHeads ?? width * 32 / 64,
            }, ClipResNet.Stride * Grid("image.attnpool.positional_embedding"));
        }
        int patch = Size("image.conv1.weight", 3), size = Size("image.class_embedding", 0);
        return (new ClipVisionTransformer
        {
            Patch = patch, Width = size, EmbeddingSize = Size("image.proj", 1), Depth = Count(block => $"image.transformer.resblocks.{block}.ln_1.weight"),
            Heads = config.ImageHeads ?? HeadsOf(size, "vision"), QuickGelu = config.ImageQuickGelu ?? true,
        }, checked(patch * Grid("image.positional_embedding")));
    }

    private ClipTextTransformer ReadText(ClipConfig config)
    {
        int width = Size("text.token_embedding.weight", 1);
        return new()
        {
            VocabularySize = Size("text.token_embedding.weight", 0), ContextLength = Size("text.positional_embedding", 0), Width = width,
            EmbeddingSize = Size("text.text_projection", 1), Depth = Count(block => $"text.transformer.resblocks.{block}.ln_1.weight"),
            Heads = config.TextHeads ?? HeadsOf(width, "text"), QuickGelu = config.TextQuickGelu ?? true,
        };
    }

    /// <summary>OpenAI's rule, where no configuration says another.</summary>
    private int HeadsOf(int width, string tower) => width % 64 == 0 ? width / 64
        : throw new InvalidDataException($"{_weights.Source} has a {tower} network of width {width}, which is no multiple of 64, and nothing says how many heads of attention it has: say it in the options.");

    /// <summary>Side of the square grid that a table of positions, with one in front for the whole picture, belongs to.</summary>
    private int Grid(string name)
    {
        int rows = Size(name, 0) - 1, side = (int)Math.Round(Math.Sqrt(rows));
        return rows > 0 && side * side == rows ? side
            : throw new InvalidDataException($"{_weights.Source}: {Printable.Quote(_names.Sources(name)[0].Name)} has {rows} positions, which is no square grid.");
    }

    private int Count(Func<int, string> name) => Enumerable.Range(0, 1000).TakeWhile(i => ShapeOf(name(i)) is not null).Count();

    private int Size(string name, int axis)
    {
        string inFile = _names.Sources(name)[0].Name;
        long[] shape = ShapeOf(name) ?? throw new InvalidDataException($"{_weights.Source} lacks {Printable.Quote(inFile)}, which every such model has.");
        return axis < shape.Length && shape[axis] is > 0 and <= int.MaxValue ? (int)shape[axis]
            : throw new InvalidDataException($"{_weights.Source}: {Printable.Quote(inFile)} has the shape {Show(shape)}, which no such model has.");
    }

    /// <summary>The shape that one of our tensors has by the file; null where it is not there.</summary>
    private long[]? ShapeOf(string name)
    {
        ClipSource source = _names.Sources(name)[0];
        return !_weights.Entries.TryGetValue(source.Name, out SafeTensorsEntry? entry) ? null : source.IsTransposed ? [.. entry.Shape.Reverse()] : entry.Shape;
    }

    private string Some() => string.Join(", ", _weights.Entries.Keys.Take(3).Select(Printable.Quote).DefaultIfEmpty("nothing"));

    private static string Show(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}
