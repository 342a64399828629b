namespace FewLabels;

/// <summary>The demo's table: for each number of labels, how each input did and how far ours is ahead of it.</summary>
internal sealed class Results(Result[] all)
{
    public const string Ours = "pretrained encoder";

    public const string Explanation =
        "Accuracy: per cent of the test images, mean and standard deviation over the draws. Ahead: pretrained minus this input, draw by draw, mean and " +
        "standard error. Settings were chosen on the validation images, for each input and number of labels; the test images were read once, afterwards.";

    public static string[] Head { get; } = ["labels", "input", "test accuracy", "pretrained is ahead by", "validation", "chosen"];

    public string[][] Rows => [.. all.OrderBy(r => r.Of.Labels).Select(r => new[]
    {
        $"{r.Of.Labels:N0}", r.Of.Input, $"{r.Mean:f1} ± {r.Deviation:f1}", Ahead(r), $"{r.Of.Validation:f1}", r.Of.Settings,
    })];

    private string Ahead(Result result)
    {
        var ours = all.First(r => r.Of.Input == Ours && r.Of.Labels == result.Of.Labels);
        var (mean, error) = ours.Over(result);
        return ours == result ? "" : $"{mean:+0.0;-0.0} ± {error:f1}";
    }
}
