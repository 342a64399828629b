using System.Globalization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

// TorchSharp's own layers draw their first weights from the process's global generator, which belongs to the host
// program. These draw from a generator that is given.

/// <summary>y = x W' + b. W [out, in] and b start uniform in +-1/sqrt(in), as PyTorch's do.</summary>
internal sealed class Linear : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly Parameter? bias;

    public Linear(long inputs, long outputs, Generator generator, bool hasBias = true)
        : this(inputs, outputs, generator, bound: 1 / Math.Sqrt(inputs), biasBound: hasBias ? 1 / Math.Sqrt(inputs) : null)
    {
    }

    private Linear(long inputs, long outputs, Generator generator, double bound, double? biasBound)
        : base(nameof(Linear))
    {
        weight = new Parameter(empty(outputs, inputs).uniform_(-bound, bound, generator));
        bias = biasBound is { } limit ? new Parameter(empty(outputs).uniform_(-limit, limit, generator)) : null;
        register_parameter(nameof(weight), weight);
        if (bias is not null)
            register_parameter(nameof(bias), bias);
    }

    /// <summary>W uniform in +-sqrt(6 / (in + out)) (Glorot and Bengio 2010), b zero, as transformers have it.</summary>
    /// <param name="inputs">in.</param>
    /// <param name="outputs">out, of all matrices together.</param>
    /// <param name="generator">Where the weights are drawn from.</param>
    /// <param name="matrices">How many matrices lie under each other in W; each counts by itself.</param>
    public static Linear Xavier(long inputs, long outputs, Generator generator, int matrices = 1)
        => new(inputs, outputs, generator, bound: Math.Sqrt(6.0 / (inputs + outputs / matrices)), biasBound: 0);

    /// <summary>W normal with a deviation, b zero.</summary>
    public static Linear Normal(long inputs, long outputs, Generator generator, double deviation, bool hasBias = true)
    {
        var linear = new Linear(inputs, outputs, generator, bound: 0, biasBound: hasBias ? 0 : null);
        using (no_grad())
            linear.weight.normal_(0, deviation, generator);
        return linear;
    }

    public override Tensor forward(Tensor input) => Arithmetic.Current.Multiply(input, weight, bias);
}

/// <summary>
/// y = x (g v / |v|)' without bias, length and direction of each row of the weight apart (Salimans and Kingma 2016). v [out, in] starts as
/// <see cref="Linear"/>'s W, g at 1, where it stays unless it is to be learned.
/// </summary>
internal sealed class WeightNormLinear : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight_v;
    private readonly Parameter? weight_g;

    public WeightNormLinear(long inputs, long outputs, Generator generator, bool learnsScale)
        : base(nameof(WeightNormLinear))
    {
        double bound = 1 / Math.Sqrt(inputs);
        weight_v = new Parameter(empty(outputs, inputs).uniform_(-bound, bound, generator));
        register_parameter(nameof(weight_v), weight_v);
        if (!learnsScale)
            return;
        weight_g = new Parameter(ones(outputs, 1));
        register_parameter(nameof(weight_g), weight_g);
    }

    public override Tensor forward(Tensor input)
    {
        Tensor direction = nn.functional.normalize(weight_v, dim: 1);
        return Arithmetic.Current.Multiply(input, weight_g is null ? direction : direction.mul(weight_g));
    }
}

/// <summary>A convolution without bias; weights normal with deviation sqrt(2 / fan-out) (He et al. 2015).</summary>
internal sealed class Convolution : nn.Module<Tensor, Tensor>
{
    // With fewer than a vector of input channels, and a stride, libtorch 2.10 writes beyond its memory (docs/platform.md).
    private const long FewChannels = 16;

    private static readonly Lazy<bool> s_pointwiseIsWrong = new(TryPointwise);
    private readonly Parameter weight;
    private readonly long[] _stride, _padding;

    /// <summary>A square one, padded so that stride 1 keeps the size.</summary>
    public Convolution(long inputs, long outputs, int kernel, int stride, Generator generator)
        : this(inputs, outputs, (kernel, kernel), (stride, stride), (kernel / 2, kernel / 2), generator)
    {
    }

    /// <summary>One that differs along rows and columns.</summary>
    public Convolution(
        long inputs, long outputs, (int Height, int Width) kernel, (int Height, int Width) stride, (int Height, int Width) padding, Generator generator)
        : base(nameof(Convolution))
    {
        weight = new Parameter(empty(outputs, inputs, kernel.Height, kernel.Width)
            .normal_(0, Math.Sqrt(2.0 / (outputs * kernel.Height * kernel.Width)), generator));
        _stride = [stride.Height, stride.Width];
        _padding = [padding.Height, padding.Width];
        register_parameter(nameof(weight), weight);
    }

