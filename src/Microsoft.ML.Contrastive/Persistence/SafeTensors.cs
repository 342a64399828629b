using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Weights to and from safetensors files, which Python's safetensors opens too.</summary>
internal static class SafeTensors
{
    /// <summary>Writes tensors of any device and layout. The same tensors give the same bytes, in whatever order they come.</summary>
    /// <param name="stream">Need not seek; stays open.</param>
    /// <param name="tensors">F64, F32, F16, BF16, I64, I32, U8 and BOOL, each under a name of its own.</param>
    /// <param name="metadata">Free text under free names.</param>
    public static void Save(Stream stream, IEnumerable<(string Name, Tensor Value)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        (string Name, Tensor Value)[] all = [.. tensors];
        SafeTensorsHeader header = SafeTensorsHeader.For(all.Select(tensor => (tensor.Name, tensor.Value.dtype, tensor.Value.shape)), metadata);
        var byName = all.ToDictionary(tensor => tensor.Name, tensor => tensor.Value);
        stream.Write(header.ToBytes());
        using var noGradient = no_grad();
        foreach (SafeTensorsEntry entry in header.Entries)
        {
            using var scope = NewDisposeScope();
            Tensor flat = byName[entry.Name].detach().cpu().contiguous().reshape(entry.Count);
            long piece = SafeTensorsReader.PieceLength / flat.element_size();
            for (long start = 0; start < entry.Count; start += piece)
                stream.Write(flat.narrow(0, start, Math.Min(piece, entry.Count - start)).bytes);
        }
    }

    /// <summary>Writes a module's parameters and persistent buffers.</summary>
    public static void Save(Stream stream, nn.Module module, IReadOnlyDictionary<string, string>? metadata = null)
        => Save(stream, module.state_dict().Select(pair => (pair.Key, pair.Value)), metadata);

    /// <summary>Writes a file that is either whole or not there.</summary>
    public static void Save(string path, IEnumerable<(string Name, Tensor Value)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
        => AtomicFile.Write(path, stream => Save(stream, tensors, metadata));

    /// <summary>Copies a file's tensors into a module's parameters and persistent buffers, which keep kind and device.</summary>
    /// <param name="stream">Stands at the file's first byte; stays open.</param>
    /// <param name="module">Must have exactly the file's names and shapes; is left as it was where something doesn't fit.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="InvalidDataException">Not a safetensors file, or not this module's; says all that doesn't fit.</exception>
    public static void LoadInto(Stream stream, nn.Module module, string source)
        => LoadInto(new SafeTensorsReader(stream, source), module.state_dict());

    /// <summary>
    /// Refuses weights that are far too few for an encoder, before memory is taken for the encoder: so that what a small hostile
    /// file can ask for stays within four times its size. Whatever passes is compared tensor by tensor, once there is a module.
    /// </summary>
    /// <param name="reader">The file, of which only the header was read.</param>
    /// <param name="weights">Numbers that the encoder has.</param>
    /// <exception cref="InvalidDataException">There is less than a byte for each of the encoder's numbers.</exception>
    public static void CheckEnough(SafeTensorsReader reader, long weights)
    {
        if (reader.DataLength < weights)
            throw new InvalidDataException(
                $"{reader.Source} doesn't fit the model: the encoder that the manifest names has {weights} numbers, the file's {reader.DataLength} bytes can't hold them.");
    }

    /// <summary>Copies a file's tensors over existing ones of exactly the same names and shapes.</summary>
    /// <exception cref="InvalidDataException">The file's data is damaged, or doesn't fit; says all that doesn't fit.</exception>
    public static void LoadInto(SafeTensorsReader reader, IReadOnlyDictionary<string, Tensor> targets)
    {
        CheckFit(reader, targets);
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        // All are read before the first is copied: a file that turns out damaged leaves the targets alone.
        foreach ((SafeTensorsEntry entry, Tensor value) in reader.ReadTensors().ToList())
            targets[entry.Name].copy_(value);
    }

    private static void CheckFit(SafeTensorsReader reader, IReadOnlyDictionary<string, Tensor> targets)
    {
        var faults = new List<string>();
        foreach (SafeTensorsEntry entry in reader.Entries)
        {
            string name = Printable.Quote(entry.Name);
            if (!targets.TryGetValue(entry.Name, out Tensor? target))
                faults.Add($"unexpected {name} {Show(entry.Shape)}");
            else if (!target.shape.AsSpan().SequenceEqual(entry.Shape))
                faults.Add($"{name} is {Show(entry.Shape)} in the file, {Show(target.shape)} in the model");
            else if (SafeTensorsHeader.ScalarOf(entry.DType) is not ScalarType kind)
                faults.Add($"{name} has the unsupported dtype {entry.DType}");
            else if (kind != target.dtype && !(IsFloat(kind) && IsFloat(target.dtype)))
                faults.Add($"{name} is {entry.DType} in the file, {target.dtype} in the model");
        }
        HashSet<string> present = [.. reader.Entries.Select(entry => entry.Name)];
        faults.AddRange(targets.Where(target => !present.Contains(target.Key))
            .Select(target => $"missing {Printable.Quote(target.Key)} {Show(target.Value.shape)}"));
        const int limit = 1000; // a hostile file may have millions
        if (faults.Count > limit)
            faults = [.. faults.Take(limit), $"and {faults.Count - limit} more"];
        if (faults.Count > 0)
            throw new InvalidDataException($"{reader.Source} doesn't fit the model: {string.Join("; ", faults)}.");
    }

    /// <summary>Whether a tensor of single precision can take values of this kind.</summary>
    public static bool IsFloat(ScalarType? kind) => kind is ScalarType.Float64 or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16;

    private static string Show(long[] shape) => $"[{string.Join(", ", shape)}]";
}
