using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Methods;

public sealed class MoCoV3Tests
{
    private const string Patches = "encoder.patch_embed.proj.";
    private static readonly VisionTransformer s_transformer = new() { Patch = 4, Width = 16, Depth = 1, Heads = 2 };

    [Fact]
    public void No_gradient_reaches_the_keys_network_and_every_online_weight_has_one()
    {
        using var run = new MethodRun(new MoCoV3());
        Assert.Equal(
            run.Learner.named_parameters().Select(entry => entry.name).Where(name => !name.StartsWith("target_", StringComparison.Ordinal)).Order(),
            run.Gradients().Keys.Order());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_transformers_patch_projection_stays_bit_for_bit_unless_it_is_let_go(bool frozen)
    {
        using var run = new MethodRun(new MoCoV3 { FreezePatchProjection = frozen }, s_transformer);
        Dictionary<string, Tensor> before = run.State();
        for (int step = 0; step < 4; step++)
            run.Step();
        Dictionary<string, Tensor> after = run.State();
        foreach (string part in new[] { "weight", "bias" })
        {
            Assert.Equal(frozen, before[Patches + part].equal(after[Patches + part]).all().item<bool>());
            if (frozen)
                TensorAssert.Equal(before[Patches + part], after["target_" + Patches + part]);
        }
        Assert.False(before["encoder.blocks.0.attn.qkv.weight"].equal(after["encoder.blocks.0.attn.qkv.weight"]).all().item<bool>());
        Assert.False(before["encoder.cls_token"].equal(after["encoder.cls_token"]).all().item<bool>());
    }

    [Fact]
    public void Transformers_and_other_encoders_get_their_own_heads_and_optimizers()
    {
        using var run = new MethodRun(new MoCoV3(), s_transformer);
        using var other = new MethodRun(new MoCoV3());
        Assert.Equal((3, true), Heads(run));
        Assert.IsType<AdamW>(run.Method.Optimizer);
        Assert.Equal((2, false), Heads(other));
        Assert.IsType<Sgd>(other.Method.Optimizer);
        Assert.IsType<Lars>(new MoCoV3().Resolve(new RunFacts(100_000, 2048, 1000, 224, 224, 3, 2048) { Encoder = ImageEncoder.ResNet50() }).Optimizer);
        Assert.DoesNotContain(run.State().Keys, name => name.Contains("projector", StringComparison.Ordinal) && name.EndsWith(".bias", StringComparison.Ordinal) && run.State()[name.Replace(".bias", ".weight", StringComparison.Ordinal)].dim() > 1);

        static (int Layers, bool PredictorNorm) Heads(MethodRun run)
        {
            Dictionary<string, Tensor> state = run.State();
            int layers = state.Count(entry => entry.Key.StartsWith("projector.", StringComparison.Ordinal) && entry.Value.dim() == 2);
            // The last norm has statistics but no scale.
            return (layers, state.ContainsKey("predictor.4.running_mean") && !state.ContainsKey("predictor.4.weight"));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_momentum_rises_along_a_cosine_or_stays(bool rises)
    {
        using var run = new MethodRun(new MoCoV3 { Momentum = 0.6, MomentumRises = rises }, steps: 10);
        MomentumPair pair = run.Learner.MomentumPairs[0];
        Assert.Equal(MomentumTiming.BeforeLoss, pair.Timing);
        Assert.Equal(0.6, pair.Momentum(0, 10), 1e-12);
        Assert.Equal(rises ? 0.8 : 0.6, pair.Momentum(5, 10), 1e-12);
        Dictionary<string, Tensor> before = run.State();
        run.Step();
        Dictionary<string, Tensor> first = run.State();
        TensorAssert.Equal(before["projector.0.weight"], first["target_projector.0.weight"]); // it followed what was still its copy
        run.Step();
        double momentum = pair.Momentum(1, 10);
        TensorAssert.Equal(momentum * before["projector.0.weight"] + (1 - momentum) * first["projector.0.weight"], run.State()["target_projector.0.weight"]);
    }

    [Fact]
    public void Its_flat_loss_is_what_equal_rows_give()
    {
        NativeTorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        foreach ((long rows, double temperature, double flat) in new[] { (256L, 0.2, 4.436142), (4096L, 1.0, 33.271065) })
        {
            Tensor same = ones(rows, 3, ScalarType.Float64);
            Assert.Equal(flat, BatchInfoNce.FlatLoss(rows, temperature), 1e-6);
            Assert.Equal(flat, BatchInfoNce.Symmetric(same, same, same, same, temperature).item<double>(), 1e-6);
        }
    }

    [Fact]
    public void Batches_of_one_are_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => new MoCoV3().Validate(1));
}
