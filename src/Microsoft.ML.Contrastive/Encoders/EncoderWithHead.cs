using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Behind which layer the features of an <see cref="EncoderWithHead"/> are taken.</summary>
public enum FeatureLayer
{
    /// <summary>The encoder's own last layer.</summary>
    Backbone,

    /// <summary>The projector's first layer: what SimCLR v2 fine-tunes from.</summary>
    Middle,
}

/// <summary>
/// An encoder that keeps the first layer of the projector it was trained with (Chen et al. 2020b, "Big self-supervised models are strong
/// semi-supervised learners", section 2): linear, batch norm, ReLU. Its features come from before that layer or from behind it, and both sets of
/// weights are in the model's zip whichever is chosen. <see cref="SimClrV2"/> makes one of whatever encoder it is given.
/// </summary>
/// <param name="Backbone">The encoder.</param>
/// <param name="HeadSize">Width of the layer, 1 to 6,144: the length of the features behind it.</param>
public sealed record EncoderWithHead(ImageEncoder Backbone, int HeadSize) : ImageEncoder
{
    /// <summary>The widest encoder's feature size.</summary>
    internal const int MaxHeadSize = 6144;

    /// <summary>Behind which layer the features are taken. The default value is <see cref="FeatureLayer.Backbone"/>.</summary>
    public FeatureLayer FeaturesFrom { get; init; }

    /// <summary>What normalises the layer. The default value is <see cref="HeadNorm.Batch"/>.</summary>
    public HeadNorm Norm { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => FeaturesFrom == FeatureLayer.Middle ? HeadSize : Backbone.FeatureSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int MinImageSize => Backbone.MinImageSize;

    internal override int SideMultiple => Backbone.SideMultiple;

    internal override bool TakesOneSize => Backbone.TakesOneSize;

    internal override bool TakesUnitPixels => Backbone.TakesUnitPixels;

    internal override ImageEncoder ForFineTuning => this with { FeaturesFrom = FeatureLayer.Middle };

    internal override IReadOnlyList<string[]> Stages
        => [.. Backbone.Stages.Select(stage => stage.Select(name => $"backbone.{name}").ToArray()), .. FeaturesFrom == FeatureLayer.Middle ? new string[][] { ["head."] } : []];

    internal override ImageEncoder HalfWidth() => this with { Backbone = Backbone.HalfWidth(), HeadSize = Math.Max(1, HeadSize / 2) };

    /// <remarks>One within another is refused: a model file could nest them without end.</remarks>
    internal override void Validate()
    {
        ArgumentNullException.ThrowIfNull(Backbone);
        if (Backbone is EncoderWithHead)
            throw new ArgumentException("The Backbone of an EncoderWithHead can't be another EncoderWithHead.", nameof(Backbone));
        Backbone.Validate();
        if (HeadSize is < 1 or > MaxHeadSize)
            throw new ArgumentOutOfRangeException(nameof(HeadSize), HeadSize, $"The HeadSize of an EncoderWithHead must be from 1 to {MaxHeadSize}.");
        if (!Enum.IsDefined(FeaturesFrom))
            throw new ArgumentOutOfRangeException(nameof(FeaturesFrom), FeaturesFrom, "Choose FeatureLayer.Backbone or FeatureLayer.Middle.");
        if (Norm is not (HeadNorm.Batch or HeadNorm.None))
            throw new ArgumentOutOfRangeException(nameof(Norm), Norm, "Choose HeadNorm.Batch or HeadNorm.None.");
    }

    internal override void CheckSize(int height, int width) => Backbone.CheckSize(height, width);

    internal override void CheckChannels(int channels) => Backbone.CheckChannels(channels);

    internal override long CountWeights(int channels, int height, int width)
        => Backbone.CountWeights(channels, height, width) + (Backbone.FeatureSize + 1L) * HeadSize + (Norm == HeadNorm.Batch ? BatchNorm.CountWeights(HeadSize) : 0);

    internal override nn.Module<Tensor, Tensor> Build(int channels, int height, int width, Generator generator)
        => new EncoderWithHeadModule(this, Backbone.Build(channels, height, width, generator), generator);
}

/// <summary>Pictures in, features from before or behind the head's layer out.</summary>
internal sealed class EncoderWithHeadModule : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor> backbone, head;
    private readonly FeatureLayer _featuresFrom;

    public EncoderWithHeadModule(EncoderWithHead shape, nn.Module<Tensor, Tensor> backbone, Generator generator)
        : base(nameof(EncoderWithHead))
    {
        (this.backbone, _featuresFrom) = (backbone, shape.FeaturesFrom);
        head = Mlp.HiddenLayer(shape.Backbone.FeatureSize, shape.HeadSize, shape.Norm == HeadNorm.Batch, generator);
        RegisterComponents();
    }

    /// <summary>What the rest of the projector takes: [N, HeadSize], wherever the features are taken.</summary>
    public Tensor Middle(Tensor pictures)
    {
        using Tensor features = backbone.forward(pictures);
        return head.forward(features);
    }

    public override Tensor forward(Tensor input) => _featuresFrom == FeatureLayer.Middle ? Middle(input) : backbone.forward(input);
}
