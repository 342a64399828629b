using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// SimCLR (Chen, Kornblith, Norouzi, Hinton 2020, "A simple framework for contrastive learning of visual representations"):
/// two views of each picture find each other among all others of the batch. One encoder, an MLP projector that is thrown
/// away, <see cref="NtXent"/>; large batches are its negatives.
/// </summary>
public sealed record SimClrV1 : SimClr
{
    /// <summary>The published ImageNet settings: temperature 0.1, LARS, base rate 0.3, decay 1e-6, batch norm in the projector, 10 epochs of warm-up.</summary>
    public static SimClrV1 Paper { get; } = new()
    {
        Augmentations = TwoViews(ImageAugmentations.SimClr()),
        Temperature = 0.1,
        Optimizer = new Lars { WeightDecay = 1e-6 },
        LearningRate = new(0.3, WarmupEpochs: 10),
    };

    /// <summary>SimCLR v1 with its projector of two layers.</summary>
    public SimClrV1()
        : base(projectorLayers: 2)
    {
    }

    private protected override (Lars Optimizer, LearningRate Rate) LargeBatches => (new Lars { WeightDecay = 1e-6 }, new(0.3, WarmupEpochs: 1));

    /// <inheritdoc/>
    public override Learner CreateLearner(LearnerSetup setup) => new SimClrV1Learner(this, setup, ProjectorForm);
}

/// <summary>Encoder and projector of <see cref="SimClrV1"/>.</summary>
internal sealed class SimClrV1Learner : Learner, IChunkedLearner
{
    private readonly nn.Module<Tensor, Tensor> encoder;
    private readonly nn.Module<Tensor, Tensor>? projector;
    private readonly SimClrV1 _method;

    public SimClrV1Learner(SimClrV1 method, LearnerSetup setup, MlpForm form)
        : base(nameof(SimClrV1))
    {
        _method = method;
        encoder = setup.CreateEncoder();
        projector = method.ProjectorLayers == 0 ? null
            : Mlp.Create(setup.FeatureSize, method.HiddenSize!.Value, method.ProjectionSize, method.ProjectorLayers, form, setup.Generator);
        RegisterComponents();
    }

    public override nn.Module<Tensor, Tensor> Encoder => encoder;

    public override Tensor Loss(Views views, Step step) => Contrast(Represent(views, step, chunk: 0), views, step);

    public IReadOnlyList<Tensor> Represent(Views views, Step step, int chunk)
    {
        (Tensor first, Tensor second) = views.Projected(view => projector is null ? encoder.forward(view) : projector.forward(encoder.forward(view)), _method.JointForward);
        return [first, second];
    }

    public Tensor Contrast(IReadOnlyList<Tensor> representations, Views views, Step step)
    {
        step.Embedding = representations[0];
        return NtXent.Loss(representations[0], representations[1], _method.Temperature);
    }

    public override double? FlatLoss(long rows) => NtXent.FlatLoss(rows);
}
