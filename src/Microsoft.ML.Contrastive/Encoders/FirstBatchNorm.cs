using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// y = g x + b for rows [N, C], where g and b start so that the first training batch comes out with mean 0 and deviation 1 in each channel, as from batch norm, and learn from
/// there like other weights: no later batch has a say (Richemond et al. 2020, "BYOL works even without batch statistics", section 3.2).
/// </summary>
internal sealed class FirstBatchNorm : nn.Module<Tensor, Tensor>
{
    private const double Epsilon = 1e-5;
    private readonly Parameter weight, bias;
    private readonly Tensor has_started;

    public FirstBatchNorm(long channels)
        : base(nameof(FirstBatchNorm))
    {
        (weight, bias, has_started) = (new Parameter(ones(channels)), new Parameter(zeros(channels)), zeros(1, ScalarType.Int64));
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        if (training && has_started.item<long>() == 0)
            Start(input);
        return input.mul(weight).Add(bias);
    }

    private void Start(Tensor rows)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        weight.copy_(rows.var([0L], unbiased: false).Plus(Epsilon).rsqrt());
        bias.copy_(rows.mean([0]).mul(weight).neg());
        has_started.Fill(1);
    }
}
