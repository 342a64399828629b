using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Weights that another library saved into an encoder: tensors are found by the names that torchvision and timm give them, behind
/// whatever prefix a training program put in front.
/// </summary>
internal static class WeightImport
{
    private const int FaultsShown = 20;
    private const string FixedTable = "pos_embed", Counter = "num_batches_tracked";

    /// <summary>Copies a file's tensors over those of a module, and says of each tensor of both what became of it.</summary>
    /// <param name="reader">The file; its data has not been read.</param>
    /// <param name="encoder">The module's shape.</param>
    /// <param name="module">What the encoder built. It is left half filled where the file's data is damaged.</param>
    /// <param name="prefix">What stands before the names; null where it is to be found.</param>
    /// <param name="allowMissing">Whether tensors that the file lacks keep their first values.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or not this encoder's; says all that doesn't fit, and what to do.</exception>
    public static (string Prefix, IReadOnlyList<ImportedTensor> Tensors) Load(
        SafeTensorsReader reader, ImageEncoder encoder, nn.Module module, string? prefix, bool allowMissing)
    {
        Dictionary<string, Tensor> own = module.state_dict();
        IReadOnlyDictionary<string, string> known = ForeignNames.Of(encoder, own.Keys);
        prefix ??= FindPrefix(reader, known);
        Dictionary<string, string> matched = Match(reader, known, prefix);
        if (matched.Count == 0)
            throw Unfit(reader, $"none of its names, such as {Some(reader.Entries.Select(entry => entry.Name))}, is one of the encoder's, such as {Some(own.Keys)}, behind the prefix {Printable.Quote(prefix)}", "Choose the encoder that the file was made for, and leave Prefix out");

        HashSet<string> parts = [.. matched.Keys.Select(name => Part(name, prefix))];
        var faults = new List<string>();
        var tensors = new List<ImportedTensor>();
        foreach (SafeTensorsEntry entry in reader.Entries)
        {
            if (!matched.TryGetValue(entry.Name, out string? name))
            {
                tensors.Add(new ImportedTensor(ImportStatus.Unused, null, entry.Name, entry.Shape));
                if (entry.Name.StartsWith(prefix, StringComparison.Ordinal) && parts.Contains(Part(entry.Name, prefix)) && !entry.Name.EndsWith(Counter, StringComparison.Ordinal))
                    faults.Add($"{Printable.Quote(entry.Name)} {Show(entry.Shape)} would be left out of the network's middle");
                continue;
            }
            bool same = own[name].shape.AsSpan().SequenceEqual(entry.Shape);
            if (!same && !(name == FixedTable && VisionTransformerModule.SideOfTable(entry.Shape, encoder.FeatureSize) is not null))
                faults.Add($"{Printable.Quote(entry.Name)} is {Show(entry.Shape)} in the file, {Show(own[name].shape)} in the encoder");
            else if (!SafeTensors.IsFloat(SafeTensorsHeader.ScalarOf(entry.DType)))
                faults.Add($"{Printable.Quote(entry.Name)} is {entry.DType}, no kind of floating point numbers that is read here");
            tensors.Add(new ImportedTensor(same ? ImportStatus.Copied : ImportStatus.Interpolated, name, entry.Name, own[name].shape));
        }
        foreach ((string name, Tensor value) in own.ExceptBy(matched.Values, pair => pair.Key))
        {
            tensors.Add(new ImportedTensor(ImportStatus.Missing, name, null, value.shape));
            bool isFixed = name == FixedTable && encoder is VisionTransformer { Positions: not PositionEmbedding.Learned };
            if (!allowMissing && !isFixed)
                faults.Add($"it has no '{prefix}{name}' {Show(value.shape)}");
        }
        if (faults.Count > 0)
            throw Unfit(
                reader, string.Join("; ", faults.Take(FaultsShown)) + (faults.Count > FaultsShown ? $"; and {faults.Count - FaultsShown} more" : ""),
                "Choose the encoder that the file was made for: its depth, width, stem, patch and channels" + (allowMissing ? "" : "; or set AllowMissing where a part may keep random weights"));
        Copy(reader, matched, own, module);
        return (prefix, tensors);
    }

    /// <summary>The prefix behind which most of the encoder's tensors are found.</summary>
    private static string FindPrefix(SafeTensorsReader reader, IReadOnlyDictionary<string, string> known)
    {
        int longest = known.Keys.Max(name => name.Length);
        var found = new Dictionary<string, HashSet<string>>();
        foreach (string name in reader.Entries.Select(entry => entry.Name))
            for (int start = Math.Max(0, name.Length - longest); start < name.Length; start++)
                if ((start == 0 || name[start - 1] == '.') && known.TryGetValue(name[start..], out string? own))
                {
                    string prefix = name[..start];
                    if (!found.TryGetValue(prefix, out HashSet<string>? names))
                        found[prefix] = names = [];
                    names.Add(own);
                }
        int most = found.Values.Select(names => names.Count).DefaultIfEmpty().Max();
        string[] best = [.. found.Where(each => each.Value.Count == most).Select(each => each.Key)];
        return best.Length <= 1
            ? best.FirstOrDefault("")
            : throw Unfit(reader, $"it holds {best.Length} networks alike, behind {Some(best)}", "Say with Prefix which is meant");
    }

    /// <summary>Names in the file with the encoder's own; of two names for one tensor, the first has it.</summary>
    private static Dictionary<string, string> Match(SafeTensorsReader reader, IReadOnlyDictionary<string, string> known, string prefix)
    {
        var matched = new Dictionary<string, string>();
        var taken = new HashSet<string>();
        foreach (string name in reader.Entries.Select(entry => entry.Name))
            if (name.StartsWith(prefix, StringComparison.Ordinal) && known.TryGetValue(name[prefix.Length..], out string? own) && taken.Add(own))
                matched[name] = own;
        return matched;
    }

    private static void Copy(SafeTensorsReader reader, Dictionary<string, string> matched, Dictionary<string, Tensor> own, nn.Module module)
    {
        using var noGradient = no_grad();
        foreach ((SafeTensorsEntry entry, Tensor value) in reader.ReadTensors(entry => matched.ContainsKey(entry.Name)))
        {
            using var scope = NewDisposeScope();
            using Tensor read = value;
            Tensor target = own[matched[entry.Name]];
            target.copy_(target.shape.AsSpan().SequenceEqual(entry.Shape) ? read : ((VisionTransformerModule)module).ResizedTable(read.to(target.dtype)));
        }
    }

    /// <summary>What stands in front of the first dot behind the prefix.</summary>
    private static string Part(string name, string prefix) => name[prefix.Length..].Split('.', 2)[0];

    private static string Some(IEnumerable<string> names) => string.Join(", ", names.Take(3).Select(Printable.Quote).DefaultIfEmpty("(none)"));

    private static string Show(IReadOnlyList<long> shape) => $"[{string.Join(", ", shape)}]";

    private static InvalidDataException Unfit(SafeTensorsReader reader, string what, string advice) => new($"{reader.Source} doesn't fit the encoder: {what}. {advice}.");
}
