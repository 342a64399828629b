using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What normalises the layers of an encoder.</summary>
public enum EncoderNorm
{
    /// <summary>Batch norm: the default.</summary>
    Batch,

    /// <summary>
    /// Group norm behind convolutions whose weights are standardised: each picture by itself, in training too (Wu and He 2018; Qiao et al. 2019;
    /// with them BYOL learns without batch statistics, Richemond et al. 2020).
    /// </summary>
    GroupWithStandardizedWeights,
}

internal static class EncoderNorms
{
    /// <summary>The norm for [N, C] or [N, C, H, W].</summary>
    /// <param name="norm">Which.</param>
    /// <param name="channels">C.</param>
    /// <param name="weightStart">What the scale starts at.</param>
    public static nn.Module<Tensor, Tensor> Create(this EncoderNorm norm, long channels, double weightStart = 1)
        => norm == EncoderNorm.Batch ? new BatchNorm(channels, weightStart: weightStart) : new GroupNorm(channels, weightStart);

    /// <summary>Numbers in its weights and statistics.</summary>
    public static long CountWeights(this EncoderNorm norm, long channels) => norm == EncoderNorm.Batch ? BatchNorm.CountWeights(channels) : GroupNorm.CountWeights(channels);

    /// <summary>Whether convolutions before it standardise their weights.</summary>
    public static bool Standardizes(this EncoderNorm norm) => norm != EncoderNorm.Batch;
}

/// <summary>
/// Zero mean and deviation one over each group of a row's channels and all their positions, then scale and shift (Wu and He 2018): [N, C] or
/// [N, C, H, W], each row by itself; eps 1e-5. There are 16 groups, as in Richemond et al. 2020, or the largest power of two below that divides C.
/// </summary>
internal sealed class GroupNorm : nn.Module<Tensor, Tensor>
{
    private const double Epsilon = 1e-5;
    private readonly Parameter weight, bias;
    private readonly int _groups;

    public GroupNorm(long channels, double weightStart = 1)
        : base(nameof(GroupNorm))
    {
        weight = new Parameter(zeros(channels).Fill(weightStart));
        bias = new Parameter(zeros(channels));
        _groups = new[] { 16, 8, 4, 2 }.FirstOrDefault(groups => channels % groups == 0, 1);
        RegisterComponents();
    }

    /// <summary>Scale and shift.</summary>
    public static long CountWeights(long channels) => 2 * channels;

    public override Tensor forward(Tensor input) => nn.functional.group_norm(input, _groups, weight, bias, Epsilon);
}
