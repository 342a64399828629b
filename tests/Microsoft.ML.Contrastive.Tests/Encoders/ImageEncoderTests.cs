using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Encoders;

public sealed class ImageEncoderTests
{
    /// <summary>torchvision's counts, less the classifier of 1,000 classes.</summary>
    public static TheoryData<ImageEncoder, long> Published => new()
    {
        { ImageEncoder.ResNet18(), 11_689_512 - 513_000 },
        { ImageEncoder.ResNet34(), 21_797_672 - 513_000 },
        { ImageEncoder.ResNet50(), 25_557_032 - 2_049_000 },
        { ImageEncoder.ResNet101(), 44_549_160 - 2_049_000 },
        { ImageEncoder.ResNet152(), 60_192_808 - 2_049_000 },
    };

    [Theory]
    [MemberData(nameof(Published))]
    public void A_residual_net_has_the_published_number_of_weights(ImageEncoder encoder, long count)
    {
        using nn.Module<Tensor, Tensor> module = encoder.CreateModule(3, seed: 1);
        Assert.Equal(count, module.parameters().Sum(parameter => parameter.numel()));
        string[] names = [.. module.state_dict().Keys];
        Assert.Contains("conv1.weight", names);
        Assert.Contains("bn1.running_var", names);
        Assert.Contains("layer2.0.downsample.0.weight", names);
        Assert.Contains("layer4.1.bn2.bias", names);
    }

