using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Training;

/// <summary>
/// Libtorch's "meta" device holds shapes without numbers, so moving there shows without a GPU what of a learner is left
/// behind. It has no kernels for a whole step and does not refuse all mixing: what a step itself makes on a wrong device only
/// <c>gpu-check</c> finds, on a machine with a GPU.
/// </summary>
public sealed class OtherDeviceTests
{
    private static readonly Device s_meta = Meta();

    public static TheoryData<ContrastiveMethod> FurtherOptimizers => [new SimSiam { Optimizer = new AdamW { WeightDecay = 0.1 } }];

    [Theory]
    [MemberData(nameof(AllMethods.Data), MemberType = typeof(AllMethods))]
    [MemberData(nameof(FurtherOptimizers))]
    public void A_learner_moves_whole_and_its_optimizer_and_targets_follow(ContrastiveMethod method)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        ImageEncoder encoder = method.EncoderFor(ImageEncoder.SmallConvNet(4));
        var facts = new RunFacts(256, 32, 10, 16, 16, 3, encoder.FeatureSize);
        ContrastiveMethod resolved = method.Resolve(facts);
        using Learner learner = resolved.CreateLearner(new LearnerSetup(() => encoder.Build(3, 16, 16, generator), encoder.FeatureSize, generator, facts));
        foreach (MomentumPair pair in learner.MomentumPairs)
            pair.CopyToTarget();
        string[] names = [.. learner.state_dict().Keys], trained = [.. Trained(learner).Select(entry => entry.name)];

        learner.to(s_meta).train();
        Assert.Equal(names, learner.state_dict().Keys);
        Assert.All(learner.state_dict().Values, AssertMoved);
        Assert.Equal(trained, Trained(learner).Select(entry => entry.name)); // a target that came to want a gradient would be trained

        using var parameters = new FlatParameters(learner);
        using Optimizer optimizer = Optimizer.Create(resolved.Optimizer!, parameters.Groups);
        using var noGradient = no_grad();
        optimizer.Step(new Step(facts.TotalSteps - 1, facts.TotalSteps, seed: 1), 0.1, 0.1);
        foreach (MomentumTiming timing in Enum.GetValues<MomentumTiming>())
            parameters.UpdateTargets(timing, new Step(0, facts.TotalSteps, seed: 1));
        Assert.All(learner.state_dict().Values, AssertMoved);
        Assert.All(Trained(learner), entry => AssertMoved(entry.parameter.grad!));
    }

    private static IEnumerable<(string name, TorchSharp.Modules.Parameter parameter)> Trained(Learner learner)
        => learner.named_parameters().Where(entry => entry.parameter.requires_grad);

    private static void AssertMoved(Tensor tensor) => Assert.Equal(DeviceType.META, tensor.device_type);

    private static Device Meta()
    {
        NativeTorch.EnsureLoaded();
        return device(DeviceType.META);
    }
}
