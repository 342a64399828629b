using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace FewLabels;

/// <summary>Runs a saved pipeline in a second process, which knows nothing but the zip.</summary>
internal static class Elsewhere
{
    private sealed class Prediction
    {
        public string PredictedLabel { get; set; } = "";

        public float[] Score { get; set; } = [];
    }

    /// <summary>What both processes do: a line for each image with the predicted class and the scores.</summary>
    public static string[] Predict(MLContext ml, ITransformer model, ImageSet set, int images) =>
        [.. ml.Data.CreateEnumerable<Prediction>(model.Transform(Inputs.View(ml, set, Enumerable.Range(0, images))), reuseRowObject: false)
            .Select((p, i) => string.Join('\t', [$"{i}", p.PredictedLabel, .. p.Score.Select(s => s.ToString("R", CultureInfo.InvariantCulture))]))];

    /// <summary>The second process's side: plain <c>Model.Load</c>, no registration call.</summary>
    public static int Print(string modelFile, FashionMnist data, int images)
    {
        var ml = new MLContext();
        var model = ml.Model.Load(modelFile, out _);
        Array.ForEach(Predict(ml, model, data.ReadTest(), images), Console.WriteLine);
        return 0;
    }

    /// <summary>The first process's side: starts this program again and compares.</summary>
    /// <returns>The number of images on which both agree, class by class and score by score within 1e-5.</returns>
    public static int Agreement(string modelFile, FashionMnist data, string[] here)
    {
        string program = Environment.ProcessPath!;
        string[] arguments = ["--predict", modelFile, "--data", data.Folder, "--images", $"{here.Length}"];
        bool hosted = Path.GetFileNameWithoutExtension(program) == "dotnet";
        using var process = Process.Start(new ProcessStartInfo(program, hosted ? [Environment.GetCommandLineArgs()[0], .. arguments] : arguments) { RedirectStandardOutput = true })!;
        string[] there = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        process.WaitForExit();
        if (process.ExitCode != 0 || there.Length != here.Length)
        {
            throw new InvalidOperationException($"The second process ended with {process.ExitCode} and {there.Length} of {here.Length} predictions.");
        }

        return here.Zip(there).Count(pair => Same(pair.First.Split('\t'), pair.Second.Split('\t')));
    }

    private static bool Same(string[] a, string[] b) =>
        a.Length == b.Length && a.Take(2).SequenceEqual(b.Take(2)) && a.Zip(b).Skip(2).All(s => Math.Abs(Number(s.First) - Number(s.Second)) <= 1e-5);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
