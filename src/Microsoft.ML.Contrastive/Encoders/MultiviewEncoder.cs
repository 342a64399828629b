using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A network for each of several columns of pictures, such as what two sensors saw of one scene; the representation is all of theirs beside each other. What
/// <see cref="Cmc"/> trains on several columns.
/// </summary>
/// <param name="Views">The networks in the columns' order: 2 to 16.</param>
public sealed record MultiviewEncoder(IReadOnlyList<ImageEncoder> Views) : Encoder
{
    /// <summary>Every pair is compared, so that the work grows with its square.</summary>
    internal const int MostViews = 16;

    /// <summary>The networks in the columns' order.</summary>
    /// <param name="views">2 to 16.</param>
    public MultiviewEncoder(params ImageEncoder[] views)
        : this((IReadOnlyList<ImageEncoder>)views)
    {
    }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => Views.Sum(view => view.FeatureSize);

    /// <summary>Smallest height and width that all can take, in pixels.</summary>
    internal int MinImageSize => Views.Max(view => view.MinImageSize);

    /// <inheritdoc/>
    public bool Equals(MultiviewEncoder? other) => other is not null && Views.SequenceEqual(other.Views);

    /// <inheritdoc/>
    public override int GetHashCode() => Views.Aggregate(0, HashCode.Combine);

    /// <summary>The networks' names.</summary>
    public override string ToString() => $"{nameof(MultiviewEncoder)} [{string.Join(", ", Views)}]";

    internal override void Validate()
    {
        ArgumentNullException.ThrowIfNull(Views);
        SizeCheck.Within(nameof(MultiviewEncoder), nameof(Views), Views.Count, 2, MostViews);
        foreach ((int view, ImageEncoder part) in Views.Index())
            CheckPart(part, $"{nameof(Views)}[{view}]", nameof(MultiviewEncoder));
    }

    /// <summary>Throws unless a network can be one of several of an encoder.</summary>
    internal static void CheckPart(ImageEncoder part, string name, string whole)
    {
        ArgumentNullException.ThrowIfNull(part, name);
        if (part is ColorViews or EncoderWithHead)
            throw new ArgumentException($"{name} of a {whole} can't be another {part.GetType().Name}.", name);
        part.Validate();
    }
}

/// <summary>Several networks that each see a part of the input, [N, C, H, W], and what they make of it beside each other, [N, D].</summary>
internal sealed class MultiviewModule : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor>[] _parts;
    private readonly Func<Tensor, Tensor[]> _split;

    /// <param name="parts">Name, network, and the length of its representation.</param>
    /// <param name="split">A batch into what each sees.</param>
    public MultiviewModule((string Name, nn.Module<Tensor, Tensor> Module, int Size)[] parts, Func<Tensor, Tensor[]> split)
        : base(nameof(MultiviewModule))
    {
        _parts = [.. parts.Select(part => part.Module)];
        (Names, Sizes, _split) = ([.. parts.Select(part => part.Name)], [.. parts.Select(part => part.Size)], split);
        foreach ((string name, nn.Module<Tensor, Tensor> module, _) in parts)
            register_module(name, module);
    }

    public IReadOnlyList<string> Names { get; }

    /// <summary>Lengths of the representations.</summary>
    public IReadOnlyList<int> Sizes { get; }

    /// <summary>The networks, which stay its own.</summary>
    public IReadOnlyList<nn.Module<Tensor, Tensor>> Parts => _parts;

    /// <summary>Each network's representation: [N, size].</summary>
    public Tensor[] Features(Tensor input)
    {
        using var scope = NewDisposeScope();
        return [.. _split(input).Zip(_parts, (seen, part) => part.forward(seen).MoveToOuterDisposeScope())];
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return cat(Features(input), 1).MoveToOuterDisposeScope();
    }
}
