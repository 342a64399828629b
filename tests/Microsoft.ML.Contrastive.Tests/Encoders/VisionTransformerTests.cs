using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Encoders;

public sealed class VisionTransformerTests
{
    private static readonly VisionTransformer s_small = new() { Patch = 4, Width = 24, Depth = 2, Heads = 3 };

    public VisionTransformerTests() => NativeTorch.EnsureLoaded();

    /// <summary>timm's counts at 224 pixels, less the classifier of 1,000 classes; heads do not count.</summary>
    public static TheoryData<VisionTransformer, long> Published => new()
    {
        { ImageEncoder.ViTTiny(positions: PositionEmbedding.Learned), 5_717_416 - 193_000 },
        { ImageEncoder.ViTSmall(positions: PositionEmbedding.Learned), 22_050_664 - 385_000 },
        { ImageEncoder.ViTBase(positions: PositionEmbedding.Learned), 86_567_656 - 769_000 },
    };

    [Theory]
    [MemberData(nameof(Published))]
    public void It_has_the_published_number_of_weights_under_timms_names_and_shapes(VisionTransformer encoder, long count)
    {
        using nn.Module<Tensor, Tensor> module = encoder.CreateModule(3, seed: 1);
        Assert.Equal(count, module.parameters().Sum(parameter => parameter.numel()));
        long d = encoder.Width;
        var expected = new Dictionary<string, long[]>
        {
            ["cls_token"] = [1, 1, d], ["pos_embed"] = [1, 197, d], ["patch_embed.proj.weight"] = [d, 3, 16, 16], ["patch_embed.proj.bias"] = [d],
            ["norm.weight"] = [d], ["norm.bias"] = [d],
        };
        for (int block = 0; block < 12; block++)
            foreach ((string name, long outputs, long? inputs) in new (string, long, long?)[]
            {
                ("norm1", d, null), ("attn.qkv", 3 * d, d), ("attn.proj", d, d), ("norm2", d, null), ("mlp.fc1", 4 * d, d), ("mlp.fc2", d, 4 * d),
            })
            {
                expected[$"blocks.{block}.{name}.weight"] = inputs is { } size ? [outputs, size] : [outputs];
                expected[$"blocks.{block}.{name}.bias"] = [outputs];
            }
        Dictionary<string, Tensor> state = module.state_dict();
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), state.Keys.Order(StringComparer.Ordinal));
        Assert.All(expected, entry => Assert.Equal(entry.Value, state[entry.Key].shape));
    }

    [Fact]
    public void Its_features_are_what_the_papers_formula_gives_from_its_weights()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using nn.Module<Tensor, Tensor> module = s_small.CreateModule(3, seed: 2, imageSize: 12);
        module.to(ScalarType.Float64);
        Dictionary<string, Tensor> state = module.state_dict();
        using var generator = new Generator(3);
        foreach ((string name, Tensor value) in state.Where(entry => entry.Key.EndsWith("bias", StringComparison.Ordinal) || entry.Key.Contains("norm", StringComparison.Ordinal)))
            value.add_(empty_like(value).normal_(0, 0.3, generator)); // those that start as zeros and ones
        Tensor pictures = empty(2, 3, 12, 12, ScalarType.Float64).normal_(0, 1, generator);

        // Patch by patch, row by row, head by head.
        var features = new List<Tensor>();
        for (int n = 0; n < 2; n++)
        {
            var tokens = new List<Tensor> { state["cls_token"][0, 0] };
            for (int y = 0; y < 3; y++)
                for (int x = 0; x < 3; x++)
                    tokens.Add(state["patch_embed.proj.weight"].view(24, -1).mv(pictures[n].narrow(1, 4 * y, 4).narrow(2, 4 * x, 4).reshape(-1)) + state["patch_embed.proj.bias"]);
            Tensor h = stack(tokens) + state["pos_embed"][0];
            for (int block = 0; block < 2; block++)
            {
                string at = $"blocks.{block}.";
                Tensor qkv = Linear(Norm(h, at + "norm1"), at + "attn.qkv");
                Tensor mixed = cat([.. Enumerable.Range(0, 3).Select(head =>
                {
                    Tensor q = qkv.narrow(1, 8 * head, 8), k = qkv.narrow(1, 24 + 8 * head, 8), v = qkv.narrow(1, 48 + 8 * head, 8);
                    return softmax(q.mm(k.t()) / Math.Sqrt(8), 1).mm(v);
                })], 1);
                h = h + Linear(mixed, at + "attn.proj");
                Tensor hidden = Linear(Norm(h, at + "norm2"), at + "mlp.fc1");
                h = h + Linear(hidden * 0.5 * (1 + erf(hidden / Math.Sqrt(2))), at + "mlp.fc2");
            }
            features.Add(Norm(h, "norm")[0]);
        }
        TensorAssert.Equal(stack(features), module.forward(pictures));

        Tensor Linear(Tensor rows, string name) => rows.mm(state[name + ".weight"].t()) + state[name + ".bias"];
        Tensor Norm(Tensor rows, string name)
        {
            Tensor centred = rows - rows.mean([1], keepdim: true);
            return centred / (centred.pow(2).mean([1], keepdim: true) + 1e-6).sqrt() * state[name + ".weight"] + state[name + ".bias"];
        }
    }

    [Theory]
    [InlineData(PositionEmbedding.SinCos)]
    [InlineData(PositionEmbedding.Learned)]
    public void Pictures_of_another_size_get_interpolated_positions(PositionEmbedding positions)
    {
        using var scope = NewDisposeScope();
        using nn.Module<Tensor, Tensor> module = (s_small with { Positions = positions }).CreateModule(1, seed: 1, imageSize: 16);
        module.eval();
        using (no_grad())
            foreach (long[] size in new long[][] { [8, 8], [20, 12], [32, 32] })
                Assert.Equal([2L, 24], module.forward(rand(2, 1, size[0], size[1], generator: new Generator(1))).shape);

        // Where all places are one, so are the interpolated ones: as many equal patches in another arrangement change nothing.
        Tensor table = module.state_dict()["pos_embed"];
        using (no_grad())
            table.narrow(1, 1, 16).copy_(full(1, 16, 24, 0.5));
        Tensor gray = full(1, 1, 16, 16, 0.3), other = full(1, 1, 8, 32, 0.3);
        TensorAssert.Equal(module.forward(gray).detach(), module.forward(other).detach());

        module.train();
        module.forward(other).pow(2).sum().backward();
        Assert.Equal(positions == PositionEmbedding.Learned, table.requires_grad && table.grad is { } gradient && gradient.abs().max().ToDouble() > 0);
        Assert.Throws<ArgumentException>(() => module.forward(rand(2, 1, 18, 16)));
    }

    [Fact]
    public void Where_a_patch_lies_matters()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using nn.Module<Tensor, Tensor> module = s_small.CreateModule(1, seed: 1, imageSize: 8);
        Tensor picture = rand(1, 1, 8, 8, generator: new Generator(1));
        Tensor swapped = cat([picture[.., .., 4.., ..], picture[.., .., ..4, ..]], 2);
        Assert.True((module.forward(picture) - module.forward(swapped)).abs().max().ToDouble() > 1e-3);
        using (no_grad())
            module.state_dict()["pos_embed"].zero_();
        TensorAssert.Equal(module.forward(picture), module.forward(swapped));
    }

    [Fact]
    public void It_trains_through_the_estimator_loads_from_a_zip_and_goes_on_at_its_own_size_only()
    {
        var ml = new MLContext(5);
        IDataView data = ml.View(Pictures.Make(64));
        VisionTransformer shape = s_small with { Positions = PositionEmbedding.Learned };
        using ContrastivePretrainTransformer encoder = Estimator(16).Fit(data), again = Estimator(16).Fit(data);
        float[][] features = encoder.Transform(data).Features();
        Assert.Equal(features, again.Transform(data).Features());
        Assert.Contains("\"projectorLayers\":3", encoder.TrainingRecord, StringComparison.Ordinal); // the method was told of the transformer
        using var stream = new MemoryStream();
        ml.Model.Save(encoder, data.Schema, stream);
        stream.Position = 0;
        Assert.Equal(features, new MLContext().Model.Load(stream, out _).Transform(data).Features());

        using ContrastivePretrainTransformer further = Estimator(16).Fit(data, encoder);
        Assert.Contains("pos_embed", Assert.Throws<ArgumentException>(() => Estimator(32).Fit(data, encoder)).Message, StringComparison.Ordinal);

        ContrastivePretrainEstimator Estimator(int size) => ml.Transforms.ContrastivePretrain(new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = "Features",
            InputColumnName = "Image",
            Method = new MoCoV3(),
            Encoder = shape,
            ImageShape = Pictures.Shape(),
            ImageSize = size,
            Training = new TrainingOptions { Steps = 3, BatchSize = 32 },
        });
    }
}
