using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A sentence encoder in a folder, as sentence-transformers and Hugging Face write it. Every tensor and every module is accounted for: what is not
/// understood is refused by name, because vectors without it would be wrong.
/// </summary>
internal sealed class TextCheckpoint
{
    public const string Weights = "model.safetensors";

    /// <summary>config.json and the like have some kilobytes.</summary>
    private const int LongestJson = 1 << 24;

    private readonly string _folder, _transformerFolder;
    private readonly string? _denseFolder;
    private readonly string _modelType;
    private readonly bool _usesPooler;
    private readonly float[]? _tokenWeights;

    /// <summary>Reads all but the weights.</summary>
    /// <exception cref="InvalidDataException">A file is missing, damaged or of a kind that is not supported; it is named.</exception>
    public TextCheckpoint(TextFolder source)
    {
        _folder = source.Path;
        _usesPooler = source.UsesPooler;
        _transformerFolder = "";
        string modelType = "";
        JsonPart? lowers = null;
        if (!Directory.Exists(_folder))
            throw new InvalidDataException($"The folder {_folder} does not exist: give the folder that has config.json and model.safetensors.");
        try
        {
            JsonPart? modules = Optional(SentenceModules.List, JsonValueKind.Array);
            if (modules is null)
                Shape = ReadTransformer("");
            else if (_usesPooler)
                throw new InvalidDataException($"{In(SentenceModules.List)} says how texts become vectors: leave TextFolder.UsesPooler out.");
            else
            {
                Prompt = Optional(SentenceModules.Config) is { } config ? SentenceModules.DefaultPrompt(config) : "";
                (Shape, _transformerFolder, _denseFolder, _tokenWeights) = SentenceModules.Read(modules.Value, Required, ReadTransformer, hasPrompt: Prompt.Length > 0);
            }
            if (_usesPooler)
                Shape = Shape with { Pooling = TextPooling.Cls, DenseSize = Shape.Width, DenseActivation = TextActivation.Tanh };
            if (source.Pooling is { } pooling)
                Shape = _denseFolder is null ? Shape with { Pooling = pooling } : throw new InvalidDataException($"{_folder} has a dense layer behind its own pooling: leave TextFolder.Pooling out.");
            if (source.TokenLimit is { } limit)
                Shape = limit <= Shape.Positions - Shape.PositionOffset ? Shape with { TokenLimit = limit }
                    : throw new InvalidDataException($"{_folder} has positions for {Shape.Positions - Shape.PositionOffset} tokens, fewer than TextFolder.TokenLimit {limit}.");
            Shape.Validate();
            Tokenizer = TokenizerFiles.ReadFolder(Path.Combine(_folder, _transformerFolder));
            if (lowers is { } settings)
                Tokenizer = Lower(Tokenizer, settings);
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{_folder} is not supported: {Printable.Message(error.Message)}", error);
        }
        _modelType = modelType;
        if (Tokenizer.Vocabulary.Count > Shape.VocabularySize)
            throw new InvalidDataException($"{_folder}: the tokenizer has {Tokenizer.Vocabulary.Count} tokens, the model vectors for {Shape.VocabularySize}: files of two models are mixed.");

        TextTransformer ReadTransformer(string folder)
        {
            (modelType, TextTransformer shape) = TextConfig.Read(Required(Join(folder, TextConfig.File)));
            int limit = Math.Min(shape.TokenLimit, 4096);
            if (Optional(Join(folder, SentenceModules.BertConfig)) is { } bert)
            {
                if (bert.Has("max_seq_length"))
                    limit = Math.Min(limit, bert.Whole("max_seq_length"));
                if (bert.Flag("do_lower_case", false))
                    lowers = bert;
            }
            return shape with { TokenLimit = limit };
        }
    }

    public TextTransformer Shape { get; }

    public Tokenizer Tokenizer { get; }

    /// <summary>Stands before every text, unless the user says otherwise; empty for nothing.</summary>
    public string Prompt { get; } = "";

