using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>What a <see cref="TrainingMonitor"/> measures an encoder on, once it is read; disposed with what it lies in.</summary>
internal abstract class MonitoredExamples : IDisposable
{
    public abstract TrainingMonitor Settings { get; }

    /// <summary>What must be the same where a run goes on.</summary>
    public JsonObject Identity
    {
        get
        {
            JsonObject identity = Data;
            (identity["everyEpochs"], identity["everySteps"], identity["keepBest"]) = (Settings.EveryEpochs, Settings.EverySteps, Settings.KeepBest);
            return identity;
        }
    }

    /// <summary>The data and how they are measured.</summary>
    protected abstract JsonObject Data { get; }

    /// <summary>The figure of an encoder in evaluation mode; higher is better.</summary>
    public abstract double Measure(PretrainedEncoder network);

    public abstract void Dispose();
}

/// <summary>Measures an encoder between two steps of its training, and remembers it as it was when it was best.</summary>
internal sealed class OnlineMonitor : IDisposable
{
    private readonly MonitoredExamples _examples;
    private readonly nn.Module<Tensor, Tensor> _encoder;
    private readonly PretrainedEncoder _forward;
    private readonly Tensor _best, _bestStep;
    private readonly Dictionary<string, Tensor> _kept = [];

    /// <param name="examples">What it measures on; stays the caller's.</param>
    /// <param name="network">How examples reach the encoder that trains, which stays the caller's.</param>
    public OnlineMonitor(MonitoredExamples examples, PretrainedEncoder network)
    {
        (_examples, _encoder) = (examples, network.Module);
        _forward = network.Share(); // never released: the learner owns the network
        _best = tensor(new[] { -2.0 });
        _bestStep = zeros(1, ScalarType.Int64);
        using var noGradient = no_grad();
        if (examples.Settings.KeepBest)
            foreach ((string name, Tensor value) in _encoder.state_dict())
                _kept[name] = value.detach().cpu().clone();
    }

    /// <summary>The figure when it was highest; below -1 before the first measure.</summary>
    public double Best => _best.item<double>();

    /// <summary>Steps that were done then.</summary>
    public long BestStep => _bestStep.item<long>();

    /// <summary>The best so far, for checkpoints.</summary>
    public IEnumerable<(string Name, Tensor Value)> State =>
        [("monitor.best", _best), ("monitor.step", _bestStep), .. _kept.Select(entry => ($"monitor.weights.{entry.Key}", entry.Value))];

    /// <summary>The figure of the moment. The encoder is in training mode before and after, with the same state.</summary>
    /// <param name="done">Steps of the run.</param>
    public double Measure(long done)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        _encoder.eval();
        double figure;
        try
        {
            figure = _examples.Measure(_forward);
        }
        finally
        {
            _encoder.train();
        }
        if (figure > Best)
        {
            _best.Fill(figure);
            _bestStep.Fill(done);
            if (_kept.Count > 0)
                foreach ((string name, Tensor value) in _encoder.state_dict())
                    _kept[name].copy_(value);
        }
        return figure;
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
}
