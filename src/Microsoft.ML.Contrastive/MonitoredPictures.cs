using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Pictures and the places of their classes, row by row.</summary>
internal sealed record LabelledPictures(ImageStore Pictures, List<long> Labels);

/// <summary>A <see cref="KnnMonitor"/>'s pictures, once they are read into the stores, which this disposes.</summary>
internal sealed class MonitoredPictures(KnnMonitor settings, ImageStore bank, ImageStore queries) : MonitoredExamples
{
    public override TrainingMonitor Settings => settings;

    public LabelledPictures Bank { get; } = new(bank, []);

    public LabelledPictures Queries { get; } = new(queries, []);

    /// <summary>All classes that have been met.</summary>
    public List<string> Classes { get; } = [];

    protected override JsonObject Data => new()
    {
        ["k"] = settings.K,
        ["temperature"] = settings.Temperature,
        ["bank"] = Bank.Pictures.Fingerprint(),
        ["queries"] = Queries.Pictures.Fingerprint(),
        ["labels"] = Checkpoint.Digest(stream => stream.Write(MemoryMarshal.AsBytes<long>([.. Bank.Labels, .. Queries.Labels]))),
    };

    /// <summary>The share of queries whose class is found.</summary>
    public override double Measure(PretrainedEncoder network)
    {
        using var scope = NewDisposeScope();
        Tensor predicted = WeightedKnn.Predict(
            Features(Queries.Pictures), Features(Bank.Pictures), tensor(Bank.Labels.ToArray(), device: network.Device), Classes.Count, settings.K, settings.Temperature);
        return predicted.eq(tensor(Queries.Labels.ToArray(), device: network.Device)).to(ScalarType.Float64).mean().item<double>();

        // [N, D] of plain views, on the device.
        Tensor Features(ImageStore pictures)
        {
            int size = network.Manifest.Input.Network.FeatureSize;
            return tensor(network.ForwardAll(pictures, size), pictures.Count, size).to(network.Device);
        }
    }

    public override void Dispose()
    {
        Bank.Pictures.Dispose();
        Queries.Pictures.Dispose();
    }
}
