using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests;

public sealed class MultiCropTests
{
    private static readonly ImageAugmentation s_global = new() { Blur = new(1) }, s_local = new() { Crop = new(0.05, 0.14), Blur = new(1) };

    public MultiCropTests() => NativeTorch.EnsureLoaded();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Each_view_has_the_size_of_its_recipe_and_its_pixels_are_those_of_a_maker_of_that_size(int channels)
    {
        using var scope = NewDisposeScope();
        var normalization = new Normalization([.. Enumerable.Repeat(0.5f, channels)], [.. Enumerable.Repeat(0.25f, channels)]);
        byte[][] pictures = [.. Enumerable.Range(0, 5).Select(row => ResizerTests.Bytes(channels * 20 * 24, row))];
        ImageAugmentation[] recipes = [s_global, s_local with { Size = 9 }, s_global with { Size = 18 }];
        var maker = new ImageBatchMaker(row => new Picture(pictures[row], 20, 24, channels), recipes, normalization, 16, 18, channels);
        using Contrastive.Views views = maker.Make([4, 0, 2], epoch: 1, seed: 7);
        Assert.Equal([[3L, channels, 16, 18], [3L, channels, 9, 9], [3L, channels, 18, 18]], Enumerable.Range(0, 3).Select(view => views[view].shape));

        var alone = new ImageViewMaker(recipes[1], 9, 9, channels, normalization);
        var random = new SeededRandom(7, 2, 0, 1);
        var expected = new float[channels * 9 * 9];
        alone.Make(new Picture(pictures[0], 20, 24, channels), ref random, expected);
        Assert.Equal(expected, views[1][1].contiguous().data<float>().ToArray());
    }

    [Theory]
    [InlineData(true, "8x4 8x2 4x3")]
    [InlineData(false, "4x4 4x4 4x2 4x2 4x3")]
    public void Large_views_pass_together_small_ones_by_size_or_each_alone_and_their_order_stays(bool joint, string expected)
    {
        using var scope = NewDisposeScope();
        using var views = new Contrastive.Views(Filled(0, 4), Filled(1, 4), Filled(2, 2), Filled(3, 2), Filled(4, 3));
        var passed = new List<string>();
        Tensor[] projected = views.Projected(batch =>
        {
            passed.Add($"{batch.shape[0]}x{batch.shape[1]}");
            return batch.mean([1], keepdim: true);
        }, large: 2, joint);
        Assert.Equal(expected, string.Join(' ', passed));
        Assert.Equal([0f, 1, 2, 3, 4], projected.Select(view => view.mean().item<float>()));

        static Tensor Filled(int value, int width) => full(4, width, value, ScalarType.Float32);
    }

    [Fact]
    public void Large_views_never_pass_with_the_others_even_where_all_have_one_size()
    {
        using var views = new Contrastive.Views(zeros(3, 2), zeros(3, 2), zeros(3, 2), zeros(3, 2));
        var rows = new List<long>();
        views.Projected(batch => { rows.Add(batch.shape[0]); return batch.alias(); }, large: 2, joint: true);
        Assert.Equal([6L, 6], rows);
    }

    [Fact]
    public void Views_of_different_sizes_are_not_stacked()
    {
        using var views = new Contrastive.Views(zeros(2, 1, 8, 8), zeros(2, 1, 4, 4));
        Assert.Throws<InvalidOperationException>(() => views.Stacked());
    }

    [Theory]
    [InlineData(32, 0)]
    [InlineData(63, 0)]
    [InlineData(64, 32)] // the encoder's minimum
    [InlineData(112, 48)]
    [InlineData(224, 96)]
    public void Local_views_have_three_sevenths_of_the_side_and_tiny_pictures_none(int side, int local)
    {
        ImageAugmentation[] views = MultiCrop.Recipes(Facts(side, ImageEncoder.ResNet18()), s_global, s_global, s_local, 6);
        Assert.Equal(local == 0 ? 2 : 8, views.Length);
        Assert.All(views[..2], view => Assert.Null(view.Size));
        Assert.All(views[2..], view => Assert.Equal(local, view.Size));
        Assert.Equal(side >= 64, views[0].Blur is not null);
        Assert.All(views[2..], view => Assert.Equal(local >= 64, view.Blur is not null));
    }

