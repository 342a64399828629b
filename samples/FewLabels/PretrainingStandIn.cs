using Microsoft.ML;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace FewLabels;

/// <summary>Stands in for Pretraining.cs until the library is there, so that the rest can be built and tried.</summary>
internal sealed class Pretraining(MLContext ml, Recipe recipe)
{
    public List<(int Step, double Loss)> Losses { get; } = [];

    public ITransformer Untrained(IDataView images) => Inputs.PrincipalComponents(ml, 20, recipe.Seed).Fit(images);

    public ITransformer Fit(IDataView images, Action<double, string> progress) => Inputs.PrincipalComponents(ml, 40, recipe.Seed).Fit(images);

    public Func<int, Module<Tensor, Tensor>> CreateEncoder { get; } = seed =>
    {
        random.manual_seed(seed);
        int[] widths = [1, 32, 64, 128, 256];
        int[] strides = [2, 2, 2, 1];
        var layers = strides.SelectMany((stride, i) => new (string, Module<Tensor, Tensor>)[]
        {
            ($"conv{i}", Conv2d(widths[i], widths[i + 1], 3, stride: stride, padding: 1, bias: false)),
            ($"norm{i}", BatchNorm2d(widths[i + 1])),
            ($"relu{i}", ReLU()),
        });
        return Sequential([.. layers, ("pool", AdaptiveAvgPool2d(1)), ("flat", Flatten())]);
    };
}
