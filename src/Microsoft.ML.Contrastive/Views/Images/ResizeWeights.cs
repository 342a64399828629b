using System.Numerics;

namespace Microsoft.ML.Contrastive;

/// <summary>One axis of a resizing: <paramref name="Input"/> pixels become <paramref name="Output"/>, of which <paramref name="Count"/> from <paramref name="Start"/> are kept.</summary>
internal readonly record struct ResizeAxis(int Input, int Output, int Start, int Count)
{
    public ResizeAxis(int input, int output) : this(input, output, 0, output)
    {
    }

    public bool IsIdentity => Input == Output;
}

/// <summary>
/// Which source pixels make an output pixel, and with what weight: the antialiased rule of Pillow and torchvision.
/// With scale = input / output and s = max(scale, 1), output i has its centre at c = (i + 1/2) * scale and the weights
/// f((j - c + 1/2) / s), divided by their sum, for the pixels j within the filter's support, times s, around c.
/// </summary>
internal sealed class ResizeWeights
{
    private readonly int[] _first;
    private readonly int[] _offset;
    private readonly float[] _weights;
    private readonly Block[] _blocks;
    private readonly float[] _blockWeights;

    public ResizeWeights(ResizeAxis axis, Interpolation interpolation)
    {
        Axis = axis;
        double scale = (double)axis.Input / axis.Output;
        double stretch = Math.Max(scale, 1);
        double support = (interpolation == Interpolation.Bicubic ? 2 : 1) * stretch;
        _first = new int[axis.Count];
        _offset = new int[axis.Count + 1];
        var weights = new List<float>(axis.Count * ((int)(2 * support) + 2));
        var taps = new double[(int)(2 * support) + 3];
        for (int i = 0; i < axis.Count; i++)
        {
            double centre = (axis.Start + i + 0.5) * scale;
            int first = Math.Max((int)(centre - support + 0.5), 0);
            int end = Math.Min((int)(centre + support + 0.5), axis.Input);
            for (int j = first; j < end; j++)
                taps[j - first] = Filter((j - centre + 0.5) / stretch, interpolation);
            ReadOnlySpan<double> row = taps.AsSpan(0, end - first);
            double sum = 0;
            foreach (double tap in row)
                sum += tap;
            for (; row[^1] == 0; row = row[..^1])
                ;
            for (; row[0] == 0; row = row[1..])
                first++;
            _first[i] = first;
            foreach (double tap in row)
                weights.Add((float)(tap / sum));
            _offset[i + 1] = weights.Count;
        }
        _weights = [.. weights];
        (InputStart, int inputEnd) = Reach(0, axis.Count);
        InputCount = inputEnd - InputStart;
        _blocks = MakeBlocks(out _blockWeights);
    }

    public ResizeAxis Axis { get; }

    /// <summary>The first source pixel that any kept output needs.</summary>
    public int InputStart { get; }

    /// <summary>How many source pixels the kept outputs need.</summary>
    public int InputCount { get; }

    /// <summary>Numbers held, for the bound of a cache.</summary>
    public int Size => _weights.Length + _blockWeights.Length;

    /// <summary>The weights of kept output <paramref name="index"/> for the source pixels from <paramref name="first"/> on; they add to 1.</summary>
    public ReadOnlySpan<float> Of(int index, out int first)
    {
        first = _first[index];
        return _weights.AsSpan(_offset[index], _offset[index + 1] - _offset[index]);
    }

    /// <summary>
    /// The same weights for <see cref="Vector{T}"/> loops along a row: per block of as many outputs as a vector holds, a dense
    /// matrix [source pixels of the block, outputs of the block]. The last block overlaps the one before it; outputs fewer
    /// than a vector are filled up with weights of 0.
    /// </summary>
    public ReadOnlySpan<Block> Blocks(out ReadOnlySpan<float> weights)
    {
        weights = _blockWeights;
        return _blocks;
    }

    /// <summary>Outputs from <paramref name="Output"/> on, made of <paramref name="Count"/> source pixels from <paramref name="Input"/> on.</summary>
    internal readonly record struct Block(int Output, int Input, int Count, int Offset);

    /// <summary>The source pixels of some outputs. Neither end need ascend with the output: weights of exactly 0 are left out.</summary>
    private (int Start, int End) Reach(int output, int outputEnd)
    {
        int start = int.MaxValue, end = 0;
        for (int i = output; i < outputEnd; i++)
        {
            start = Math.Min(start, _first[i]);
            end = Math.Max(end, _first[i] + _offset[i + 1] - _offset[i]);
        }
        return (start, end);
    }

    private Block[] MakeBlocks(out float[] weights)
    {
        int lanes = Vector<float>.Count, outputs = Axis.Count;
        var blocks = new Block[(outputs + lanes - 1) / lanes];
        var dense = new List<float>();
        for (int b = 0; b < blocks.Length; b++)
        {
            int output = Math.Max(0, Math.Min(b * lanes, outputs - lanes));
            int end = Math.Min(output + lanes, outputs);
            (int input, int inputEnd) = Reach(output, end);
            blocks[b] = new Block(output, input, inputEnd - input, dense.Count);
            dense.AddRange(Enumerable.Repeat(0f, (inputEnd - input) * lanes));
            for (int i = output; i < end; i++)
            {
                ReadOnlySpan<float> row = Of(i, out int first);
                for (int k = 0; k < row.Length; k++)
                    dense[blocks[b].Offset + (first - input + k) * lanes + i - output] = row[k];
            }
        }
        weights = [.. dense];
        return blocks;
    }

    private static double Filter(double x, Interpolation interpolation)
    {
        return interpolation == Interpolation.Bilinear ? Math.Max(0, 1 - Math.Abs(x)) : Cubic(x);
    }

    /// <summary>Keys' cubic with a = -1/2.</summary>
    internal static double Cubic(double x)
    {
        x = Math.Abs(x);
        const double A = -0.5;
        return x < 1 ? ((A + 2) * x - (A + 3)) * x * x + 1
            : x < 2 ? (((x - 5) * x + 8) * x - 4) * A
            : 0;
    }
}
