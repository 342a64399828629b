using System.Diagnostics;

namespace Microsoft.ML.Contrastive;

/// <summary>Runs a learner over the views of a store: schedule, progress, collapse signals, cancellation.</summary>
internal static class TrainingLoop
{
    private const int StepsBetweenTrims = 50;

    /// <param name="runner">Its learner is in training mode, and as the step before <paramref name="firstStep"/> left it.</param>
    /// <param name="method">Resolved.</param>
    /// <param name="facts">The run.</param>
    /// <param name="options">Validated.</param>
    /// <param name="firstStep">Steps done already.</param>
    /// <param name="takeViews">The views of a step, on the learner's device; called once for each step, in order.</param>
    /// <param name="seed">The run's.</param>
    /// <param name="host">What the loop asks of its surroundings.</param>
    public static void Run(
        StepRunner runner, ContrastiveMethod method, RunFacts facts, TrainingOptions options, long firstStep, Func<long, Views> takeViews, ulong seed,
        LoopHost host)
    {
        double peak = method.LearningRate!.Peak(options.BatchSize);
        // Whole steps: a run too short for one would spend its only step at the rate 0.
        double warmup = Math.Floor(Math.Min(method.LearningRate.WarmupEpochs * facts.StepsPerEpoch, 0.1 * facts.TotalSteps));
        double? flat = runner.Learner.FlatLoss(options.BatchSize);
        var watch = new CollapseWatch(flat, facts.TotalSteps, host.Warn);
        Stopwatch clock = Stopwatch.StartNew(), sinceCheckpoint = Stopwatch.StartNew();
        (double lossSum, long reported, TimeSpan reportedAt) = (0, firstStep, TimeSpan.Zero);

        for (long index = firstStep; index < facts.TotalSteps; index++)
        {
            try
            {
                options.CancellationToken.ThrowIfCancellationRequested();
                host.CheckAlive();
            }
            catch
            {
                host.KeepCheckpoint?.Invoke(index);
                throw;
            }
            double rate = method.LearningRate.At(peak, warmup, facts.TotalSteps, index);
            bool measures = options.Monitor?.IsDue(index + 1, facts) == true;
            bool report = measures || index == firstStep || (index + 1) % options.ReportEvery == 0 || index + 1 == facts.TotalSteps;
            StepResult result;
            using (Views views = takeViews(index))
                result = runner.Run(views, new Step(index, facts.TotalSteps, seed), rate, constantRate: peak, measureEmbedding: report);
            if (!double.IsFinite(result.Loss))
                throw new InvalidOperationException(
                    $"The loss became {result.Loss} at step {index} of {facts.TotalSteps}. Lower the learning rate (now {rate:g3}), lengthen the warm-up, or set MaxGradientNorm on the method.");
            if (index % StepsBetweenTrims == StepsBetweenTrims - 1)
                host.TrimMemory();
            double? figure = null;
            if (measures)
            {
                clock.Stop(); // it is no training
                figure = host.Measure!(index + 1);
                clock.Start();
            }
            if (index + 1 == facts.TotalSteps || (index + 1) % (options.CheckpointSteps ?? long.MaxValue) == 0 || sinceCheckpoint.Elapsed >= options.CheckpointInterval)
            {
                host.KeepCheckpoint?.Invoke(index + 1);
                sinceCheckpoint.Restart();
            }

            lossSum += result.Loss;
            if (!report)
                continue;
            (long done, TimeSpan now) = (index + 1, clock.Elapsed);
            double meanLoss = lossSum / (done - reported);
            watch.Look(done, meanLoss, result.EmbeddingDeviation);
            options.Progress?.Report(new TrainingProgress(
                index / facts.StepsPerEpoch, done, facts.TotalSteps, meanLoss, rate,
                (done - reported) * options.BatchSize / Math.Max((now - reportedAt).TotalSeconds, 1e-9),
                now / (done - firstStep) * (facts.TotalSteps - done), result.EmbeddingDeviation, flat)
            {
                KnnAccuracy = options.Monitor is KnnMonitor ? figure : null,
                Similarity = options.Monitor is SimilarityMonitor ? figure : null,
            });
            (lossSum, reported, reportedAt) = (0, done, now);
        }
    }
}

/// <summary>What the training loop asks of its surroundings.</summary>
/// <param name="Warn">Receives warnings.</param>
/// <param name="CheckAlive">Throws when the host wants to stop.</param>
/// <param name="TrimMemory">Gives freed native memory back; called now and then.</param>
/// <param name="KeepCheckpoint">Keeps the state after so many steps; null where none is kept.</param>
/// <param name="Measure">The figure after so many steps, for <see cref="TrainingOptions.Monitor"/>.</param>
internal sealed record LoopHost(
    Action<string> Warn, Action CheckAlive, Action TrimMemory, Action<long>? KeepCheckpoint = null, Func<long, double>? Measure = null);

/// <summary>Says once, and once only, when a run looks dead: embeddings that all point one way, or a loss at its flat value.</summary>
internal sealed class CollapseWatch(double? flatLoss, long totalSteps, Action<string> log)
{
    private const double LowDeviation = 0.1, FlatShare = 0.01;
    private bool _saidCollapsed, _saidFlat;

    public void Look(long step, double loss, double deviation)
    {
        if (step < Math.Max(20, totalSteps / 10))
            return;
        if (!_saidCollapsed && deviation < LowDeviation)
        {
            _saidCollapsed = true;
            log($"Step {step}: the embeddings have nearly collapsed (their deviation is {deviation:0.000} of what spread embeddings have). Lower the learning rate, weaken the weight decay, or take a method with negatives such as SimCLR or MoCo.");
        }
        if (!_saidFlat && flatLoss is { } flat && Math.Abs(loss - flat) < FlatShare * Math.Abs(flat))
        {
            _saidFlat = true;
            log($"Step {step}: the loss {loss:0.000} sits at {flat:0.000}, where all similarities are equal: nothing is being told apart. Check that the views differ between pictures, and the learning rate.");
        }
    }
}