    [Fact]
    public void A_transformers_local_views_are_whole_patches()
    {
        Assert.Equal(96, MultiCrop.LocalSide(Facts(224, ImageEncoder.ViTSmall())));
        Assert.Equal(32, MultiCrop.LocalSide(Facts(64, ImageEncoder.ViTSmall()))); // 27.4 is nearer to two patches than to one
        Assert.Equal(28, MultiCrop.LocalSide(Facts(64, ImageEncoder.ViTSmall(patch: 4))));
    }

    [Fact]
    public void Local_views_of_networks_side_by_side_are_whole_patches_of_each()
    {
        VisionTransformer Patches(int side) => new() { Patch = side, Width = 16, Depth = 1, Heads = 2 };
        Assert.Equal(60, MultiCrop.LocalSide(Facts(144, ImageEncoder.LuminanceAndColor(Patches(4), Patches(6)))));
        ImageAugmentation[] views = [s_global, s_global, s_local with { Size = 66 }];
        ArgumentException error = Assert.Throws<ArgumentException>(() => new Dino { Augmentations = views }.ResolveFully(Facts(144, ImageEncoder.LuminanceAndColor(Patches(4), Patches(6)))));
        Assert.Contains("multiple of the patch, 12", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_network_of_one_size_is_refused_before_training_where_views_have_several()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => new Dino().ResolveFully(Facts(224, new ClipVisionTransformer())));
        Assert.Contains("ClipVisionTransformer takes pictures of one size", error.Message, StringComparison.Ordinal);
        new Dino().ResolveFully(Facts(224, ImageEncoder.ViTSmall()));
        new SimClrV1().ResolveFully(Facts(224, new ClipVisionTransformer()));
    }

    public static TheoryData<ImageEncoder, int, int> Networks => new()
    {
        { ImageEncoder.SmallConvNet(2), 24, 8 },
        { ImageEncoder.SmallConvNet(2, grid: 2), 24, 9 },
        { ImageEncoder.ResNet18(Stem.Small), 16, 9 },
        { ImageEncoder.ResNet18(), 64, 32 },
        { new VisionTransformer { Patch = 4, Width = 16, Depth = 1, Heads = 2 }, 24, 8 },
        { new VisionTransformer { Patch = 4, Width = 16, Depth = 1, Heads = 2, Positions = PositionEmbedding.Learned }, 24, 12 },
    };

    [Theory]
    [MemberData(nameof(Networks))]
    public void Every_encoder_takes_smaller_views_than_it_was_built_for(ImageEncoder encoder, int side, int local)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        using Learner learner = new OwnMethod().CreateLearner(new LearnerSetup(() => encoder.Build(3, side, side, generator), encoder.FeatureSize, generator, Facts(side, encoder)));
        learner.train();
        // Weights lie as training lays them: libtorch's gradient of convolutions with few channels is now and then no number with any other layout.
        using var runner = new StepRunner(learner, new Sgd { Momentum = 0 });
        foreach (int size in new[] { side, local })
        {
            using var views = new Contrastive.Views(Pictures(size), Pictures(size));
            Assert.Equal([2L, encoder.FeatureSize], learner.Encoder.forward(views[0]).shape);
            Assert.True(double.IsFinite(runner.Run(views, new Step(0, 1, seed: 1), rate: 0, constantRate: 0).Loss));
            Assert.All(learner.parameters(), parameter => Assert.True(parameter.grad!.isfinite().all().item<bool>()));
        }

        Tensor Pictures(int size) => empty(2, size, size, 3).normal_(0, 1, generator).permute(0, 3, 1, 2);
    }

    private static RunFacts Facts(int side, ImageEncoder encoder) => new(1000, 32, 100, side, side, 3, encoder.FeatureSize) { Encoder = encoder };
}
