using Microsoft.ML.Data;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>One cursor's examples, from the row that is read to what a network says of it: one output column.</summary>
internal sealed class NetworkWorker : IBatchWorker
{
    private readonly PretrainedEncoder _network;
    private readonly DataViewRow _input;
    private readonly InputBatch _batch;
    private readonly Func<int, long, bool> _read;
    private readonly float[] _outputs;
    private readonly bool[] _missing;
    private readonly int _outputSize;
    private readonly Func<Tensor, Tensor>? _forward;

    /// <param name="network">What computes.</param>
    /// <param name="input">The row that moves.</param>
    /// <param name="column">Its examples.</param>
    /// <param name="slots">The most rows that a batch will have.</param>
    /// <param name="outputSize">Numbers that the network gives for each.</param>
    /// <param name="forward">What the examples pass, where it is not the network itself.</param>
    public NetworkWorker(PretrainedEncoder network, DataViewRow input, InputColumn column, int slots, int outputSize, Func<Tensor, Tensor>? forward = null)
    {
        (_network, _input, _outputSize, _forward) = (network, input, outputSize, forward);
        (_batch, _read) = column.CreateBatch(input, slots);
        _outputs = new float[slots * outputSize];
        _missing = new bool[slots];
    }

    public void Read(int slot) => _missing[slot] = !_read(slot, _input.Position);

    /// <summary>A missing example's numbers are NaN.</summary>
    public void Compute(int rows)
    {
        _network.Forward(_batch, rows, _outputs.AsMemory(0, rows * _outputSize), _forward);
        for (int slot = 0; slot < rows; slot++)
            if (_missing[slot])
                Numbers(slot).Fill(float.NaN);
    }

    public ReadOnlySpan<float> Output(int output, int slot) => Numbers(slot);

    /// <summary>What the network said of a slot, which may be changed.</summary>
    public Span<float> Numbers(int slot) => _outputs.AsSpan(slot * _outputSize, _outputSize);

    public void Dispose() => _batch.End();
}
