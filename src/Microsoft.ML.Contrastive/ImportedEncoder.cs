using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>An encoder with weights of another library, and what became of each tensor. Its text is a table of that.</summary>
/// <param name="Transformer">Adds the features; may also be where training starts: <c>estimator.Fit(data, imported.Transformer)</c>.</param>
/// <param name="Prefix">What stood before the names in the file.</param>
/// <param name="Tensors">All of the file's and of the encoder's, in the order of the file, missing ones last.</param>
public sealed record ImportedEncoder(ContrastivePretrainTransformer Transformer, string Prefix, IReadOnlyList<ImportedTensor> Tensors)
{
    /// <summary>One line for each tensor: what became of it, its name in the file and in the encoder, its shape; and the sums.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        string[] names = [.. Tensors.Select(tensor => tensor.NameInFile is { } name ? Printable.Quote(name) : "-")];
        int width = names.Max(name => name.Length);
        foreach ((string name, ImportedTensor tensor) in names.Zip(Tensors))
            text.AppendLine($"{tensor.Status,-12}  {name.PadRight(width)}  {tensor.Name ?? "-"}  [{string.Join(", ", tensor.Shape)}]");
        return text.AppendJoin(", ", Tensors.CountBy(tensor => tensor.Status).Select(each => $"{each.Value} {each.Key}")).ToString();
    }
}
