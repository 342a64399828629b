using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Pictures of several columns, each with a network of its own, all resized alike. The manifest's own input column is the first of them.</summary>
internal sealed record MultiviewInput : ModelInput
{
    public required IReadOnlyList<string> Columns { get; init; }

    /// <summary>How each column's pictures come, and their network.</summary>
    public required IReadOnlyList<PictureInput> Views { get; init; }

    [JsonIgnore]
    public MultiviewEncoder Encoder => new([.. Views.Select(view => view.Encoder)]);

    [JsonIgnore]
    public override Encoder Network => Encoder;

    [JsonIgnore]
    public override int Numbers => Views.Sum(view => view.Numbers);

    [JsonIgnore]
    public override string Description => string.Join(" and ", Views.Select(view => view.Description));

    public override long CountWeights() => Views.Sum(view => view.CountWeights());

    /// <summary>It takes the columns' pictures beside each other as channels.</summary>
    public override nn.Module<Tensor, Tensor> Build(Generator generator)
    {
        long[] channels = [.. Views.Select(view => (long)view.Channels)];
        return new MultiviewModule(
            [.. Views.Select((view, index) => ($"view{index}", view.Build(generator), view.Encoder.FeatureSize))],
            pictures => [.. pictures.split(channels, 1).Select(view => view.contiguous())]);
    }

    public override void Check()
    {
        Require(Views.All(view => view is not null), nameof(Views));
        Encoder.Validate();
        Require(Columns.Count == Views.Count && Columns.All(column => !string.IsNullOrEmpty(column)) && Columns.Distinct().Count() == Columns.Count, nameof(Columns));
        Require(Views.All(view => (view.Height, view.Width) == (Views[0].Height, Views[0].Width)), nameof(Views));
        foreach (PictureInput view in Views)
            view.Check();
    }

    public override bool Suits(ModelInput other) => base.Suits(other) && Views.Zip(((MultiviewInput)other).Views).All(pair => pair.First.Suits(pair.Second));
}
