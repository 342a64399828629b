using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Sets each number to 0 with a probability in training, and divides the others by what is left (Srivastava et al. 2014). What it draws is a function of
/// where it was <see cref="Seed">seeded</see> and of how often it was asked since, so that a step can be run again.
/// </summary>
internal sealed class Dropout(double probability) : nn.Module<Tensor, Tensor>(nameof(Dropout))
{
    private ulong? _seed;
    private Generator? _generator;

    public double Probability => probability;

    /// <summary>Whether numbers are dropped now.</summary>
    public bool IsActive => training && probability > 0;

    /// <summary>Seeds all dropout in a module, each layer's apart. One seed belongs to one pass of one step.</summary>
    public static void Seed(nn.Module module, ulong seed)
    {
        foreach ((int layer, Dropout dropout) in module.modules().OfType<Dropout>().Index())
            if (dropout.IsActive)
                dropout.Reseed(seed + (ulong)layer);
    }

    public override Tensor forward(Tensor input)
    {
        if (!IsActive)
            return input.alias();
        Generator generator = GeneratorOn(input.device);
        using var scope = NewDisposeScope();
        Tensor kept = empty_like(input).bernoulli_(1 - probability, generator).div_(1 - probability);
        return input.mul(kept).MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        _generator?.Dispose();
        base.Dispose(disposing);
    }

    private void Reseed(ulong seed)
    {
        _generator?.Dispose();
        (_seed, _generator) = (seed, null);
    }

    private Generator GeneratorOn(Device device)
        => _generator ??= new Generator(_seed ?? throw new InvalidOperationException("Dropout in training draws from the run's seed: call Dropout.Seed before the pass."), device);
}
