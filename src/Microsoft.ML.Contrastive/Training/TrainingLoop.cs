using System.Diagnostics;

namespace Microsoft.ML.Contrastive;

/// <summary>Runs a learner over the views of a store: schedule, progress, collapse signals, cancellation.</summary>
internal static class TrainingLoop
{
    private const int StepsBetweenTrims = 50;

    /// <param name="learner">On its device, in training mode.</param>
    /// <param name="method">Resolved.</param>
    /// <param name="facts">The run.</param>
    /// <param name="options">Validated.</param>
    /// <param name="takeViews">The views of a step, on the learner's device; called once for each step, in order.</param>
    /// <param name="seed">The run's.</param>
    /// <param name="warn">Receives warnings.</param>
    /// <param name="checkAlive">Throws when the host wants to stop.</param>
    /// <param name="trimMemory">Gives freed native memory back; called now and then.</param>
    public static void Run(
        Learner learner, ContrastiveMethod method, RunFacts facts, TrainingOptions options, Func<long, Views> takeViews, ulong seed,
        Action<string> warn, Action checkAlive, Action trimMemory)
    {
        using var runner = new StepRunner(learner, method.Optimizer!, method.MaxGradientNorm);
        double peak = method.LearningRate!.Peak(options.BatchSize);
        double warmup = Math.Min(method.LearningRate.WarmupEpochs * facts.StepsPerEpoch, 0.1 * facts.TotalSteps);
        double? flat = learner.FlatLoss(options.BatchSize);
        var watch = new CollapseWatch(flat, facts.TotalSteps, warn);
        var clock = Stopwatch.StartNew();
        (double lossSum, long reported, TimeSpan reportedAt) = (0, 0, TimeSpan.Zero);

        for (long index = 0; index < facts.TotalSteps; index++)
        {
            options.CancellationToken.ThrowIfCancellationRequested();
            checkAlive();
            // The first step's rate is above 0: step k of a warm-up of W has the rate (k + 1) / W.
            double rate = LearningRateSchedule.WarmupCosine(peak, warmup, facts.TotalSteps, warmup > 0 ? index + 1 : index);
            bool report = index == 0 || (index + 1) % options.ReportEvery == 0 || index + 1 == facts.TotalSteps;
            StepResult result;
            using (Views views = takeViews(index))
                result = runner.Run(views, new Step(index, facts.TotalSteps, seed), rate, constantRate: peak, measureEmbedding: report);
            if (!double.IsFinite(result.Loss))
                throw new InvalidOperationException(
                    $"The loss became {result.Loss} at step {index} of {facts.TotalSteps}. Lower the learning rate (now {rate:g3}), lengthen the warm-up, or set MaxGradientNorm on the method.");
            if (index % StepsBetweenTrims == StepsBetweenTrims - 1)
                trimMemory();

            lossSum += result.Loss;
            if (!report)
                continue;
            (long done, TimeSpan now) = (index + 1, clock.Elapsed);
            double meanLoss = lossSum / (done - reported);
            watch.Look(done, meanLoss, result.EmbeddingDeviation);
            options.Progress?.Report(new TrainingProgress(
                index / facts.StepsPerEpoch, done, facts.TotalSteps, meanLoss, rate,
                (done - reported) * options.BatchSize / Math.Max((now - reportedAt).TotalSeconds, 1e-9),
                now / done * (facts.TotalSteps - done), result.EmbeddingDeviation, flat));
            (lossSum, reported, reportedAt) = (0, done, now);
        }
    }
}

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
