using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The examples of a run, read from their column once, and all that training asks of them whatever they are. There is one class
/// for each kind of <see cref="ModelInput"/>.
/// </summary>
internal abstract class Examples : IDisposable
{
    /// <summary>What the run's encoder takes, and the encoder.</summary>
    public required ModelInput Input { get; init; }

    /// <summary>What they are called in messages: pictures, sequences.</summary>
    public abstract string Name { get; }

    public abstract int Count { get; }

    /// <summary>The run, as the method is told of it.</summary>
    public abstract RunFacts Facts(int batchSize, long steps);

    /// <summary>The same for the same examples in the same order, wherever they lie.</summary>
    public abstract string Fingerprint();

    /// <summary>What makes the views of a batch; one for each thread.</summary>
    public abstract BatchMaker CreateMaker(ContrastiveMethod method);

    /// <summary>Frees memory and scratch file. No thread may be reading.</summary>
    public abstract void Dispose();
}

/// <summary>The views of a batch: a function of its rows, the epoch and the seed alone.</summary>
internal delegate Views BatchMaker(ReadOnlySpan<int> rows, long epoch, ulong seed);
