using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What stands between and behind the linear layers of an <see cref="Mlp"/>.</summary>
/// <param name="HiddenNorm">A norm after each hidden layer: batch norm, unless <see cref="Norm"/> says otherwise.</param>
/// <param name="HiddenBias">Biases in the hidden layers.</param>
/// <param name="OutputBias">A bias in the last layer.</param>
/// <param name="OutputNorm">Batch norm without scale and shift behind the last layer.</param>
internal sealed record MlpForm(bool HiddenNorm, bool HiddenBias, bool OutputBias, bool OutputNorm = false)
{
    /// <summary>Which norm that is.</summary>
    public HeadNorm Norm { get; init; } = HiddenNorm ? HeadNorm.Batch : HeadNorm.None;
}

/// <summary>Projectors and predictors: linear layers with ReLU between them.</summary>
internal static class Mlp
{
    /// <summary>One linear layer with bias, [N, inputs] to [N, outputs], under the names that it has in a deeper projector.</summary>
    public static nn.Module<Tensor, Tensor> Linear(long inputs, long outputs, Generator generator) => nn.Sequential(new Linear(inputs, outputs, generator));

    /// <summary>
    /// Linear layers with GELU between them, biases zero and weights normal: DINO's head (Caron et al. 2021, its code). The deviation is the published
    /// 0.02 at the published width of 2,048, and larger in narrower heads, whose signal would otherwise shrink so much from layer to layer that
    /// the biases soon outweigh it and all rows point one way.
    /// </summary>
    public static nn.Module<Tensor, Tensor> CreateGelu(long inputs, long hidden, long outputs, int layers, Generator generator)
    {
        double deviation = 0.02 * Math.Sqrt(2048.0 / hidden);
        var stack = new List<nn.Module<Tensor, Tensor>>();
        for (int layer = 1; layer < layers; layer++)
        {
            stack.Add(Contrastive.Linear.Normal(layer == 1 ? inputs : hidden, hidden, generator, deviation));
            stack.Add(new Gelu());
        }
        stack.Add(Contrastive.Linear.Normal(layers == 1 ? inputs : hidden, outputs, generator, deviation));
        return nn.Sequential(stack);
    }

    /// <summary>The first layer of a projector by itself, [N, inputs] to [N, outputs], with bias.</summary>
    public static nn.Module<Tensor, Tensor> HiddenLayer(long inputs, long outputs, bool norm, Generator generator) => norm
        ? nn.Sequential(new Linear(inputs, outputs, generator), new BatchNorm(outputs), new Relu())
        : nn.Sequential(new Linear(inputs, outputs, generator), new Relu());

    /// <summary>[N, inputs] to [N, outputs] through <paramref name="layers"/> linear layers, at least one.</summary>
    public static nn.Module<Tensor, Tensor> Create(long inputs, long hidden, long outputs, int layers, MlpForm form, Generator generator)
    {
        var stack = new List<nn.Module<Tensor, Tensor>>();
        for (int layer = 1; layer < layers; layer++)
        {
            stack.Add(new Linear(layer == 1 ? inputs : hidden, hidden, generator, form.HiddenBias));
            if (NormOf(form, hidden) is { } norm)
                stack.Add(norm);
            stack.Add(new Relu());
        }
        stack.Add(new Linear(layers == 1 ? inputs : hidden, outputs, generator, form.OutputBias));
        if (form.OutputNorm)
            stack.Add(new BatchNorm(outputs, affine: false));
        return nn.Sequential(stack);
    }

    private static nn.Module<Tensor, Tensor>? NormOf(MlpForm form, long hidden) => form.Norm switch
    {
        HeadNorm.Batch => new BatchNorm(hidden),
        HeadNorm.Group => new GroupNorm(hidden),
        HeadNorm.FirstBatch => new FirstBatchNorm(hidden),
        _ => null,
    };
}
