using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>One cursor's pictures, from the row that is read to what a network says of it: one output column.</summary>
internal sealed class PictureWorker : IBatchWorker
{
    private readonly PretrainedEncoder _network;
    private readonly DataViewRow _input;
    private readonly PictureReader _reader;
    private readonly ImageViewMaker _maker;
    private readonly float[] _planar, _pixels, _outputs;
    private readonly bool[] _missing;
    private readonly int _channels, _outputSize;

    /// <param name="network">Whose manifest says how pictures come.</param>
    /// <param name="input">The row that moves.</param>
    /// <param name="column">Its pictures.</param>
    /// <param name="slots">The most rows that a batch will have.</param>
    /// <param name="outputSize">Numbers that the network gives for each.</param>
    public PictureWorker(PretrainedEncoder network, DataViewRow input, ImageColumn column, int slots, int outputSize)
    {
        EncoderManifest manifest = network.Manifest;
        (_network, _input, _reader, _channels, _outputSize) = (network, input, column.CreateReader(input), manifest.Channels, outputSize);
        _maker = new ImageViewMaker(new ImageAugmentation(), manifest.Height, manifest.Width, manifest.Channels, manifest.Normalization);
        _planar = new float[manifest.Channels * manifest.Height * manifest.Width];
        _pixels = new float[slots * _planar.Length];
        _outputs = new float[slots * outputSize];
        _missing = new bool[slots];
    }

    public void Read(int slot)
    {
        Span<float> pixels = _pixels.AsSpan(slot * _planar.Length, _planar.Length);
        _missing[slot] = !_reader.Read(_input.Position);
        if (_missing[slot])
            return;
        _maker.MakePlain(_reader.Buffer.Picture, _planar);
        PixelOrder.Interleave(_planar, _channels, pixels);
    }

    /// <summary>A missing picture's numbers are NaN.</summary>
    public void Compute(int rows)
    {
        _network.Forward(_pixels, rows, _outputs);
        for (int slot = 0; slot < rows; slot++)
            if (_missing[slot])
                Numbers(slot).Fill(float.NaN);
    }

    public ReadOnlySpan<float> Output(int output, int slot) => Numbers(slot);

    /// <summary>What the network said of a slot, which may be changed.</summary>
    public Span<float> Numbers(int slot) => _outputs.AsSpan(slot * _outputSize, _outputSize);

    public void Dispose()
    {
    }
}
