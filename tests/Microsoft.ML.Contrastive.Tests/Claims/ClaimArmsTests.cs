using Microsoft.ML.Contrastive.Benchmarks;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.Claims;

/// <summary>The claims as they are written down.</summary>
public sealed class ClaimArmsTests
{
    private static readonly ClaimsOptions s_full = ClaimsOptions.Parse(["--out", "nowhere"]), s_quick = ClaimsOptions.Parse(["--out", "nowhere", "--quick"]);

    public static TheoryData<string> Names => [.. AllClaims.List.Select(claim => claim.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Arms_have_names_of_their_own_differ_and_are_valid(string name)
    {
        Claim claim = Of(name);
        Assert.Equal(claim.Arms.Count, claim.Arms.Select(arm => arm.Label).Distinct().Count());
        Assert.Equal(claim.Arms.Count, claim.Arms.Select(arm => arm.Setup(s_full)).Distinct().Count());
        Assert.All(claim.Arms, arm => arm.Validate());
        Assert.All(claim.Arms, arm => Assert.NotEqual(arm.Setup(s_full), arm.Setup(s_quick)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Comparisons_name_arms_and_the_quick_form_has_one(string name)
    {
        Claim claim = Of(name);
        HashSet<string> labels = [.. claim.Arms.Select(arm => arm.Label)], quick = [.. ClaimOutcome.ArmsOf(claim, s_quick).Select(arm => arm.Label)];
        Assert.All(claim.Comparisons, comparison =>
        {
            Assert.Contains(comparison.Above, labels);
            Assert.Contains(comparison.Below, labels);
            Assert.True(comparison.Above != comparison.Below || comparison.BelowFigure is not null, comparison.ToString());
            Assert.Contains(comparison.Figure, claim.Figures);
        });
        Assert.Contains(claim.Comparisons, comparison => quick.Contains(comparison.Above) && quick.Contains(comparison.Below));
        Assert.All(new[] { claim.Statement, claim.Source, claim.Differs }, Assert.NotEmpty);
    }

    [Fact]
    public void A_method_is_shown_by_one_setup_which_the_quick_form_has()
    {
        Assert.All(AllClaims.List.SelectMany(claim => claim.Arms).GroupBy(arm => arm.MethodName), method =>
        {
            Arm[] shown = [.. method.Where(arm => arm.Shows)];
            Assert.True(shown.Select(arm => arm.Setup(s_full)).Distinct().Count() == 1, method.Key);
            Assert.Contains(shown, arm => arm.InQuick);
        });
    }

    [Fact]
    public void A_matrix_has_all_arms_of_its_claim_and_no_others()
    {
        Claim[] claims = [.. AllClaims.List.Where(claim => claim.Matrix is not null)];
        Assert.Contains(claims, claim => claim.Name == "consert-pairs");
        Assert.All(claims, claim =>
        {
            ArmMatrix matrix = claim.Matrix!;
            Assert.Equal(matrix.Rows.Count, matrix.Arms.Count);
            Assert.All(matrix.Arms, row => Assert.Equal(matrix.Columns.Count, row.Count));
            Assert.Equal(claim.Arms.Select(arm => arm.Label).Order(StringComparer.Ordinal), matrix.Arms.SelectMany(row => row).Distinct().Order(StringComparer.Ordinal));
        });
    }

    /// <summary>Shuffle &gt; token cutoff &gt; feature cutoff, dropout &gt; none.</summary>
    [Fact]
    public void Single_augmentations_are_compared_in_the_whole_order_that_is_claimed()
        => Assert.Equal(
            [("shuffle", "token cutoff"), ("token cutoff", "feature cutoff"), ("token cutoff", "dropout"), ("feature cutoff", "none"), ("dropout", "none")],
            Of("consert-single").Comparisons.Select(comparison => (comparison.Above, comparison.Below)));

    [Fact]
    public void Names_are_names() => Assert.Equal(AllClaims.List.Count, AllClaims.List.Select(claim => claim.Name).Distinct().Count());

    /// <summary>What an arm says it does.</summary>
    [Fact]
    public void Arms_do_what_they_are_called()
    {
        Assert.Equal(0, Method<SimClrV1>("simclr-projector", "no projector").ProjectorLayers);
        Assert.Null(Method<SimClrV1>("simclr-views", "crop alone").Augmentations![0].Jitter);
        Assert.Null(Method<SimClrV1>("simclr-views", "colour alone").Augmentations![0].Crop);
        Assert.Equal(HeadNorm.FirstBatch, Method<Byol>("byol-norm", "started from one pass of batch norm").HeadNorm);
        Assert.False(Method<SimSiam>("simsiam-stop", "without stop").StopsGradient);
        Assert.Equal(1, Method<Dino>("dino-collapse", "no centring").CentreMomentum);
        Assert.Equal(new Dino().StudentTemperature, Method<Dino>("dino-collapse", "no sharpening").TeacherTemperature);
        Assert.Equal(6, Method<SwAV>("multi-crop", "and four small ones").Augmentations!.Count);
        Assert.True(((MoCoV3)Method<GradientWatch>("patch-projection", "frozen, batches of 64").Method).FreezePatchProjection);
        Assert.Equal(1024, Method<InstDisc>("instdisc-moco", "features averaged (InstDisc)").NoiseRows);
        Assert.Equal(1024, Method<MoCoV1>("instdisc-moco", "encoder averaged (MoCo v1)").QueueLength);
        Assert.Equal((0, 0), Of("simcse-dropout").Arms.OfType<TextArm>().Where(arm => arm.Label == "p = 0").Select(arm => (arm.Encoder.Dropout, arm.Encoder.AttentionDropout)).Single());

        static T Method<T>(string claim, string label) where T : ContrastiveMethod => (T)Of(claim).Arms.OfType<PictureArm>().Single(arm => arm.Label == label).Method;
    }

    [Fact]
    public void Arms_of_one_length_see_as_many_pictures_whatever_their_batch()
    {
        Claim batches = Of("batches");
        Assert.Single(batches.Arms.OfType<PictureArm>().Select(arm => s_full.PictureSteps(arm.Length, arm.BatchSize) * arm.BatchSize).Distinct());
    }

    [Fact]
    public void Claims_that_have_an_arm_in_common_share_its_runs()
        => Assert.Equal(Of("clip-prompts").Arms[0].Setup(s_full), Of("clip-towers").Arms[0].Setup(s_full));

    [Fact]
    public void Watching_a_gradient_changes_nothing_and_sees_none_of_a_frozen_projection()
    {
        NativeTorch.EnsureLoaded();
        var transformer = new VisionTransformer { Patch = 4, Width = 16, Depth = 1, Heads = 2 };
        foreach (bool frozen in new[] { false, true })
        {
            var method = new MoCoV3 { HiddenSize = 8, ProjectionSize = 8, FreezePatchProjection = frozen };
            var norms = new List<(double First, double Last)>();
            float[] plain = Train(method), watched = Train(new GradientWatch(method, "patch_embed.proj.weight", "blocks.0.mlp.fc2.weight") { Seen = norms.Add });
            Assert.Equal(plain, watched);
            Assert.Equal(3, norms.Count);
            Assert.All(norms, norm => Assert.Equal((frozen, true), (norm.First == 0, norm.Last > 0)));
        }

        float[] Train(ContrastiveMethod method)
        {
            var ml = new MLContext(1);
            PictureRow[] rows = Pictures.Make(16);
            using ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(
                "Features", "Image", method, transformer, new TrainingOptions { BatchSize = 8, Steps = 3 }, Pictures.Shape()).Fit(ml.View(rows));
            using var scope = NewDisposeScope();
            return [.. encoder.Weights.Module.state_dict().Values.SelectMany(value => value.to(ScalarType.Float32).cpu().data<float>().ToArray())];
        }
    }

    private static Claim Of(string name) => AllClaims.List.Single(claim => claim.Name == name);
}
