using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>In which numbers a network's products are computed. Weights, norms, losses and what an optimizer remembers are in single precision always.</summary>
public enum Precision
{
    /// <summary>32 bits. The default.</summary>
    Single,

    /// <summary>
    /// Linear layers and convolutions take their inputs and weights as bfloat16 (16 bits, 8 of them for the exponent) and sum in single precision, wherever a short trial at the first use
    /// finds that faster on this processor: about twice as fast on those with instructions for it, with some 3 decimal digits. Elsewhere all stays in single precision.
    /// </summary>
    BFloat16,
}

/// <summary>How linear layers of many rows are computed on a CPU, which decides the last digits of the result.</summary>
public enum LinearKernel
{
    /// <summary>Whichever a short trial at the first use finds clearly faster; the same for all of a process. The default.</summary>
    Fastest,

    /// <summary>As a product of matrices.</summary>
    Product,

    /// <summary>
    /// As a convolution with a kernel of one position, which runs up to twice as fast on processors that libtorch's matrix library was not made for. As a product where libtorch
    /// computes such convolutions wrongly (docs/platform.md).
    /// </summary>
    Convolution,
}

/// <summary>
/// The ways in which a thread computes products. Layers ask for <see cref="Current"/>, so that a network needs no say in it; whoever runs a network
/// holds a <see cref="Scope"/> around its passes. What isn't single precision on its way in is computed plainly, as the double precision of known answers.
/// </summary>
/// <param name="Linear"><see cref="LinearKernel.Fastest"/>, or what was decided.</param>
/// <param name="LinearInBFloat16">Whether linear layers multiply in bfloat16.</param>
/// <param name="ConvolutionInBFloat16">Whether convolutions do.</param>
internal sealed record Arithmetic(LinearKernel Linear = LinearKernel.Fastest, bool LinearInBFloat16 = false, bool ConvolutionInBFloat16 = false)
{
    // Fewer rows than these lose more by the way to a convolution than they gain by it.
    private const long RowsForConvolution = 512;

    // In training another kernel means another end, so a small gain, which the next process's trial may not see, is none.
    private const double ClearlyFaster = 1.3;

    // Where only last digits of features hang on the kernel.
    private const double Faster = 1.05;

    private static readonly Lazy<double> s_convolutionGains = new(Speed.OfLinearAsConvolution);
    private static readonly Lazy<bool> s_reducedLinearGains = new(() => Speed.OfLinearInBFloat16() > ClearlyFaster);
    private static readonly Lazy<bool> s_reducedConvolutionGains = new(() => Speed.OfConvolutionInBFloat16() > ClearlyFaster);

    [ThreadStatic]
    private static Arithmetic? t_current;

    /// <summary>How many times as fast a convolution must be where <see cref="Linear"/> is <see cref="LinearKernel.Fastest"/>.</summary>
    private double Gain { get; init; } = ClearlyFaster;

    public static Arithmetic Plain { get; } = new();

    public static Arithmetic Current => t_current ?? Plain;

    /// <summary>What a precision means on this machine's processor; a GPU's cores for bfloat16 need no trial.</summary>
    public static Arithmetic Of(Precision precision, LinearKernel kernel, Device device)
    {
        Arithmetic arithmetic = Reduced(precision, device) with { Linear = kernel };
        if (device.type != DeviceType.CPU)
            return arithmetic;
        bool asConvolution = kernel == LinearKernel.Fastest ? s_convolutionGains.Value > ClearlyFaster : kernel == LinearKernel.Convolution && !Convolution.PointwiseIsWrong;
        return arithmetic with { Linear = asConvolution ? LinearKernel.Convolution : LinearKernel.Product };
    }

    /// <summary>For features: a kernel is tried once a linear layer of many rows comes, which it may never do, and a smaller gain decides.</summary>
    public static Arithmetic OfFeatures(Precision precision, Device device) => Reduced(precision, device) with { Gain = Faster };

    private static Arithmetic Reduced(Precision precision, Device device)
    {
        bool reduced = precision == Precision.BFloat16, onCpu = device.type == DeviceType.CPU;
        return new Arithmetic(
            LinearInBFloat16: reduced && (!onCpu || s_reducedLinearGains.Value), ConvolutionInBFloat16: reduced && (!onCpu || s_reducedConvolutionGains.Value));
    }

    /// <summary>This thread computes so until the scope is disposed.</summary>
    public Scope Use() => new(this);

    /// <summary>x W' + b.</summary>
    /// <param name="input">x, [..., in].</param>
    /// <param name="weight">W, [out, in].</param>
    /// <param name="bias">[out].</param>
    public Tensor Multiply(Tensor input, Tensor weight, Tensor? bias = null)
    {
        SmallWork.Count(input.numel() * weight.size(0));
        if (input.dtype != ScalarType.Float32)
            return nn.functional.linear(input, weight, bias);
        if (LinearInBFloat16)
            return InBFloat16(input, weight, bias, (x, w) => nn.functional.linear(x, w));
        return input.device_type == DeviceType.CPU && input.numel() / input.shape[^1] >= RowsForConvolution
            && (Linear == LinearKernel.Convolution || (Linear == LinearKernel.Fastest && s_convolutionGains.Value > Gain))
            ? AsConvolution(input, weight, bias)
            : nn.functional.linear(input, weight, bias);
    }

