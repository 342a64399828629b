using Microsoft.ML;
using TorchSharp;
using Network = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace FewLabels;

/// <summary>The best that one input did on the validation part with one number of labels.</summary>
/// <param name="Test">Each draw's accuracy on the test images, to be asked once, at the end.</param>
/// <param name="Pipeline">From the image to the first draw's prediction, where the classifier is one of ML.NET's.</param>
internal sealed record Finalist(string Input, int Labels, string Settings, double Validation, Func<ImageSet, int[], double[]> Test, Func<ITransformer>? Pipeline = null);

/// <summary>How a finalist did on the test images, draw by draw.</summary>
internal sealed record Result(Finalist Of, double[] Test)
{
    public double Mean => Test.Average();

    public double Deviation => StandardDeviation(Test);

    /// <summary>Mean and standard error of the differences, draw by draw.</summary>
    public (double Mean, double Error) Over(Result other)
    {
        double[] differences = [.. Test.Zip(other.Test, (a, b) => a - b)];
        return (differences.Average(), StandardDeviation(differences) / Math.Sqrt(differences.Length));
    }

    private static double StandardDeviation(double[] values) =>
        values.Length < 2 ? 0 : Math.Sqrt(values.Sum(v => Math.Pow(v - values.Average(), 2)) / (values.Length - 1));
}

/// <summary>Gives each input the settings with the best mean accuracy on the validation part, for each number of labels.</summary>
internal sealed class Comparison(MLContext ml, Recipe recipe, ImageSet training, Draws draws)
{
    // The test images' features are computed once for an encoder, however many classifiers look at them.
    private readonly Dictionary<ITransformer, Features> _test = [];

    public Finalist[] Finalists(Input input, Action<double, string> progress)
    {
        int[] needed = [.. draws.Validation, .. draws.All.SelectMany(d => d)];
        double total = input.Candidates.Length * recipe.LabelCounts.Length * recipe.L2.Length;
        int done = 0;
        var trials = input.Candidates.SelectMany(candidate =>
        {
            var features = Inputs.Compute(ml, candidate.Encoder, training, needed);
            return recipe.LabelCounts.SelectMany(labels => recipe.L2.Select(l2 =>
            {
                double validation = Validation(Classifier.Fit(features, [.. draws.OfSize(labels).Take(recipe.TrialDraws)], l2));
                progress(++done / total, $"{labels} labels");
                return (candidate, features, labels, l2, validation);
            }));

            double Validation(ITransformer[] models) => Classifier.Accuracies(models, features, draws.Validation).Average();
        });
        return [.. trials.GroupBy(t => t.labels).Select(t => t.MaxBy(trial => trial.validation)).Select(best =>
        {
            var models = Classifier.Fit(best.features, draws.OfSize(best.labels), best.l2);
            return new Finalist(
                input.Name, best.labels, FormattableString.Invariant($"{best.candidate.Setting}L2 {best.l2:g}"), best.validation,
                (test, images) => Classifier.Accuracies(models, TestFeatures(best.candidate.Encoder, test, images), images),
                () => best.candidate.Encoder.Append(models[0]));
        })];
    }

    /// <summary>The rival that learns the whole encoder from the labelled images alone.</summary>
    public Finalist LabelsAlone(Func<int, Network> encoder, int labels, Action<double, string> progress)
    {
        int[] lengths = recipe.LabelsAloneSteps[labels];
        int[][] all = draws.OfSize(labels), trial = lengths.Length == 1 ? [] : [.. all.Take(recipe.LabelsAloneTrialDraws)];
        int done = 0, total = (trial.Length * lengths.Sum()) + (all.Length * lengths.Max());
        Network[] Fit(int[][] some, int steps) =>
            FewLabels.LabelsAlone.Fit(encoder, training, some, steps, recipe.LabelsAloneRate, () => progress((double)Interlocked.Add(ref done, steps) / total, ""));
        double Validation(Network[] nets) => FewLabels.LabelsAlone.Accuracies(nets, training, draws.Validation).Average();

        int best = lengths.Length == 1 ? lengths[0] : lengths.MaxBy(steps => Validation(Fit(trial, steps)));
        var nets = Fit(all, best);
        return new("labels alone", labels, $"{best} steps", Validation(nets), (test, images) => FewLabels.LabelsAlone.Accuracies(nets, test, images));
    }

    private Features TestFeatures(ITransformer encoder, ImageSet test, int[] images) =>
        _test.TryGetValue(encoder, out var features) ? features : _test[encoder] = Inputs.Compute(ml, encoder, test, images);
}
