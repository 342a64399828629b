using System.Text.Json.Serialization;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The shape of a network that turns an example into a vector, as data: kept in the model's manifest, built when needed. An
/// <see cref="ImageEncoder"/> takes pictures, a <see cref="SequenceEncoder"/> sequences.
/// </summary>
public abstract record Encoder
{
    private protected Encoder()
    {
    }

    /// <summary>D, the length of the representation.</summary>
    [JsonIgnore]
    public abstract int FeatureSize { get; }

    /// <summary>Throws when a setting is out of its range.</summary>
    internal abstract void Validate();
}
