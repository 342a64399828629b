using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Which vectors a model of pictures and texts adds.</summary>
[Flags]
internal enum PairOutputs
{
    Image = 1,
    Text = 2,
    Both = 3,
}

/// <summary>Pictures and texts, each with a network of its own; the manifest's own columns are the pictures'.</summary>
internal sealed record PairInput : ModelInput
{
    public required PictureInput Pictures { get; init; }

    public required TextInput Texts { get; init; }

    /// <summary>E; null where one of the networks decides it.</summary>
    public int? EmbeddingSize { get; init; }

    /// <summary>Whether similarities have a bias.</summary>
    public bool HasBias { get; init; }

    /// <summary>The column of texts.</summary>
    public required string TextColumn { get; init; }

    /// <summary>The column of their vectors.</summary>
    public required string TextOutput { get; init; }

    public PairOutputs Outputs { get; init; } = PairOutputs.Both;

    [JsonIgnore]
    public ImageTextEncoder Encoder => new(Pictures.Encoder, Texts.Encoder) { EmbeddingSize = EmbeddingSize, HasBias = HasBias };

    [JsonIgnore]
    public override Encoder Network => Encoder;

    [JsonIgnore]
    public override int Numbers => Pictures.Numbers;

    [JsonIgnore]
    public override TextInput? TextPart => Texts;

    public override long CountWeights() => Encoder.CountWeights(Pictures.Channels, Pictures.Height, Pictures.Width);

    public override nn.Module<Tensor, Tensor> Build(Generator generator) => Encoder.Build(Pictures.Channels, Pictures.Height, Pictures.Width, generator);

    public override void Check()
    {
        Pictures.Check();
        Texts.Check();
        Encoder.Validate();
        Require(Enum.IsDefined(Outputs), nameof(Outputs));
        Require(!string.IsNullOrEmpty(TextColumn), nameof(TextColumn));
        Require(!string.IsNullOrEmpty(TextOutput), nameof(TextOutput));
    }

    public override bool Suits(ModelInput other) => base.Suits(other) && Pictures.Suits(((PairInput)other).Pictures);
}
