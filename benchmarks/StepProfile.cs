using System.Globalization;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Where the time of a step goes: the parts of <see cref="StepRunner"/>, timed one by one.</summary>
internal static class StepProfile
{
    public static void Print(Learner learner, ContrastiveMethod method, Func<long, Views> make, int steps)
    {
        using var parameters = new FlatParameters(learner);
        using Optimizer optimizer = Optimizer.Create(method.Optimizer!, parameters.Groups);
        using var prefetcher = new Prefetcher<Views>(0, long.MaxValue, 1, () => make);
        StepClock views = default, forward = default, read = default, backward = default, optimize = default;
        for (int index = 0; index < steps; index++)
        {
            var step = new Step(index, 1000, 1);
            using var scope = NewDisposeScope();
            Views batch;
            using (views.Count())
                batch = prefetcher.Take(index);
            using Views disposed = batch;
            Tensor loss;
            using (forward.Count())
                loss = learner.Loss(batch, step);
            using (read.Count())
                loss.item<float>();
            using (backward.Count())
            {
                parameters.Gradients.zero_();
                loss.backward();
            }
            using (optimize.Count())
            using (no_grad())
                optimizer.Step(step, 0.01, 0.01);
        }
        StepClock[] clocks = [views, forward, read, backward, optimize];
        double total = clocks.Sum(clock => clock.Wall);
        foreach ((int i, string name) in new[] { "wait for views", "forward and loss", "read loss", "backward", "optimizer" }.Index())
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"  {name,-32}{"",10}{clocks[i].Wall,10:0.00}{clocks[i].Processor,10:0.0}{clocks[i].Wall / total,12:0%}"));
    }
}
