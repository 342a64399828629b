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

    /// <summary>The length of an example by its row; null where all have the same.</summary>
    public virtual Func<int, int>? Length => null;

    /// <summary>Of texts.</summary>
    public virtual Tokenizer? Tokenizer => null;

    /// <summary>What the encoder's first weights are, unless random; a run of it is another run.</summary>
    public virtual Action<nn.Module>? FirstWeights => null;

    /// <summary>Frees memory and scratch file. No thread may be reading.</summary>
    public abstract void Dispose();
}

/// <summary>The views of a batch: a function of its rows, the epoch and the seed alone.</summary>
internal delegate Views BatchMaker(ReadOnlySpan<int> rows, long epoch, ulong seed);

/// <summary>The class of <see cref="Examples"/> that a column asks for.</summary>
internal static class ColumnExamples
{
    /// <summary>What the settings alone decide, checked before any data is there.</summary>
    /// <exception cref="ArgumentException">A setting does not fit the others.</exception>
    public static void Check(ContrastivePretrainEstimator.Options options)
    {
        switch (options.Kind)
        {
            case ColumnKind.Texts:
                TextExamples.Check(options);
                break;
            case ColumnKind.Pairs:
                PairExamples.Check(options);
                break;
            case ColumnKind.Multiview:
                MultiviewExamples.Check(options);
                break;
            case ColumnKind.Sequences:
                SequenceExamples.Check(options);
                break;
            default:
                PictureExamples.Check(options);
                break;
        }
    }

    /// <summary>Reads a run's examples from their columns.</summary>
    /// <param name="input">The data.</param>
    /// <param name="options">The estimator's.</param>
    /// <param name="earlier">The encoder that training goes on from, or null.</param>
    /// <param name="reading">Reads.</param>
    public static Examples Read(IDataView input, ContrastivePretrainEstimator.Options options, PretrainedEncoder? earlier, ColumnReading reading)
    {
        Normalization? normalization = (earlier?.Manifest.Input as NumericInput)?.Normalization;
        return options.Kind switch
        {
            ColumnKind.Texts => TextExamples.Read(input, options, earlier, reading),
            ColumnKind.Pairs => PairExamples.Read(input, options, earlier, reading),
            ColumnKind.Multiview => MultiviewExamples.Read(input, options, earlier, reading),
            ColumnKind.Sequences => SequenceExamples.Read(input, options, normalization, reading),
            _ => PictureExamples.Read(input, options, normalization, reading),
        };
    }

    /// <summary>
    /// What <see cref="TrainingOptions.Monitor"/> measures on, or null where there is none. Read before what is trained on: a fault in it is found sooner.
    /// </summary>
    public static MonitoredExamples? ReadMonitored(IHostEnvironment environment, IDataView input, ContrastivePretrainEstimator.Options options, ColumnReading reading)
        => options.Training.Monitor switch
        {
            null => null,
            SimilarityMonitor pairs => MonitoredPairs.Read(pairs, options.EmptyTexts, reading),
            _ => PictureExamples.ReadMonitored(environment, input, options, reading),
        };
}
