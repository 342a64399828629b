using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Two 3x3 convolutions side by side, of which each channel takes a mixture that the whole picture decides: the means of their sum over
/// all positions pass two 1x1 convolutions, and a softmax over the two branches gives the shares (Li et al. 2019, "Selective kernel
/// networks", in the form of SimCLR v2: Chen et al. 2020b, appendix, and its released code). [N, C, H, W] to [N, C, H / stride, W / stride],
/// norm and ReLU included.
/// </summary>
internal sealed class SelectiveKernelConvolution : nn.Module<Tensor, Tensor>
{
    private const int Ratio = 16, LeastMiddle = 32; // of channels to the gate's hidden ones, and the fewest of those
    private readonly Convolution conv, fc1, fc2;
    private readonly nn.Module<Tensor, Tensor> bn, bn1;

    public SelectiveKernelConvolution(int channels, int stride, EncoderNorm norm, Generator generator)
        : base(nameof(SelectiveKernelConvolution))
    {
        int middle = (int)Middle(channels);
        conv = new Convolution(channels, 2 * channels, 3, stride, generator) { Standardizes = norm.Standardizes() };
        bn = norm.Create(2 * channels);
        fc1 = new Convolution(channels, middle, 1, 1, generator) { Standardizes = norm.Standardizes() };
        bn1 = norm.Create(middle);
        fc2 = new Convolution(middle, 2 * channels, 1, 1, generator);
        RegisterComponents();
    }

    public static long CountWeights(long channels, EncoderNorm norm)
        => 18 * channels * channels + norm.CountWeights(2 * channels) + 3 * channels * Middle(channels) + norm.CountWeights(Middle(channels));

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor[] branches = nn.functional.relu(conv.Normed(input, bn), inplace: true).chunk(2, 1);
        Tensor whole = branches[0].Plus(branches[1]).mean([2, 3], keepdim: true);
        Tensor gate = fc2.forward(nn.functional.relu(fc1.Normed(whole, bn1), inplace: true));
        Tensor shares = nn.functional.softmax(stack(gate.chunk(2, 1)), 0); // [2, N, C, 1, 1]
        return branches[0].mul(shares[0]).Plus(branches[1].mul(shares[1])).MoveToOuterDisposeScope();
    }

    private static long Middle(long channels) => Math.Max(channels / Ratio, LeastMiddle);
}

/// <summary>
/// Each 2x2 positions' mean, with a stride of 1 or 2; at the right and lower edges the mean of what is there. What a shortcut of ResNet-D starts with
/// (He et al. 2019, figure 2c, which leaves it out at stride 1; SimCLR v2's code has it there too).
/// </summary>
internal sealed class MeanOfFour(int stride) : nn.Module<Tensor, Tensor>(nameof(MeanOfFour))
{
    private readonly long[] _stride = [stride, stride];

    public override Tensor forward(Tensor input)
    {
        using Tensor padded = nn.functional.pad(input, [0, 1, 0, 1], PaddingModes.Replicate);
        return nn.functional.avg_pool2d(padded, [2, 2], _stride);
    }
}
