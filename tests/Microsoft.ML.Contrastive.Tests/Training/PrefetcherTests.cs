using System.Collections.Concurrent;

namespace Microsoft.ML.Contrastive.Tests.Training;

public sealed class PrefetcherTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Items_come_in_the_order_of_the_steps_however_many_threads_make_them(int threads)
    {
        using var prefetcher = new Prefetcher<Item>(5, 105, threads, () => step =>
        {
            Thread.Sleep((int)(step * 7 % 3));
            return new Item(step);
        });
        for (long step = 5; step < 105; step++)
            Assert.Equal(step, prefetcher.Take(step).Step);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void An_error_comes_out_at_its_step_and_the_others_are_still_made(int threads)
    {
        using var prefetcher = new Prefetcher<Item>(0, 60, threads, () => step => step % 10 == 7 ? throw new FormatException($"step {step}") : new Item(step));
        for (long step = 0; step < 60; step++)
        {
            if (step % 10 == 7)
                Assert.Equal($"step {step}", Assert.Throws<FormatException>(() => prefetcher.Take(step)).Message);
            else
                Assert.Equal(step, prefetcher.Take(step).Step);
        }
    }

    [Fact]
    public void Only_a_few_are_made_ahead_and_disposing_ends_the_threads_and_what_nobody_took()
    {
        const int Threads = 3;
        var made = new ConcurrentBag<Item>();
        var workers = new ConcurrentDictionary<Thread, bool>();
        var prefetcher = new Prefetcher<Item>(0, long.MaxValue, Threads, () => step =>
        {
            workers[Thread.CurrentThread] = true;
            var item = new Item(step);
            made.Add(item);
            return item;
        });
        Item[] taken = [prefetcher.Take(0), prefetcher.Take(1)];
        Assert.True(SpinWait.SpinUntil(() => made.Count == 2 + Threads + 2, TimeSpan.FromSeconds(10)), $"{made.Count} made");
        prefetcher.Dispose();
        prefetcher.Dispose();
        Assert.Equal(2 + Threads + 2, made.Count);
        Assert.All(workers.Keys, thread => Assert.False(thread.IsAlive));
        Assert.All(made, item => Assert.Equal(taken.Contains(item) ? 0 : 1, item.Disposals));
        Assert.Throws<ObjectDisposedException>(() => prefetcher.Take(2));
    }

    [Fact]
    public void A_step_that_would_be_waited_for_in_vain_is_refused()
    {
        using var prefetcher = new Prefetcher<Item>(2, 4, 1, () => step => new Item(step));
        Assert.Throws<ArgumentOutOfRangeException>(() => prefetcher.Take(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => prefetcher.Take(3));
        Assert.Equal(2, prefetcher.Take(2).Step);
        Assert.Throws<ArgumentOutOfRangeException>(() => prefetcher.Take(2));
        Assert.Equal(3, prefetcher.Take(3).Step);
        Assert.Throws<ArgumentOutOfRangeException>(() => prefetcher.Take(4));
    }

    private sealed class Item(long step) : IDisposable
    {
        public long Step { get; } = step;

        public int Disposals { get; private set; }

        public void Dispose() => Disposals++;
    }
}