    /// <summary>One without padding whose weights start uniform in +-1/sqrt(fan-in), as PyTorch's do: what cuts a picture into patches.</summary>
    public static Convolution Patches(long inputs, long outputs, int side, Generator generator)
    {
        var convolution = new Convolution(inputs, outputs, (side, side), (side, side), (0, 0), generator);
        double bound = 1 / Math.Sqrt(inputs * side * side);
        using (no_grad())
            convolution.weight.uniform_(-bound, bound, generator);
        return convolution;
    }

    /// <summary>
    /// Whether each output channel's weights are used with mean 0 and deviation 1 (Qiao et al. 2019, "Weight standardization"). The default value is false.
    /// </summary>
    public bool Standardizes { get; init; }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return Convolve(input, Kernel(), null).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// This, then a norm. A batch norm in evaluation scales and shifts each channel, which without gradients is done to the weights, where those are fewer than what they make: one pass
    /// over the pictures less.
    /// </summary>
    public Tensor Normed(Tensor input, nn.Module<Tensor, Tensor> norm)
    {
        using var scope = NewDisposeScope();
        long places = input.shape[0] * input.shape[2] * input.shape[3] / (_stride[0] * _stride[1]), weightsEach = weight.numel() / weight.shape[0];
        if (norm is not BatchNorm { training: false } fixedNorm || is_grad_enabled() || places < weightsEach)
            return norm.forward(Convolve(input, Kernel(), null)).MoveToOuterDisposeScope();
        (Tensor scale, Tensor shift) = fixedNorm.ScaleAndShift();
        return Convolve(input, Kernel().mul(scale.view(-1, 1, 1, 1)), shift).MoveToOuterDisposeScope();
    }

    private Tensor Kernel() => Standardizes ? Standardized() : weight;

    private Tensor Standardized()
    {
        Tensor centred = weight.sub(weight.mean([1, 2, 3], keepdim: true));
        return centred.mul(centred.Power(2).mean([1, 2, 3], keepdim: true).Plus(1e-10).rsqrt());
    }

    private Tensor Convolve(Tensor input, Tensor kernel, Tensor? bias)
    {
        bool isPointwise = kernel.shape[2] == 1 && kernel.shape[3] == 1 && _padding is [0, 0];
        bool skipsFewChannels = _stride is not [1, 1] && kernel.shape[1] < FewChannels;
        return isPointwise && input.device_type == DeviceType.CPU && (skipsFewChannels || PointwiseIsWrong)
            ? Product(input, kernel, bias)
            : Arithmetic.Current.Convolve(input, kernel, bias, _stride, _padding);
    }

    /// <summary>A 1x1 convolution as the matrix product that it is, channels last.</summary>
    private Tensor Product(Tensor input, Tensor kernel, Tensor? bias)
    {
        Tensor positions = input.slice(2, 0, input.shape[2], _stride[0]).slice(3, 0, input.shape[3], _stride[1]).permute(0, 2, 3, 1);
        return Arithmetic.Current.Multiply(positions, kernel.flatten(1), bias).permute(0, 3, 1, 2);
    }

    /// <summary>
    /// Whether libtorch computes 1x1 convolutions with the channels last wrongly on this machine, told by one small convolution. On virtual
    /// machines that hide the processor's caches libtorch 2.10 does, and ends the process for some: see docs/platform.md.
    /// </summary>
    internal static bool PointwiseIsWrong => s_pointwiseIsWrong.Value;

    private static bool TryPointwise()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        Tensor positions = Number.Range(2 * 2 * 2 * 64, ScalarType.Float32).Modulo(7).Minus(3).view(2, 2, 2, 64), kernel = Number.Range(512 * 64, ScalarType.Float32).Modulo(5).Minus(2).view(512, 64);
        Tensor convolved = nn.functional.conv2d(positions.permute(0, 3, 1, 2), kernel.view(512, 64, 1, 1)).permute(0, 2, 3, 1);
        return !convolved.allclose(nn.functional.linear(positions, kernel));
    }
}

/// <summary>
/// Batch norm over [N, C] or [N, C, H, W], eps 1e-5, running statistics with momentum 0.1. With <see cref="Splits"/> above
/// one, training rows are dealt out to that many groups with statistics of their own, as if each group sat on a device of
/// its own: what keeps MoCo's query from finding its key by shared statistics (He et al. 2020, section 3.3). The running
/// statistics then follow the groups' mean.
/// </summary>
internal sealed class BatchNorm : nn.Module<Tensor, Tensor>
{
    private const double Momentum = 0.1, Epsilon = 1e-5;
    private readonly Parameter? weight, bias;
    private readonly Tensor running_mean, running_var;

