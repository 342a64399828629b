using System.Diagnostics;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Mean milliseconds of something that is done again and again: on the wall, and of all processors.</summary>
internal struct StepClock
{
    private List<(double Wall, double Processor)>? _steps;

    /// <summary>Median of the wall time.</summary>
    public readonly double Wall => Median(step => step.Wall);

    /// <summary>Median of the processor time of all threads, which other programs on the machine hardly change.</summary>
    public readonly double Processor => Median(step => step.Processor);

    /// <summary>Counts until what it gives is disposed.</summary>
    public Running Count() => new(_steps ??= []);

    private readonly double Median(Func<(double Wall, double Processor), double> part)
        => _steps is null ? 0 : _steps.Select(part).Order().ElementAt(_steps.Count / 2);

    internal readonly struct Running(List<(double Wall, double Processor)> steps) : IDisposable
    {
        private readonly long _started = Stopwatch.GetTimestamp();
        private readonly TimeSpan _processor = Environment.CpuUsage.TotalTime;

        public void Dispose() => steps.Add(
            (Stopwatch.GetElapsedTime(_started).TotalMilliseconds, (Environment.CpuUsage.TotalTime - _processor).TotalMilliseconds));
    }
}
