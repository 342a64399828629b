using Microsoft.ML.Contrastive;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML;

/// <summary>
/// Measures of learned features, as they are published: got by <c>mlContext.Representation()</c>. Each reads its columns once, into memory, and
/// computes on the context's device.
/// </summary>
public sealed class RepresentationCatalog
{
    private readonly MLContext _ml;

    internal RepresentationCatalog(MLContext ml) => _ml = ml;

    /// <summary>
    /// Weighted k nearest neighbours: what the classes of the nearest training rows say of the test rows. Nothing is trained. A test row of
    /// a class that no training row has counts as wrong.
    /// </summary>
    /// <param name="train">Rows whose classes vote.</param>
    /// <param name="test">Rows that are classified.</param>
    /// <param name="featureColumnName">A known-size vector of Single, in both.</param>
    /// <param name="labelColumnName">The class, in both: a key, text, a number or a truth value; compared by what it reads as.</param>
    /// <param name="k">Neighbours that vote, 1 to the number of training rows. The default value is 200.</param>
    /// <param name="temperature">t of the votes exp(cosine / t), above 0. The default value is 0.1, as on CIFAR-10; ImageNet's is 0.07.</param>
    /// <exception cref="ArgumentException">A column is missing or of another type, or a number is out of its range.</exception>
    /// <exception cref="InvalidOperationException">A row has no label, or a feature that is no finite number.</exception>
    public KnnMetrics EvaluateKnn(
        IDataView train, IDataView test, string featureColumnName = "Features", string labelColumnName = "Label", int k = 200, double temperature = 0.1)
    {
        RowCheck.Positive(temperature);
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        using var scope = NewDisposeScope();
        (FeatureRows known, FeatureRows asked, Device device) = Read(train, test, featureColumnName, labelColumnName);
        Tensor predicted = WeightedKnn.Predict(
            asked.Features.to(device), known.Features.to(device), known.Labels!.to(device), asked.Classes.Count, k, temperature);
        return new KnnMetrics(predicted, asked.Labels!, asked.Classes) { K = k, Temperature = temperature };
    }

    /// <summary>
    /// A linear probe: one linear layer is trained on the training rows' features and tried on the test rows. The context's seed decides
    /// the order of rows and what is held out to choose the rate. A test row of a class that no training row has counts as wrong.
    /// </summary>
    /// <param name="train">Rows to train on, at least two.</param>
    /// <param name="test">Rows that are classified.</param>
    /// <param name="featureColumnName">A known-size vector of Single, in both.</param>
    /// <param name="labelColumnName">The class, in both: a key, text, a number or a truth value; compared by what it reads as.</param>
    /// <param name="options">Rates, epochs and the like. Null: the defaults.</param>
    /// <exception cref="ArgumentException">A column is missing or of another type, or a setting is out of its range.</exception>
    /// <exception cref="InvalidOperationException">A row has no label, or a feature that is no finite number.</exception>
    public LinearProbeMetrics EvaluateLinearProbe(
        IDataView train, IDataView test, string featureColumnName = "Features", string labelColumnName = "Label", LinearProbeOptions? options = null)
    {
        options?.Validate();
        using var scope = NewDisposeScope();
        (FeatureRows known, FeatureRows asked, Device device) = Read(train, test, featureColumnName, labelColumnName);
        using LinearProbe probe = LinearProbe.Fit(
            known.Features.to(device), known.Labels!.to(device), asked.Classes.Count, ContextSettings.Seed(_ml) ?? Random.Shared.Next(), options);
        return new LinearProbeMetrics(probe.Predict(asked.Features.to(device)), asked.Labels!, asked.Classes)
        {
            LearningRate = probe.LearningRate,
            HeldOutAccuracies = probe.HeldOutAccuracies,
        };
    }

    /// <summary>Uniformity, alignment, and the signs of collapse, without labels.</summary>
    /// <param name="data">The rows, at least two.</param>
    /// <param name="featureColumnName">A known-size vector of Single.</param>
    /// <param name="partnerColumnName">Features of what belongs to each row, such as another view of its picture, for alignment. Null, the default, leaves alignment out.</param>
    /// <param name="rows">At most so many rows, evenly spaced, are measured, at least 2: uniformity compares all pairs. The default value is 10,000.</param>
    /// <exception cref="ArgumentException">A column is missing or of another type, or a number is out of its range.</exception>
    /// <exception cref="InvalidOperationException">A row has a feature that is no finite number.</exception>
    public GeometryMetrics EvaluateGeometry(IDataView data, string featureColumnName = "Features", string? partnerColumnName = null, int rows = 10_000)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 2);
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        (Device device, _) = ContextSettings.ChooseDevice(_ml);
        Tensor features = Measured(featureColumnName, atLeast: 2);
        double? alignment = null;
        if (partnerColumnName is not null)
        {
            Tensor partners = Measured(partnerColumnName, atLeast: 2);
            alignment = UnitSphere.Alignment(features, partners).to(ScalarType.Float64).item<double>();
        }
        return new GeometryMetrics
        {
            Uniformity = UnitSphere.Uniformity(features).item<double>(),
            Alignment = alignment,
            EmbeddingDeviation = Collapse.EmbeddingDeviation(features),
            EffectiveRank = Collapse.EffectiveRank(features),
            FeatureSize = (int)features.shape[1],
            Rows = (int)features.shape[0],
        };

        Tensor Measured(string column, int atLeast)
        {
            Tensor all = FeatureRows.Read(_ml, data, nameof(data), column, label: null, [], atLeast).Features;
            long count = all.shape[0];
            return count <= rows ? all.to(device)
                : all.index_select(0, tensor([.. Enumerable.Range(0, rows).Select(row => row * count / rows)])).to(device);
        }
    }

    private (FeatureRows Known, FeatureRows Asked, Device Device) Read(IDataView train, IDataView test, string features, string label)
    {
        (Device device, _) = ContextSettings.ChooseDevice(_ml);
        var classes = new List<string>();
        FeatureRows known = FeatureRows.Read(_ml, train, nameof(train), features, label, classes, atLeast: 2);
        FeatureRows asked = FeatureRows.Read(_ml, test, nameof(test), features, label, classes, atLeast: 1);
        if (known.Features.shape[1] != asked.Features.shape[1])
            throw new ArgumentException($"Column '{features}' has {known.Features.shape[1]} numbers in the training rows and {asked.Features.shape[1]} in the test rows.", nameof(test));
        return (known, asked, device);
    }
}