    /// <summary>Copies the folder's weights into a network of <see cref="Shape"/>; a dense layer that a method put behind it keeps its random ones.</summary>
    /// <exception cref="InvalidDataException">A tensor is missing, too many or of another shape; all are named.</exception>
    public void LoadInto(nn.Module module)
    {
        Dictionary<string, Tensor> targets = module.state_dict();
        var missing = new HashSet<string>(targets.Keys.Where(name => Shape.DenseSize is not null || !TextNames.IsDense(name)));
        if (_tokenWeights is not null)
        {
            ((TextTransformerModule)module).SetTokenWeights(_tokenWeights);
            missing.Remove(TextNames.TokenWeights);
        }
        var faults = new List<string>();
        using (WeightFiles files = WeightFiles.Open(Path.Combine(_folder, _transformerFolder, Weights)))
        {
            string prefix = TextNames.Prefix(files.Entries.Keys);
            Copy(files, name => TextNames.Ours(name, prefix, _modelType, _usesPooler));
        }
        if (_denseFolder is not null)
        {
            using WeightFiles files = WeightFiles.Open(Path.Combine(_folder, _denseFolder, Weights));
            Copy(files, name => name.StartsWith("linear.", StringComparison.Ordinal) ? "dense." + name["linear.".Length..] : name);
        }
        faults.AddRange(missing.Order(StringComparer.Ordinal).Select(name => $"it lacks {name} {Show(targets[name].shape)}"));
        const int shown = 20;
        if (faults.Count > 0)
            throw new InvalidDataException($"The weights in {_folder} don't fit its {TextConfig.File}: {string.Join("; ", faults.Take(shown))}{(faults.Count > shown ? $"; and {faults.Count - shown} more" : "")}.");

        void Copy(WeightFiles files, Func<string, string?> ours)
        {
            var wanted = new Dictionary<string, string>();
            foreach (SafeTensorsEntry entry in files.Entries.Values)
            {
                if (ours(entry.Name) is not { } name)
                    continue;
                if (!targets.TryGetValue(name, out Tensor? target))
                    faults.Add($"{Printable.Quote(entry.Name)} {Show(entry.Shape)} is not known");
                else if (!target.shape.AsSpan().SequenceEqual(entry.Shape))
                    faults.Add($"{Printable.Quote(entry.Name)} is {Show(entry.Shape)}, expected {Show(target.shape)}");
                else if (!SafeTensors.IsFloat(SafeTensorsHeader.ScalarOf(entry.DType)))
                    faults.Add($"{Printable.Quote(entry.Name)} is {entry.DType}, no kind of floating point numbers that is read here");
                else if (!missing.Contains(name))
                    faults.Add($"{Printable.Quote(entry.Name)} comes twice");
                else
                    wanted.Add(entry.Name, name);
                missing.Remove(name);
            }
            if (faults.Count > 0)
                return;
            using var noGradient = no_grad();
            foreach ((SafeTensorsEntry entry, Tensor value) in files.ReadTensors(entry => wanted.ContainsKey(entry.Name)))
                using (value)
                    targets[wanted[entry.Name]].copy_(value);
        }
    }

    /// <summary>The tokenizer behind Python's lower(), as do_lower_case asks for.</summary>
    private static Tokenizer Lower(Tokenizer tokenizer, JsonPart settings) => tokenizer switch
    {
        WordPiece { Settings: { LowerCase: false } cased } => new WordPiece(tokenizer.Vocabulary, cased with { LowerCase = true, StripAccents = cased.Strips }, tokenizer.Specials),
        WordPiece or ClipBpe => tokenizer,
        _ => throw settings.Unknown("do_lower_case, which is true, with a tokenizer that keeps upper case,"),
    };

    private JsonPart Required(string name)
        => Optional(name) ?? throw new InvalidDataException($"{In(name)} does not exist: the folder is not whole, or not a model of Hugging Face or sentence-transformers.");

    private JsonPart? Optional(string name, JsonValueKind kind = JsonValueKind.Object)
    {
        var file = new FileInfo(In(name));
        if (!file.Exists)
            return null;
        return file.Length <= LongestJson ? new JsonPart(TokenizerJson.Parse(System.IO.File.ReadAllBytes(file.FullName), file.FullName, kind), file.FullName, "")
            : throw new InvalidDataException($"{file.FullName} has {file.Length} bytes; {LongestJson} are the most that are read.");
    }

    private string In(string name) => Path.Combine(_folder, name);

    private static string Join(string folder, string name) => folder.Length == 0 ? name : $"{folder}/{name}";

    private static string Show(long[] shape) => $"[{string.Join(", ", shape)}]";
}
