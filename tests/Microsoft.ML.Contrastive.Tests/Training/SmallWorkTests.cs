using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>Small steps are one thread's work, larger ones all threads', and nobody else's number changes.</summary>
public sealed class SmallWorkTests : IDisposable
{
    private readonly int _threads;
    private readonly Generator _generator = new(1);

    public SmallWorkTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere the number of one thread can't be had.");
        _threads = get_num_threads();
        Assert.SkipWhen(_threads == 1, "There is one thread here anyway.");
    }

    public void Dispose()
    {
        Assert.Equal(_threads, get_num_threads());
        _generator.Dispose();
    }

    [Fact]
    public void One_thread_computes_until_the_limit_is_met_and_then_all_do()
    {
        using (SmallWork.Begin(10))
        {
            Assert.Equal((1, _threads), (get_num_threads(), OnAnotherThread(get_num_threads)));
            SmallWork.Count(SmallWork.Limit - 11);
            Assert.Equal(1, get_num_threads());
            SmallWork.Count(1);
            Assert.Equal(_threads, get_num_threads());
        }
        using (SmallWork.Begin(0))
            Assert.Equal(1, get_num_threads());
        Assert.Equal(_threads, get_num_threads());
        Assert.Null(SmallWork.Begin(SmallWork.Limit));
    }

    [Fact]
    public void Layers_count_their_multiplications()
    {
        using var scope = NewDisposeScope();
        Counts(4 * 5 * 6, () => Arithmetic.Plain.Multiply(zeros(4, 5), zeros(6, 5)));
        Counts(4 * 3 * 5 * 6, () => Arithmetic.Plain.Multiply(zeros([4, 3, 5], ScalarType.Float64), zeros([6, 5], ScalarType.Float64)));
        Counts(2 * 8 * 8 * 4 * 3 * 9 / 4, () => Arithmetic.Plain.Convolve(zeros(2, 3, 8, 8), zeros(4, 3, 3, 3), null, [2, 2], [1, 1]));

        void Counts(long expected, Action work)
        {
            using (SmallWork.Begin(SmallWork.Limit - expected - 1))
            {
                work();
                Assert.Equal(1, get_num_threads());
            }
            using (SmallWork.Begin(SmallWork.Limit - expected))
            {
                work();
                Assert.Equal(_threads, get_num_threads());
            }
        }
    }

    [Theory]
    [InlineData(8, 4, true)]
    [InlineData(8, 900, false)] // 6.5 million: the layer counts as many again
    [InlineData(8, 1024, false)] // 8.4 million, the limit
    [InlineData(4096, 4, false)] // all pairs of rows
    public void A_step_takes_one_thread_where_rows_and_numbers_are_few(long rows, long width, bool alone)
    {
        using var learner = new Watching(width, _generator);
        using var runner = new StepRunner(learner, new Sgd());
        using var views = new Contrastive.Views(randn(rows, width, generator: _generator));
        runner.Run(views, new Step(0, 1, seed: 1), rate: 0.1, constantRate: 0.1);
        Assert.Equal(alone ? 1 : _threads, learner.Threads);
    }

    [Fact]
    public void A_step_that_fails_leaves_all_threads_behind()
    {
        using var learner = new Watching(4, _generator) { Fails = true };
        using var runner = new StepRunner(learner, new Sgd());
        using var views = new Contrastive.Views(randn(8, 4, generator: _generator));
        Assert.Throws<InvalidOperationException>(() => runner.Run(views, new Step(0, 1, seed: 1), rate: 0.1, constantRate: 0.1));
        Assert.Equal((1, _threads), (learner.Threads, get_num_threads()));
    }

    private static T OnAnotherThread<T>(Func<T> work)
    {
        T result = default!;
        var thread = new Thread(() => result = work());
        thread.Start();
        thread.Join();
        return result;
    }

    /// <summary>A layer whose loss sees how many threads are at work behind it.</summary>
    private sealed class Watching : Learner
    {
        private readonly nn.Module<Tensor, Tensor> layer;

        public Watching(long width, Generator generator)
            : base(nameof(Watching))
        {
            layer = Mlp.Linear(width, width, generator);
            RegisterComponents();
        }

        public bool Fails { get; init; }

        public int Threads { get; private set; }

        public override nn.Module<Tensor, Tensor> Encoder => layer;

        public override Tensor Loss(Contrastive.Views views, Step step)
        {
            Tensor output = layer.forward(views[0]);
            Threads = get_num_threads();
            return Fails ? throw new InvalidOperationException("The method's own error.") : output.pow(2).mean();
        }
    }
}
