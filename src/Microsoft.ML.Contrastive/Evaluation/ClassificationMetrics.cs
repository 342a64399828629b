using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>How well classes were told apart.</summary>
public abstract class ClassificationMetrics
{
    private protected ClassificationMetrics(Tensor predicted, Tensor truth, IReadOnlyList<string> classes)
    {
        long[] given = Numbers(predicted), wanted = Numbers(truth);
        var right = new long[classes.Count];
        var all = new long[classes.Count];
        foreach ((long one, long other) in given.Zip(wanted))
        {
            all[other]++;
            right[other] += one == other ? 1 : 0;
        }
        Classes = classes;
        Rows = wanted.Length;
        Accuracy = (double)right.Sum() / wanted.Length;
        ClassAccuracies = [.. right.Zip(all, (some, whole) => whole == 0 ? double.NaN : (double)some / whole)];
        MacroAccuracy = ClassAccuracies.Where(double.IsFinite).Average();
    }

    /// <summary>The share of the test rows, 0 to 1, whose class is predicted.</summary>
    public double Accuracy { get; }

    /// <summary>The mean of <see cref="ClassAccuracies"/> over the classes that the test rows have: each class counts alike.</summary>
    public double MacroAccuracy { get; }

    /// <summary>The classes, in the order of their first rows, training rows before test rows.</summary>
    public IReadOnlyList<string> Classes { get; }

    /// <summary>The share of each class's test rows whose class is predicted; NaN for a class without test rows.</summary>
    public IReadOnlyList<double> ClassAccuracies { get; }

    /// <summary>Test rows.</summary>
    public int Rows { get; }

    private static long[] Numbers(Tensor whole)
    {
        using Tensor here = whole.cpu().contiguous();
        return MemoryMarshal.Cast<byte, long>(here.bytes).ToArray();
    }
}

/// <summary>What weighted nearest neighbours predict from representations; see <see cref="WeightedKnn"/>.</summary>
public sealed class KnnMetrics : ClassificationMetrics
{
    internal KnnMetrics(Tensor predicted, Tensor truth, IReadOnlyList<string> classes)
        : base(predicted, truth, classes)
    {
    }

    /// <summary>Neighbours that voted.</summary>
    public required int K { get; init; }

    /// <summary>t of the votes exp(cosine / t).</summary>
    public required double Temperature { get; init; }
}

/// <summary>What one linear layer predicts from representations; see <see cref="LinearProbe"/>.</summary>
public sealed class LinearProbeMetrics : ClassificationMetrics
{
    internal LinearProbeMetrics(Tensor predicted, Tensor truth, IReadOnlyList<string> classes)
        : base(predicted, truth, classes)
    {
    }

    /// <summary>The rate that was chosen on the held-out training rows.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Held-out accuracy of each rate of <see cref="LinearProbeOptions.LearningRates"/>; empty where there was one rate.</summary>
    public required IReadOnlyList<double> HeldOutAccuracies { get; init; }
}
