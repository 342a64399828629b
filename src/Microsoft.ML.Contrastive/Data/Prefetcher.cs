using System.Collections.Concurrent;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Makes the items of the coming steps on threads of its own, at most a few ahead, and hands them out in the order of the
/// steps. An error on a thread comes out of <see cref="Take"/> for its step: none is lost, and nothing hangs.
/// </summary>
internal sealed class Prefetcher<T> : IDisposable
    where T : IDisposable
{
    private readonly long _end;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _room;
    private readonly ConcurrentDictionary<long, TaskCompletionSource<T>> _slots = new();
    private readonly Thread[] _threads;
    private long _nextStep, _nextTake;
    private bool _disposed;

    /// <param name="firstStep">The step that is taken first.</param>
    /// <param name="endStep">One past the last step.</param>
    /// <param name="threads">Number of threads, at least 1.</param>
    /// <param name="createMaker">Called once per thread: what makes the item of a step there. Makers share nothing that changes.</param>
    /// <param name="spare">Items that lie ready beside those that threads are making, at least 0.</param>
    public Prefetcher(long firstStep, long endStep, int threads, Func<Func<long, T>> createMaker, int spare = 2)
    {
        (_nextStep, _nextTake) = (firstStep - 1, firstStep);
        _end = endStep;
        _room = new SemaphoreSlim(threads + spare);
        Func<long, T>[] makers = [.. Enumerable.Range(0, threads).Select(_ => createMaker())];
        _threads = [.. makers.Select(make => new Thread(() => Work(make)) { IsBackground = true, Name = "ContrastiveML views" })];
        try
        {
            foreach (Thread thread in _threads)
                thread.Start();
        }
        catch
        {
            Dispose(); // those that run must not outlive what they read
            throw;
        }
    }

    /// <summary>The item of a step: each step once, in order; any other would be waited for in vain.</summary>
    public T Take(long step)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (step != _nextTake || step >= _end)
            throw new ArgumentOutOfRangeException(nameof(step), step, $"Step {_nextTake} comes next, of {_end}.");
        _nextTake++;
        try
        {
            return Slot(step).Task.GetAwaiter().GetResult();
        }
        finally
        {
            _slots.TryRemove(step, out _);
            _room.Release();
        }
    }

    /// <summary>Stops the threads and disposes what nobody took.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _stop.Cancel();
        foreach (Thread thread in _threads.Where(thread => !thread.ThreadState.HasFlag(System.Threading.ThreadState.Unstarted)))
            thread.Join();
        foreach (TaskCompletionSource<T> slot in _slots.Values)
            if (slot.Task.IsCompletedSuccessfully)
                slot.Task.Result.Dispose();
        _stop.Dispose();
        _room.Dispose();
    }

    private TaskCompletionSource<T> Slot(long step) => _slots.GetOrAdd(step, _ => new());

    private void Work(Func<long, T> make)
    {
        while (true)
        {
            try
            {
                _room.Wait(_stop.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            long step = Interlocked.Increment(ref _nextStep);
            if (step >= _end)
                return;
            try
            {
                Slot(step).SetResult(make(step));
            }
#pragma warning disable CA1031 // Whatever it is, it belongs to the thread that waits for the step.
            catch (Exception error)
#pragma warning restore CA1031
            {
                Slot(step).SetException(error);
            }
        }
    }
}