    /// <summary>Chen et al. 2020b, table 1: millions of numbers, running statistics included, without a classifier.</summary>
    [Theory]
    [InlineData(50, 1, false, 24)]
    [InlineData(50, 1, true, 35)]
    [InlineData(50, 2, false, 94)]
    [InlineData(50, 2, true, 140)]
    [InlineData(101, 1, false, 43)]
    [InlineData(101, 1, true, 65)]
    [InlineData(101, 2, false, 170)]
    [InlineData(101, 2, true, 257)]
    [InlineData(152, 1, false, 58)]
    [InlineData(152, 1, true, 89)]
    [InlineData(152, 2, false, 233)]
    [InlineData(152, 2, true, 354)]
    [InlineData(152, 3, true, 795)]
    public void A_wide_or_selective_residual_net_has_the_published_size(int depth, int multiplier, bool selective, int millions)
    {
        var encoder = new ResNet { Depth = depth, Width = 64 * multiplier, SelectiveKernels = selective };
        encoder.Validate();
        Assert.Equal(millions, Math.Round(encoder.CountWeights(3, 224, 224) / 1e6));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void An_encoder_tells_how_many_numbers_it_has_without_being_made(ImageEncoder encoder, int channels, int size)
    {
        using nn.Module<Tensor, Tensor> module = encoder.CreateModule(channels, seed: 1);
        Assert.Equal(module.state_dict().Values.Sum(value => value.numel()), encoder.CountWeights(channels, 224, 224));
        Assert.True(size >= encoder.MinImageSize);

        // Its weights' header is far below what a model's reader takes.
        int header = SafeTensorsHeader.For(module.state_dict().Select(pair => (pair.Key, pair.Value.dtype, pair.Value.shape)), null).ToBytes().Length;
        Assert.InRange(header, 1, ModelEntries.LongestWeightsHeader / 8);
    }

    public static TheoryData<ImageEncoder, int, int> Shapes => new()
    {
        { ImageEncoder.SmallConvNet(4), 1, 28 },
        { ImageEncoder.SmallConvNet(4, grid: 2), 3, 33 },
        { ImageEncoder.SmallConvNet(4, grid: 3), 1, 8 },
        { ImageEncoder.ResNet18(Stem.Small), 3, 32 },
        { ImageEncoder.ResNet18(), 1, 64 },
        { ImageEncoder.ResNet34(Stem.Small), 1, 8 },
        { ImageEncoder.ResNet50(), 3, 32 },
        { new ResNet { Depth = 18, Stem = Stem.Small, Width = 32 }, 1, 32 },
        { new ResNet { Depth = 50, Width = 8 }, 3, 32 },
        { ImageEncoder.ResNet50() with { Width = 8, SelectiveKernels = true }, 3, 32 },
        { ImageEncoder.ResNet101(Stem.Small) with { Width = 16, SelectiveKernels = true }, 1, 27 },
        { ImageEncoder.ResNet152() with { Width = 8, SelectiveKernels = true }, 3, 64 },
        { new EncoderWithHead(ImageEncoder.SmallConvNet(4), 20), 1, 28 },
        { new EncoderWithHead(ImageEncoder.ResNet18(Stem.Small) with { Width = 8 }, 20) { FeaturesFrom = FeatureLayer.Middle, Norm = HeadNorm.None }, 3, 32 },
        { ImageEncoder.PatchEncoder(4), 1, 28 },
        { ImageEncoder.PatchEncoder(2, grid: 2, patch: 8), 3, 33 },
        { ImageEncoder.PatchEncoder(2, patch: 64), 3, 256 },
        { ImageEncoder.LuminanceAndColor(ImageEncoder.SmallConvNet(4), new ResNet { Stem = Stem.Small, Width = 8 }), 3, 32 },
        { new LuminanceAndTwoColors(ImageEncoder.SmallConvNet(4), ImageEncoder.SmallConvNet(2), new ResNet { Stem = Stem.Small, Width = 8 }) { ColorSpace = CmcColorSpace.YCbCr }, 3, 32 },
        { new VisionTransformer { Patch = 4, Width = 32, Depth = 2, Heads = 2 }, 1, 28 },
        { new VisionTransformer { Patch = 7, Width = 48, Depth = 1, Heads = 3, Positions = PositionEmbedding.Learned }, 3, 28 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void An_encoder_gives_as_many_features_as_it_says_and_its_seed_decides_them(ImageEncoder encoder, int channels, int size)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        Tensor pictures = rand(3, channels, size, size, generator: new Generator(1));
        Tensor first = Features(7), again = Features(7), other = Features(8);
        Assert.Equal([3L, encoder.FeatureSize], first.shape);
        TensorAssert.Equal(first, again, 0);
        Assert.True((first - other).abs().max().ToDouble() > 1e-3);

        Tensor Features(long seed)
        {
            using nn.Module<Tensor, Tensor> module = encoder.CreateModule(channels, seed, size);
            module.eval();
            return module.forward(pictures);
        }
    }

    public static TheoryData<ImageEncoder, ImageEncoder> Halves => new()
    {
        { ImageEncoder.SmallConvNet(32, grid: 2), ImageEncoder.SmallConvNet(16, grid: 2) },
        { ImageEncoder.SmallConvNet(1), ImageEncoder.SmallConvNet(1) },
        { ImageEncoder.PatchEncoder(32, grid: 2, patch: 32), ImageEncoder.PatchEncoder(16, grid: 2, patch: 32) },
        { ImageEncoder.ResNet50(), ImageEncoder.ResNet50() with { Width = 32 } },
        { new ResNet { Width = 8 }, new ResNet { Width = 8 } },
        { new EncoderWithHead(ImageEncoder.SmallConvNet(8), 64), new EncoderWithHead(ImageEncoder.SmallConvNet(4), 32) },
        { ImageEncoder.ViTTiny(), ImageEncoder.ViTTiny() with { Width = 96 } },
        { ImageEncoder.ViTBase(), ImageEncoder.ViTBase() with { Width = 384 } },
        { new VisionTransformer { Width = 60, Heads = 5 }, new VisionTransformer { Width = 20, Heads = 5 } },
    };

    [Theory]
    [MemberData(nameof(Halves))]
    public void Half_an_encoder_is_the_same_at_about_half_the_width_and_valid(ImageEncoder whole, ImageEncoder half)
    {
        Assert.Equal(half, whole.HalfWidth());
        whole.HalfWidth().Validate();
    }

    [Fact]
    public void A_grid_of_means_averages_to_the_mean_over_all_positions()
    {
        using var scope = NewDisposeScope();
        Tensor map = rand(2, 5, 4, 4);
        Tensor areas = new MeanOverAreas(2).forward(map);
        Assert.Equal([2L, 20], areas.shape);
        TensorAssert.Equal(new MeanOverAreas(1).forward(map), areas.view(2, 5, 4).mean([2]), 1e-6);
        TensorAssert.Equal(map[.., .., ..2, ..2].mean([2, 3]), areas.view(2, 5, 4).select(2, 0), 1e-6);
    }

    [Fact]
    public void Selective_kernels_mix_their_branches_by_shares_that_sum_to_one()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(2);
        using var kernels = new SelectiveKernelConvolution(8, 2, EncoderNorm.Batch, generator);
        kernels.eval();
        Tensor pictures = empty(3, 8, 7, 7).normal_(0, 1, generator);
        Dictionary<string, Tensor> state = kernels.state_dict();
        Tensor convolved = nn.functional.conv2d(pictures, state["conv.weight"], null, [2, 2], [1, 1]).div(Math.Sqrt(1 + 1e-5)).relu();
        using (no_grad())
            state["fc2.weight"].zero_(); // equal shares
        TensorAssert.Equal(convolved[.., ..8].add(convolved[.., 8..]).div(2), kernels.forward(pictures), 1e-4);

        using (no_grad())
        {
            state["fc1.weight"].abs_();
            state["fc2.weight"][..8].fill_(1e4); // all that is positive goes to the first branch
        }
        TensorAssert.Equal(convolved[.., ..8], kernels.forward(pictures), 1e-4);
    }

    [Fact]
    public void A_shortcut_averages_what_is_there_at_odd_edges_too()
    {
        using var scope = NewDisposeScope();
        Tensor map = arange(9, ScalarType.Float32).view(1, 1, 3, 3);
        TensorAssert.Equal(tensor(new float[,,,] { { { { 2, 3.5f }, { 6.5f, 8 } } } }), new MeanOfFour(2).forward(map));
        TensorAssert.Equal(tensor(new float[,,,] { { { { 2, 3, 3.5f }, { 5, 6, 6.5f }, { 6.5f, 7.5f, 8 } } } }), new MeanOfFour(1).forward(map));
    }

    [Fact]
    public void Features_before_and_behind_the_kept_layer_come_from_the_same_weights()
    {
        using var scope = NewDisposeScope();
        var shape = new EncoderWithHead(ImageEncoder.SmallConvNet(4), 20);
        using nn.Module<Tensor, Tensor> before = shape.CreateModule(1, seed: 3), behind = shape.ForFineTuning.CreateModule(1, seed: 4);
        ModuleState.Copy(before, behind);
        before.eval();
        behind.eval();
        Tensor pictures = rand(2, 1, 16, 16);
        Dictionary<string, Tensor> state = before.state_dict();
        Tensor hidden = nn.functional.linear(before.forward(pictures), state["head.0.weight"], state["head.0.bias"]).div(Math.Sqrt(1 + 1e-5)).relu();
        TensorAssert.Equal(hidden, behind.forward(pictures));
    }

    [Fact]
    public void Residuals_that_start_at_zero_leave_each_block_its_shortcut()
    {
        using nn.Module<Tensor, Tensor> module = (ImageEncoder.ResNet18(Stem.Small) with { ZeroInitResidual = true }).CreateModule(1, seed: 1);
        Assert.All(
            module.named_parameters().Where(entry => entry.name.EndsWith(".bn2.weight", StringComparison.Ordinal)),
            entry => Assert.Equal(0, entry.parameter.abs().max().ToDouble()));
    }
}
