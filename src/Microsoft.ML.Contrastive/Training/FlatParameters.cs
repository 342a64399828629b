using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>One kind of parameters, side by side: what an optimizer treats alike takes one native call instead of one per tensor.</summary>
/// <param name="Values">The weights, flat.</param>
/// <param name="Gradients">Their gradients, flat, in the same order.</param>
/// <param name="Tensors">Each parameter with its gradient: views into the two buffers.</param>
/// <param name="IsMatrix">True for weights that multiply; false for biases, the scales and shifts of norms, class tokens and learned positions.</param>
/// <param name="ConstantRate">True where the rate does not follow the schedule.</param>
/// <param name="FrozenSteps">Steps at the start in which the values stay.</param>
internal sealed record ParameterGroup(
    Tensor Values, Tensor Gradients, IReadOnlyList<(Tensor Value, Tensor Gradient)> Tensors, bool IsMatrix, bool ConstantRate, long FrozenSteps);

/// <summary>
/// Lays a learner's trainable parameters, their gradients and their momentum targets into three buffers, of which the
/// parameters become views. Many small native calls are where a managed training loop loses its time. Convolution weights
/// are laid out with the channels last, as the activations are.
/// </summary>
internal sealed class FlatParameters : IDisposable
{
    private const long Alignment = 16; // numbers: a cache line in single precision
    private readonly Tensor _values, _gradients;
    private readonly Tensor? _targets;
    private readonly List<(MomentumPair Pair, Tensor Online, Tensor Target)> _followers = [];

    public FlatParameters(Learner learner)
    {
        var targets = new Dictionary<IntPtr, (int Pair, Tensor Target)>();
        foreach ((int index, MomentumPair pair) in learner.MomentumPairs.Index())
            foreach ((Tensor online, Tensor target) in pair.Parameters)
            {
                if (online.requires_grad)
                    targets[online.Handle] = (index, target);
                else
                    _followers.Add((pair, online.alias(), target.alias())); // frozen: the target still follows
            }

        Slot[] slots = [.. learner.named_parameters()
            .Where(entry => entry.parameter.requires_grad)
            .Select(entry => new Slot(
                entry.parameter,
                targets.TryGetValue(entry.parameter.Handle, out var found) ? found.Pair : -1,
                found.Target,
                IsMatrix: IsMatrix(entry.parameter),
                ConstantRate: learner.HasConstantRate(entry.name),
                FrozenSteps: learner.FrozenSteps(entry.name)))
            .OrderBy(slot => (slot.IsMatrix, slot.ConstantRate, slot.FrozenSteps, slot.Pair))];
        if (slots.Length == 0)
            throw new InvalidOperationException("The method has no trainable parameter.");

        Tensor first = slots[0].Parameter;
        long length = slots.Sum(slot => slot.PaddedLength);
        _values = zeros(length, first.dtype, first.device);
        _gradients = zeros(length, first.dtype, first.device);
        _targets = learner.MomentumPairs.Count > 0 ? zeros(length, first.dtype, first.device) : null;

        var groups = new List<ParameterGroup>();
        long start = 0;
        using var noGradient = no_grad();
        foreach (var kind in slots.GroupBy(slot => (slot.IsMatrix, slot.ConstantRate, slot.FrozenSteps)))
        {
            long groupStart = start;
            var tensors = new List<(Tensor, Tensor)>();
            foreach (var run in kind.GroupBy(slot => slot.Pair))
            {
                long runStart = start;
                foreach (Slot slot in run)
                {
                    Place(slot.Parameter, _values, start);
                    slot.Parameter.grad = View(_gradients, start, slot.Parameter.shape);
                    if (slot.Target is not null)
                        Place(slot.Target, _targets!, start);
                    tensors.Add((slot.Parameter, slot.Parameter.grad));
                    start += slot.PaddedLength;
                }
                if (run.Key >= 0)
                    _followers.Add((learner.MomentumPairs[run.Key], Slice(_values, runStart, start), Slice(_targets!, runStart, start)));
            }
            groups.Add(new ParameterGroup(
                Slice(_values, groupStart, start), Slice(_gradients, groupStart, start), tensors, kind.Key.IsMatrix, kind.Key.ConstantRate, kind.Key.FrozenSteps));
        }
        Groups = groups;
    }

    public IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>All gradients, flat.</summary>
    public Tensor Gradients => _gradients;

    /// <summary>target = m target + (1 - m) online, for the pairs whose turn it is.</summary>
    public void UpdateTargets(MomentumTiming timing, Step step)
    {
        foreach ((MomentumPair pair, Tensor online, Tensor target) in _followers)
        {
            if (pair.Timing != timing)
                continue;
            double momentum = pair.Momentum(step.Index, step.Total);
            target.Scale(momentum).AddScaled(online, 1 - momentum);
        }
    }

    public void Dispose()
    {
        foreach (ParameterGroup group in Groups)
        {
            group.Values.Dispose();
            group.Gradients.Dispose();
        }
        foreach ((_, Tensor online, Tensor target) in _followers)
        {
            online.Dispose();
            target.Dispose();
        }
        _values.Dispose();
        _gradients.Dispose();
        _targets?.Dispose();
    }

    /// <summary>Two dimensions and more; but tokens, [1, T, D], are added like biases, and do not decay in transformers (Touvron et al. 2021's code).</summary>
    private static bool IsMatrix(Tensor parameter) => parameter.dim() > 1 && !(parameter.dim() == 3 && parameter.shape[0] == 1);

    private static Tensor Slice(Tensor flat, long start, long end) => flat.narrow(0, start, end - start);

    private static Tensor View(Tensor flat, long start, long[] shape)
    {
        Tensor part = flat.narrow(0, start, shape.Aggregate(1L, (product, size) => product * size));
        return shape.Length == 4
            ? part.view(shape[0], shape[2], shape[3], shape[1]).permute(0, 3, 1, 2)
            : part.view(shape);
    }

    /// <summary>Copies a parameter into the buffer and makes it a view of its place there.</summary>
    private static void Place(Tensor parameter, Tensor flat, long start)
    {
        using Tensor view = View(flat, start, parameter.shape);
        view.copy_(parameter);
        parameter.set_(view);
    }

    private sealed record Slot(Tensor Parameter, int Pair, Tensor? Target, bool IsMatrix, bool ConstantRate, long FrozenSteps)
    {
        public long PaddedLength => (Parameter.numel() + Alignment - 1) / Alignment * Alignment;
    }
}
