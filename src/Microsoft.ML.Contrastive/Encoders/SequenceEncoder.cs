using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// CPC's encoder of sequences (van den Oord et al. 2018, section 3.1), as data: a small network sees windows of the sequence, each by itself,
/// and a recurrent network makes a context of each window and all before it. The features are the mean of the contexts over time.
/// For <see cref="Cpc"/>.
/// </summary>
public sealed record SequenceEncoder : Encoder
{
    /// <summary>Channels of the first convolutions, 1 to 128; a window is represented by 8 times as many numbers. The default value is 16.</summary>
    public int Width { get; init; } = 16;

    /// <summary>
    /// Convolutions of stride 2 over time, 0 to 8. With h of them a window is 2^(h+1) times long and begins every 2^h times; with none it is one time.
    /// The default value is 2: windows of 8 times, every 4. Raw audio needs more (the paper: 160 samples), slow sensors none.
    /// </summary>
    public int Halvings { get; init; } = 2;

    /// <summary>E, the length of the context and of the features, 1 to 1,024. The default value is 128 (the paper: 256).</summary>
    public int ContextSize { get; init; } = 128;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int FeatureSize => ContextSize;

    /// <summary>Times that a window spans.</summary>
    [JsonIgnore]
    internal int Window => Halvings == 0 ? 1 : 2 << Halvings;

    /// <summary>Windows in a sequence of so many times.</summary>
    internal int Windows(int length) => Contrastive.Windows.Along(length, Window, 1 << Halvings);

    /// <remarks>Bounded so that an edited model file cannot ask for more memory than any of these networks would.</remarks>
    internal override void Validate()
    {
        Require(Width is >= 1 and <= 128, nameof(Width), Width, "1 to 128");
        Require(Halvings is >= 0 and <= 8, nameof(Halvings), Halvings, "0 to 8");
        Require(ContextSize is >= 1 and <= 1024, nameof(ContextSize), ContextSize, "1 to 1,024");

        static void Require(bool condition, string name, object value, string range)
        {
            if (!condition)
                throw new ArgumentOutOfRangeException(name, value, $"{name} of a SequenceEncoder must be from {range}.");
        }
    }

    /// <summary>Throws unless a sequence of so many times has two windows or more: the first predicts the others.</summary>
    internal void CheckLength(int length)
    {
        if (Windows(length) < 2)
            throw new ArgumentException($"Sequences of {length} times have fewer than two windows of {Window} times, one every {1 << Halvings}: lower SequenceEncoder.Halvings, or bring longer sequences.");
    }

    internal long CountWeights(int size)
        => Contrastive.Windows.CountWeights(size, Width, Halvings, flat: true) + Gru.CountWeights(8 * Width, ContextSize);

    /// <summary>The network with random weights for sequences of <paramref name="size"/> numbers a time.</summary>
    internal nn.Module<Tensor, Tensor> Build(int size, Generator generator) => new SequenceModule(
        new TimeWindows(Contrastive.Windows.Create(size, Width, Halvings, flat: true, generator)), 8 * Width, new Gru(8 * Width, ContextSize, generator), ContextSize);

    /// <summary>[N, T, d] to [N, R, D].</summary>
    private sealed class TimeWindows : nn.Module<Tensor, Tensor>
    {
        private readonly nn.Module<Tensor, Tensor> layers;

        public TimeWindows(nn.Module<Tensor, Tensor> layers)
            : base(nameof(TimeWindows))
        {
            this.layers = layers;
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            // Times are the rows of a picture of one column: its numbers are the channels, which lie last in memory.
            return layers.forward(input.unsqueeze(2).permute(0, 3, 1, 2)).squeeze(3).transpose(1, 2).MoveToOuterDisposeScope();
        }
    }
}

/// <summary>Sequences [N, T, d] to the means of their contexts [N, E].</summary>
internal sealed class SequenceModule : PartsModule
{
    private readonly nn.Module<Tensor, Tensor> windows;
    private readonly Gru context;

    /// <param name="windows">[N, T, d] to [N, R, D].</param>
    /// <param name="partSize">D.</param>
    /// <param name="context">[N, R, D] to [N, R, E].</param>
    /// <param name="contextSize">E.</param>
    public SequenceModule(nn.Module<Tensor, Tensor> windows, int partSize, Gru context, int contextSize)
        : base(nameof(SequenceEncoder))
    {
        (this.windows, this.context, PartSize, ContextSize) = (windows, context, partSize, contextSize);
        RegisterComponents();
    }

    public override int PartSize { get; }

    public override int ContextSize { get; }

    public override Tensor Parts(Tensor input) => windows.forward(input).unsqueeze(2);

    public override Tensor Contexts(Tensor parts) => context.forward(parts.squeeze(2)).unsqueeze(2);

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return context.forward(windows.forward(input)).mean([1]).MoveToOuterDisposeScope();
    }
}
