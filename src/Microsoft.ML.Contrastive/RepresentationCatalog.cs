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

    /// <summary>How well the cosines of pairs follow people's scores: Spearman's correlation, as semantic textual similarity is measured.</summary>
    /// <param name="pairs">A pair a row, at least two.</param>
    /// <param name="firstColumnName">The vector of one of the two: a known-size vector of Single.</param>
    /// <param name="secondColumnName">The vector of the other.</param>
    /// <param name="scoreColumnName">What people said: a number. The default value is "Score".</param>
    /// <param name="setColumnName">The set that a pair is of, for figures of each: as a label. Null, the default, for one set.</param>
    /// <exception cref="ArgumentException">A column is missing or of another type.</exception>
    /// <exception cref="InvalidOperationException">A row has a number that is not finite.</exception>
    public SimilarityMetrics EvaluateSimilarity(IDataView pairs, string firstColumnName, string secondColumnName, string scoreColumnName = "Score", string? setColumnName = null)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var sets = new List<string>();
        FeatureRows first = FeatureRows.Read(_ml, pairs, nameof(pairs), firstColumnName, setColumnName, sets, atLeast: 2);
        Tensor second = FeatureRows.Read(_ml, pairs, nameof(pairs), secondColumnName, label: null, [], atLeast: 2).Features;
        if (second.shape[1] != first.Features.shape[1])
            throw new ArgumentException($"Columns '{firstColumnName}' and '{secondColumnName}' have {first.Features.shape[1]} and {second.shape[1]} numbers.", nameof(pairs));
        double[] scores = ScoreColumn.Read(pairs, scoreColumnName);
        double[] cosines = nn.functional.cosine_similarity(first.Features, second, dim: 1, eps: 1e-12).to(ScalarType.Float64).data<double>().ToArray();
        return new SimilarityMetrics(cosines, scores, first.Labels?.data<long>().Select(set => sets[(int)set]).ToArray());
    }

    /// <summary>How well queries find candidates that belong to them, by cosine: recall at k, mean reciprocal rank, nDCG at 10.</summary>
    /// <param name="queries">Rows that look for others.</param>
    /// <param name="candidates">Rows that are looked among.</param>
    /// <param name="featureColumnName">A known-size vector of Single, in both.</param>
    /// <param name="labelColumnName">What a query shares with the candidates that are right for it, in both: a key, text, a number or a truth value.</param>
    /// <exception cref="ArgumentException">A column is missing or of another type, or a query has no right candidate.</exception>
    public RetrievalMetrics EvaluateRetrieval(IDataView queries, IDataView candidates, string featureColumnName = "Features", string labelColumnName = "Label")
    {
        using var scope = NewDisposeScope();
        (FeatureRows known, FeatureRows asked, Device device) = Read(candidates, queries, featureColumnName, labelColumnName, atLeast: 1);
        return Retrieval.Measure(asked.Features.to(device), known.Features.to(device), asked.Labels!.to(device), known.Labels!.to(device));
    }

    /// <summary>How well the vectors of one column find those of another column that belong to them, such as texts their pictures: recall at k, mean reciprocal rank, nDCG at 10.</summary>
    /// <param name="data">Rows with both; every row is a query and a candidate.</param>
    /// <param name="queryColumnName">A known-size vector of Single, what looks: "TextVector" for text-to-picture retrieval.</param>
    /// <param name="candidateColumnName">A known-size vector of Single, what is looked among.</param>
    /// <param name="labelColumnName">What a query shares with the candidates that are right for it, such as the caption where several pictures have it. Null, the default: its own row's alone is right.</param>
    /// <exception cref="ArgumentException">A column is missing or of another type.</exception>
    public RetrievalMetrics EvaluateRetrievalBetween(IDataView data, string queryColumnName, string candidateColumnName, string? labelColumnName = null)
    {
        using var scope = NewDisposeScope();
        (Device device, _) = ContextSettings.ChooseDevice(_ml);
        FeatureRows asked = FeatureRows.Read(_ml, data, nameof(data), queryColumnName, labelColumnName, [], atLeast: 1);
        Tensor known = FeatureRows.Read(_ml, data, nameof(data), candidateColumnName, label: null, [], atLeast: 1).Features;
        Tensor numbers = (asked.Labels ?? Number.Range(known.shape[0])).to(device);
        return Retrieval.Measure(asked.Features.to(device), known.to(device), numbers, numbers);
    }

    /// <summary>Semantic search: the k nearest candidates of each query by cosine, nearest first.</summary>
    /// <param name="candidates">Rows that are looked among; hits name them by their place, from 0.</param>
    /// <param name="queries">Rows that look; the result has one list for each, in their order.</param>
    /// <param name="featureColumnName">A known-size vector of Single, the candidates'.</param>
    /// <param name="k">Hits of a query, at least 1; where there are fewer candidates, all. The default value is 10.</param>
    /// <param name="queryColumnName">That of the queries, such as "TextVector" where pictures are looked for by texts. Null, the default: <paramref name="featureColumnName"/>.</param>
    /// <exception cref="ArgumentException">A column is missing or of another type, or a number is out of its range.</exception>
    public IReadOnlyList<IReadOnlyList<SearchHit>> Search(
        IDataView candidates, IDataView queries, string featureColumnName = "Features", int k = 10, string? queryColumnName = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        (Device device, _) = ContextSettings.ChooseDevice(_ml);
        Tensor known = FeatureRows.Read(_ml, candidates, nameof(candidates), featureColumnName, label: null, [], atLeast: 1).Features;
        Tensor asked = FeatureRows.Read(_ml, queries, nameof(queries), queryColumnName ?? featureColumnName, label: null, [], atLeast: 1).Features;
        if (known.shape[1] != asked.shape[1])
            throw new ArgumentException($"Column '{featureColumnName}' of the candidates has {known.shape[1]} numbers, '{queryColumnName ?? featureColumnName}' of the queries {asked.shape[1]}: both must come from one model.", nameof(queries));
        return Neighbours.Nearest(asked.to(device), known.to(device), k);
    }

    /// <summary>All pairs of rows that are nearly the same, in the rows' order.</summary>
    /// <param name="data">The rows.</param>
    /// <param name="featureColumnName">A known-size vector of Single.</param>
    /// <param name="cosine">The least cosine of a pair, above -1 to 1. The default value is 0.95.</param>
    /// <param name="most">The most pairs that are wanted, at least 1. The default value is 1,000,000.</param>
    /// <exception cref="ArgumentException">The column is missing or of another type, or a number is out of its range.</exception>
    /// <exception cref="InvalidOperationException">There are more pairs than <paramref name="most"/>.</exception>
    public IReadOnlyList<NearPair> FindNearDuplicates(IDataView data, string featureColumnName = "Features", double cosine = 0.95, int most = 1_000_000)
        => Near(data, featureColumnName, cosine, most).Pairs;

    /// <summary>Groups of rows that hang together: each is near to some other of its group. Rows that are near to none are in none.</summary>
    /// <param name="data">The rows.</param>
    /// <param name="featureColumnName">A known-size vector of Single.</param>
    /// <param name="cosine">The least cosine of two neighbours, above -1 to 1. The default value is 0.8.</param>
    /// <returns>The places of each group's rows, from 0; the largest group first.</returns>
    /// <exception cref="ArgumentException">The column is missing or of another type, or a number is out of its range.</exception>
    /// <exception cref="InvalidOperationException">There are more than 10,000,000 near pairs.</exception>
    public IReadOnlyList<IReadOnlyList<int>> FindGroups(IDataView data, string featureColumnName = "Features", double cosine = 0.8)
    {
        (List<NearPair> pairs, int rows) = Near(data, featureColumnName, cosine, most: 10_000_000);
        return Neighbours.Groups(pairs, rows);
    }

    private (List<NearPair> Pairs, int Rows) Near(IDataView data, string features, double cosine, int most)
    {
        if (!(cosine > -1 && cosine <= 1))
            throw new ArgumentOutOfRangeException(nameof(cosine), cosine, "The least cosine must be above -1 and at most 1.");
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        (Device device, _) = ContextSettings.ChooseDevice(_ml);
        Tensor rows = FeatureRows.Read(_ml, data, nameof(data), features, label: null, [], atLeast: 1).Features.to(device);
        return (Neighbours.Pairs(rows, cosine, most), (int)rows.shape[0]);
    }

    private (FeatureRows Known, FeatureRows Asked, Device Device) Read(IDataView train, IDataView test, string features, string label, int atLeast = 2)
    {
        (Device device, _) = ContextSettings.ChooseDevice(_ml);
        var classes = new List<string>();
        FeatureRows known = FeatureRows.Read(_ml, train, nameof(train), features, label, classes, atLeast);
        FeatureRows asked = FeatureRows.Read(_ml, test, nameof(test), features, label, classes, atLeast: 1);
        if (known.Features.shape[1] != asked.Features.shape[1])
            throw new ArgumentException($"Column '{features}' has {known.Features.shape[1]} numbers in the training rows and {asked.Features.shape[1]} in the test rows.", nameof(test));
        return (known, asked, device);
    }
}
