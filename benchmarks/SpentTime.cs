using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>How long a run has taken, in all processes that it went on in: kept beside its checkpoints, once a minute.</summary>
internal sealed class SpentTime
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMinutes(1);
    private readonly string _file;
    private readonly double _before;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _kept;

    /// <param name="checkpoints">The run's folder, which may not be there yet.</param>
    public SpentTime(string checkpoints)
    {
        _file = checkpoints + ".seconds";
        _before = Directory.Exists(checkpoints) && File.Exists(_file) ? double.Parse(File.ReadAllText(_file), CultureInfo.InvariantCulture) : 0;
    }

    public double Seconds => _before + _clock.Elapsed.TotalSeconds;

    /// <summary>Once a step or so.</summary>
    public void Keep()
    {
        if (_clock.Elapsed - _kept < s_interval)
            return;
        _kept = _clock.Elapsed;
        AtomicFile.Write(_file, stream => stream.Write(System.Text.Encoding.ASCII.GetBytes(Seconds.ToString(CultureInfo.InvariantCulture))));
    }

    /// <summary>The run has ended.</summary>
    public void Forget() => File.Delete(_file);
}