    public BatchNorm(long channels, bool affine = true, double weightStart = 1)
        : base(nameof(BatchNorm))
    {
        if (affine)
        {
            weight = new Parameter(zeros(channels).Fill(weightStart));
            bias = new Parameter(zeros(channels));
            register_parameter(nameof(weight), weight);
            register_parameter(nameof(bias), bias);
        }
        running_mean = zeros(channels);
        running_var = ones(channels);
        register_buffer(nameof(running_mean), running_mean);
        register_buffer(nameof(running_var), running_var);
    }

    /// <summary>Number of groups; row i belongs to group i modulo this number. The batch must be a multiple of it.</summary>
    public int Splits { get; set; } = 1;

    /// <summary>Scale, shift and the two running statistics.</summary>
    public static long CountWeights(long channels) => 4 * channels;

    /// <summary>Sets <see cref="Splits"/> of every batch norm in a module.</summary>
    public static void SplitAll(nn.Module module, int splits)
    {
        foreach (BatchNorm norm in module.modules().OfType<BatchNorm>())
            norm.Splits = splits;
    }

    /// <summary>What it does to a channel in evaluation: x scale + shift, [C] each.</summary>
    public (Tensor Scale, Tensor Shift) ScaleAndShift()
    {
        Tensor scale = running_var.Plus(Epsilon).rsqrt();
        if (weight is not null)
            scale = scale.mul(weight);
        Tensor shift = running_mean.mul(scale).neg();
        return (scale, bias is null ? shift : shift.Plus(bias));
    }

    public override Tensor forward(Tensor input)
    {
        if (!training || Splits == 1)
            return nn.functional.batch_norm(input, running_mean, running_var, weight, bias, training, Momentum, Epsilon);

        long rows = input.shape[0], channels = input.shape[1];
        if (rows % Splits != 0)
            throw new ArgumentException($"A batch of {rows} rows cannot be split into {Splits} groups for batch norm.", nameof(input));
        long[] grouped = [rows / Splits, channels * Splits, .. input.shape[2..]];
        using Tensor mean = running_mean.repeat(Splits), variance = running_var.repeat(Splits);
        using Tensor? scale = weight?.repeat(Splits), shift = bias?.repeat(Splits);
        using Tensor output = nn.functional.batch_norm(input.reshape(grouped), mean, variance, scale, shift, true, Momentum, Epsilon);
        using (no_grad())
        {
            running_mean.copy_(mean.view(Splits, channels).mean([0]));
            running_var.copy_(variance.view(Splits, channels).mean([0]));
        }
        return output.reshape(input.shape);
    }
}

/// <summary>Zero mean and deviation one over the last axis of each token by itself, then scale and shift; eps 1e-6 unless given, vision transformers' value.</summary>
internal sealed class LayerNorm : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight, bias;
    private readonly long[] _shape;
    private readonly double _epsilon;

    public LayerNorm(long width, double epsilon = 1e-6)
        : base(nameof(LayerNorm))
    {
        _epsilon = epsilon;
        weight = new Parameter(ones(width));
        bias = new Parameter(zeros(width));
        _shape = [width];
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) => nn.functional.layer_norm(input, _shape, weight, bias, _epsilon);
}

/// <summary>Layers one after the other, named by their numbers; a convolution takes the norm behind it along (<see cref="Convolution.Normed"/>).</summary>
internal sealed class Chain : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor>[] _layers;

    public Chain(params nn.Module<Tensor, Tensor>[] layers)
        : base(nameof(Chain))
    {
        _layers = layers;
        foreach ((int number, nn.Module<Tensor, Tensor> layer) in layers.Index())
            register_module(number.ToString(CultureInfo.InvariantCulture), layer);
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor x = input;
        for (int i = 0; i < _layers.Length; i++)
            x = _layers[i] is Convolution convolution && i + 1 < _layers.Length && _layers[i + 1] is BatchNorm ? convolution.Normed(x, _layers[++i]) : _layers[i].forward(x);
        return x.MoveToOuterDisposeScope();
    }
}

/// <summary>max(x, 0), in place: what comes before it needs only its own input for its gradient.</summary>
internal sealed class Relu() : nn.Module<Tensor, Tensor>(nameof(Relu))
{
    public override Tensor forward(Tensor input) => nn.functional.relu(input, inplace: true);
}

/// <summary>x times the normal distribution function of x (Hendrycks and Gimpel 2016), by the error function.</summary>
internal sealed class Gelu() : nn.Module<Tensor, Tensor>(nameof(Gelu))
{
    public override Tensor forward(Tensor input) => nn.functional.gelu(input);
}
