using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>The safetensors files that one model's weights lie in: one, or those that an index names.</summary>
internal sealed class WeightFiles : IDisposable
{
    private const string Index = ".index.json";
    private const long LongestIndex = 1 << 24;
    private const string OnlySafeTensors = "Weights are read from safetensors alone; a pytorch_model.bin or a .pt may hold any code: convert it in Python, by save_pretrained(..., safe_serialization=True) or safetensors.torch.save_file.";
    private readonly List<SafeTensorsReader> _readers = [];
    private readonly Dictionary<string, SafeTensorsEntry> _entries = [];

    private WeightFiles(string source) => Source = source;

    /// <summary>The file, or the index, for messages.</summary>
    public string Source { get; }

    /// <summary>All tensors, by name.</summary>
    public IReadOnlyDictionary<string, SafeTensorsEntry> Entries => _entries;

    /// <summary>Bytes of data of all files.</summary>
    public long DataLength => _readers.Sum(reader => reader.DataLength);

    /// <summary>Whether there is such a file, or an index of its parts.</summary>
    public static bool Exist(string path) => File.Exists(path) || File.Exists(path + Index);

    /// <summary>Opens a file, or where there is none the files of its index, and reads their headers.</summary>
    /// <param name="path">A safetensors file; beside it may lie <c>path.index.json</c>.</param>
    /// <exception cref="InvalidDataException">There is neither, or one is damaged; the file is named.</exception>
    public static WeightFiles Open(string path)
    {
        if (File.Exists(path))
        {
            var whole = new WeightFiles(path);
            try
            {
                whole.Add(path);
            }
            catch (InvalidDataException error) when (Path.GetExtension(path).ToUpperInvariant() is ".PT" or ".PTH" or ".BIN" or ".CKPT")
            {
                throw new InvalidDataException($"{error.Message} {OnlySafeTensors}", error);
            }
            return whole;
        }
        string index = path + Index;
        if (!File.Exists(index))
            throw new InvalidDataException($"{path} does not exist, nor does {index}. {OnlySafeTensors}");
        var files = new WeightFiles(index);
        try
        {
            if (new FileInfo(index).Length > LongestIndex)
                throw new InvalidDataException($"{index} has more than {LongestIndex} bytes, which is no index.");
            JsonPart map = new JsonPart(TokenizerJson.Parse(File.ReadAllBytes(index), index), index, "")["weight_map"];
            Dictionary<string, string> places = map.Properties().ToDictionary(entry => entry.Name, entry => entry.Part.AsText());
            foreach (string file in places.Values.Distinct(StringComparer.Ordinal))
            {
                if (file.Length == 0 || file.IndexOfAny(['/', '\\', ':']) >= 0 || file.Contains("..", StringComparison.Ordinal))
                    throw new InvalidDataException($"{index} names the file {Printable.Quote(file)}, which does not lie beside it: nothing outside the folder is read.");
                files.Add(Path.Combine(Path.GetDirectoryName(index)!, file));
            }
            if (places.Keys.FirstOrDefault(name => !files._entries.ContainsKey(name)) is { } missing)
                throw new InvalidDataException($"{index} promises the tensor {Printable.Quote(missing)} in {Printable.Quote(places[missing])}, which lacks it.");
            return files;
        }
        catch (Exception error)
        {
            files.Dispose();
            if (error is ArgumentException or InvalidOperationException) // a name that comes twice; half a character in a name
                throw new InvalidDataException($"{index} is damaged: {Printable.Message(error.Message)}", error);
            throw;
        }
    }

    /// <summary>The wanted tensors' values, once; each is the caller's to dispose.</summary>
    /// <inheritdoc cref="SafeTensorsReader.ReadTensors"/>
    public IEnumerable<(SafeTensorsEntry Entry, Tensor Value)> ReadTensors(Func<SafeTensorsEntry, bool> wanted)
        => _readers.SelectMany(reader => reader.ReadTensors(wanted));

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        foreach (SafeTensorsReader reader in _readers)
            reader.Dispose();
    }

    private void Add(string path)
    {
        if (!File.Exists(path))
            throw new InvalidDataException($"{path} does not exist, but {Source} names it.");
        SafeTensorsReader reader = SafeTensorsReader.Open(path);
        _readers.Add(reader);
        foreach (SafeTensorsEntry entry in reader.Entries)
            if (!_entries.TryAdd(entry.Name, entry))
                throw new InvalidDataException($"{path} holds the tensor {Printable.Quote(entry.Name)} a second time: another file of {Source} has it too.");
    }
}
