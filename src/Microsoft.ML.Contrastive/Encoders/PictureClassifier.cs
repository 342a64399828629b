using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>An encoder with a linear layer behind it: pictures [N, C, H, W] to one logit for each class, [N, classes].</summary>
internal sealed class PictureClassifier : nn.Module<Tensor, Tensor>
{
    private const double Deviation = 0.01; // so small that the first steps do not tear at what the encoder has learned
    private readonly nn.Module<Tensor, Tensor> encoder;
    private readonly Linear head;

    public PictureClassifier(nn.Module<Tensor, Tensor> encoder, int featureSize, int classes, Generator generator)
        : base(nameof(PictureClassifier))
    {
        (this.encoder, Classes) = (encoder, classes);
        head = Linear.Normal(featureSize, classes, generator, Deviation);
        RegisterComponents();
    }

    public nn.Module<Tensor, Tensor> Encoder => encoder;

    public int Classes { get; }

    /// <summary>Weights of a classifier on an encoder of a size, told without making it.</summary>
    public static long CountWeights(long encoder, int featureSize, int classes) => encoder + (featureSize + 1L) * classes;

    public override Tensor forward(Tensor input)
    {
        using Tensor features = encoder.forward(input);
        return head.forward(features);
    }

    /// <summary>Leaves all but some parameters as they are: those need no gradient, and batch norms among them keep their statistics.</summary>
    /// <param name="isTrained">Says of an encoder's parameter by its name whether it is trained; the head always is.</param>
    /// <returns>The batch norms that must stay in evaluation mode.</returns>
    public IReadOnlyList<BatchNorm> Freeze(Func<string, bool> isTrained)
    {
        foreach ((string name, TorchSharp.Modules.Parameter parameter) in encoder.named_parameters())
            if (!isTrained(name))
                parameter.requires_grad_(false);
        return [.. encoder.named_modules().Where(entry => entry.module is BatchNorm && !isTrained(entry.name + ".")).Select(entry => (BatchNorm)entry.module)];
    }
}