    /// <summary>A convolution of pictures [N, C, H, W].</summary>
    public Tensor Convolve(Tensor input, Tensor kernel, Tensor? bias, long[] stride, long[]? padding = null)
    {
        SmallWork.Count(input.numel() / input.size(1) * kernel.numel() / (stride[0] * stride[1]));
        return ConvolutionInBFloat16 && input.dtype == ScalarType.Float32
            ? InBFloat16(input, kernel, bias?.view(-1, 1, 1), (x, w) => nn.functional.conv2d(x, w, null, stride, padding))
            : nn.functional.conv2d(input, kernel, bias, stride, padding);
    }

    /// <summary>The product as a convolution of a picture with a row of pixels and the channels last: no number is moved.</summary>
    private static Tensor AsConvolution(Tensor input, Tensor weight, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        (long outputs, long inputs) = (weight.shape[0], weight.shape[1]);
        Tensor row = input.reshape(1, 1, -1, inputs).permute(0, 3, 1, 2), kernel = weight.view(outputs, 1, 1, inputs).permute(0, 3, 1, 2);
        return nn.functional.conv2d(row, kernel, bias).permute(0, 2, 3, 1).reshape([.. input.shape[..^1], outputs]).MoveToOuterDisposeScope();
    }

    /// <summary>The bias is added in single precision: its gradient is a sum over all rows, which bfloat16 would round at each of them.</summary>
    private static Tensor InBFloat16(Tensor input, Tensor weight, Tensor? bias, Func<Tensor, Tensor, Tensor> product)
    {
        using var scope = NewDisposeScope();
        Tensor output = product(input.to(ScalarType.BFloat16), weight.to(ScalarType.BFloat16)).to(ScalarType.Float32);
        return (bias is null ? output : output.Add(bias)).MoveToOuterDisposeScope();
    }

    /// <summary>Until its end a thread computes in one way; scopes may lie in each other.</summary>
    public readonly struct Scope : IDisposable
    {
        private readonly Arithmetic? _before;

        public Scope(Arithmetic arithmetic) => (_before, t_current) = (t_current, arithmetic);

        public void Dispose() => t_current = _before;
    }

    /// <summary>Trials on made numbers, tens of milliseconds each: how many times as fast a way is, forward and back; 0 where it is wrong.</summary>
    internal static class Speed
    {
        private const int Rounds = 7;
        private const long Rows = 1024, Width = 384;

        public static double OfLinearAsConvolution()
        {
            if (Convolution.PointwiseIsWrong)
                return 0;
            using var scope = NewDisposeScope();
            using var gradient = enable_grad(); // the first use may be a pass without
            (Tensor input, Tensor weight) = (Made(Rows, Width), Made(2 * Width, Width));
            return Of(() => AsConvolution(input, weight, null), () => nn.functional.linear(input, weight), tolerance: 1e-4);
        }

        public static double OfLinearInBFloat16()
        {
            using var scope = NewDisposeScope();
            using var gradient = enable_grad(); // the first use may be a pass without
            (Tensor input, Tensor weight) = (Made(Rows, Width), Made(2 * Width, Width));
            var reduced = new Arithmetic(LinearInBFloat16: true);
            return Of(() => reduced.Multiply(input, weight), () => nn.functional.linear(input, weight), tolerance: 0.1);
        }

        public static double OfConvolutionInBFloat16()
        {
            using var scope = NewDisposeScope();
            using var gradient = enable_grad();
            Tensor input = Made(32 * 16 * 16, 64).view(32, 16, 16, 64).permute(0, 3, 1, 2), kernel = Made(128 * 3 * 3, 64).view(128, 3, 3, 64).permute(0, 3, 1, 2);
            var reduced = new Arithmetic(ConvolutionInBFloat16: true);
            long[] ones = [1, 1];
            return Of(() => reduced.Convolve(input, kernel, null, ones, ones), () => nn.functional.conv2d(input, kernel, null, ones, ones), tolerance: 0.1);
        }

        /// <summary>In turn, so that what else the machine does meets both; the quickest of each counts.</summary>
        private static double Of(Func<Tensor> way, Func<Tensor> plain, double tolerance)
        {
            using (no_grad())
            using (NewDisposeScope())
            {
                Tensor expected = plain();
                if (way().sub(expected).abs().max().item<float>() > tolerance * expected.abs().max().item<float>())
                    return 0;
            }
            (double tried, double other) = (double.MaxValue, double.MaxValue);
            for (int round = 0; round < Rounds; round++)
                (tried, other) = (Math.Min(tried, Seconds(way)), Math.Min(other, Seconds(plain)));
            return other / tried;
        }

        private static double Seconds(Func<Tensor> way)
        {
            using var scope = NewDisposeScope();
            long start = Stopwatch.GetTimestamp();
            way().sum().backward();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        /// <summary>Numbers around 0 that no generator was asked for.</summary>
        private static Tensor Made(long rows, long columns)
            => Number.Range(rows * columns, ScalarType.Float32).Times(0.7548777).frac().Minus(0.5).view(rows, columns).requires_grad_(true);
    }
}
