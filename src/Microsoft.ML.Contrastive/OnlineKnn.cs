using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Pictures and the places of their classes, row by row.</summary>
internal sealed record LabelledPictures(ImageStore Pictures, List<long> Labels);

/// <summary>A <see cref="KnnMonitor"/>'s pictures, once they are read into the stores, which this disposes.</summary>
internal sealed class MonitoredPictures(KnnMonitor settings, ImageStore bank, ImageStore queries) : IDisposable
{
    public KnnMonitor Settings { get; } = settings;

    public LabelledPictures Bank { get; } = new(bank, []);

    public LabelledPictures Queries { get; } = new(queries, []);

    /// <summary>All classes that have been met.</summary>
    public List<string> Classes { get; } = [];

    /// <summary>What must be the same where a run goes on.</summary>
    public JsonObject Identity => new()
    {
        ["k"] = Settings.K,
        ["temperature"] = Settings.Temperature,
        ["everyEpochs"] = Settings.EveryEpochs,
        ["everySteps"] = Settings.EverySteps,
        ["keepBest"] = Settings.KeepBest,
        ["bank"] = Bank.Pictures.Fingerprint(),
        ["queries"] = Queries.Pictures.Fingerprint(),
        ["labels"] = Checkpoint.Digest(stream => stream.Write(MemoryMarshal.AsBytes<long>([.. Bank.Labels, .. Queries.Labels]))),
    };

    public void Dispose()
    {
        Bank.Pictures.Dispose();
        Queries.Pictures.Dispose();
    }
}

/// <summary>Measures an encoder between two steps of its training, and remembers it as it was when it was best.</summary>
internal sealed class OnlineKnn : IDisposable
{
    private readonly MonitoredPictures _pictures;
    private readonly nn.Module<Tensor, Tensor> _encoder;
    private readonly PretrainedEncoder _forward;
    private readonly Tensor _best, _bestStep;
    private readonly Dictionary<string, Tensor> _kept = [];

    /// <param name="pictures">What it measures on; stays the caller's.</param>
    /// <param name="manifest">How pictures reach the encoder.</param>
    /// <param name="encoder">What trains, on <paramref name="device"/>; stays the caller's.</param>
    /// <param name="device">Where it computes.</param>
    public OnlineKnn(MonitoredPictures pictures, EncoderManifest manifest, nn.Module<Tensor, Tensor> encoder, Device device)
    {
        (_pictures, _encoder) = (pictures, encoder);
        _forward = new PretrainedEncoder(manifest, encoder, device).Share(); // never released: the learner owns the network
        _best = full(1, -1, ScalarType.Float64);
        _bestStep = zeros(1, ScalarType.Int64);
        using var noGradient = no_grad();
        if (pictures.Settings.KeepBest)
            foreach ((string name, Tensor value) in encoder.state_dict())
                _kept[name] = value.detach().cpu().clone();
    }

    /// <summary>Share of queries whose class was found, when it was highest; below 0 before the first measure.</summary>
    public double Best => _best.item<double>();

    /// <summary>Steps that were done then.</summary>
    public long BestStep => _bestStep.item<long>();

    /// <summary>The best so far, for checkpoints.</summary>
    public IEnumerable<(string Name, Tensor Value)> State =>
        [("monitor.best", _best), ("monitor.step", _bestStep), .. _kept.Select(entry => ($"monitor.weights.{entry.Key}", entry.Value))];

    /// <summary>The share of queries whose class is found. The encoder is in training mode before and after, with the same state.</summary>
    /// <param name="done">Steps of the run.</param>
    public double Measure(long done)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        _encoder.eval();
        double accuracy;
        try
        {
            Tensor bankLabels = tensor(_pictures.Bank.Labels.ToArray(), device: _forward.Device), labels = tensor(_pictures.Queries.Labels.ToArray(), device: _forward.Device);
            Tensor predicted = WeightedKnn.Predict(
                Features(_pictures.Queries.Pictures), Features(_pictures.Bank.Pictures), bankLabels, _pictures.Classes.Count, _pictures.Settings.K, _pictures.Settings.Temperature);
            accuracy = predicted.eq(labels).to(ScalarType.Float64).mean().item<double>();
        }
        finally
        {
            _encoder.train();
        }
        if (accuracy > Best)
        {
            _best.fill_(accuracy);
            _bestStep.fill_(done);
            if (_kept.Count > 0)
                foreach ((string name, Tensor value) in _encoder.state_dict())
                    _kept[name].copy_(value);
        }
        return accuracy;
    }

    /// <summary>The encoder as it was when it was best, into another of its shape, where the settings ask for it.</summary>
    public void CopyBestTo(nn.Module target)
    {
        if (_kept.Count > 0 && BestStep > 0)
            ModuleState.Copy(_kept, target);
    }

    public void Dispose()
    {
        foreach ((_, Tensor value) in State)
            value.Dispose();
    }

    /// <summary>[N, D] of plain views, on the device.</summary>
    private Tensor Features(ImageStore pictures)
    {
        int size = _forward.Manifest.Input.Network.FeatureSize;
        return tensor(_forward.ForwardAll(pictures, size), pictures.Count, size).to(_forward.Device);
    }
}
