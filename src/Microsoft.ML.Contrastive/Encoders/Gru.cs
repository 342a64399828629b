using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A gated recurrent unit from a state of zeros (Cho et al. 2014), [N, T, D] to its states [N, T, E], in PyTorch's form and layout: r and z = sigmoid(W x + b + V h + c),
/// n = tanh(W x + b + r (V h + c)), h' = (1 - z) n + z h; gates reset, update, new under each other in the weights. Weights start uniform in +-1/sqrt(E).
/// </summary>
internal sealed class Gru : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight_ih, weight_hh, bias_ih, bias_hh;
    private readonly long _size;

    public Gru(long inputs, long size, Generator generator)
        : base(nameof(Gru))
    {
        _size = size;
        double bound = 1 / Math.Sqrt(size);
        weight_ih = new Parameter(empty(3 * size, inputs).uniform_(-bound, bound, generator));
        weight_hh = new Parameter(empty(3 * size, size).uniform_(-bound, bound, generator));
        bias_ih = new Parameter(empty(3 * size).uniform_(-bound, bound, generator));
        bias_hh = new Parameter(empty(3 * size).uniform_(-bound, bound, generator));
        RegisterComponents();
    }

    public static long CountWeights(long inputs, long size) => 3 * size * (inputs + size + 2);

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor[] ofInput = nn.functional.linear(input, weight_ih, bias_ih).unbind(1); // all times in one product: each [N, 3E]
        Tensor state = zeros(input.shape[0], _size, input.dtype, input.device);
        var states = new Tensor[ofInput.Length];
        for (int time = 0; time < states.Length; time++)
        {
            Tensor ofState = nn.functional.linear(state, weight_hh, bias_hh);
            Tensor[] gates = Part(ofInput[time], 0, 2).Plus(Part(ofState, 0, 2)).sigmoid().chunk(2, 1);
            Tensor renewed = Part(ofInput[time], 2, 1).addcmul(gates[0], Part(ofState, 2, 1), Number.One).tanh();
            states[time] = state = renewed.Plus(gates[1].mul(state.sub(renewed)));
        }
        return stack(states, 1).MoveToOuterDisposeScope();

        Tensor Part(Tensor gates, long first, long count) => gates.narrow(1, first * _size, count * _size);
    }
}
