namespace FewLabels;

internal sealed class OptionException(string message) : Exception(message);

/// <summary>What the user may say on the command line.</summary>
internal sealed record Options
{
    public const string Usage = """
        FewLabels: an encoder pretrained on unlabelled pictures makes an ordinary ML.NET classifier better.

          --data FOLDER     where Fashion-MNIST's four files are (default: the variable FASHION_MNIST, else it is fetched)
          --out FOLDER      where few-labels.zip and report.html go (default: artifacts/few-labels)
          --epochs N        passes over the unlabelled images
          --steps N         steps of pretraining, instead of passes
          --checkpoints FOLDER  keeps the pretraining there: stopped by Ctrl+C or otherwise, the same command goes on
          --quick           everything in small, to see that it runs; its figures mean nothing
          --predict MODEL   loads a saved pipeline and prints its predictions for the first test images
          --images N        how many of them (default: 100)
        """;

    public string? Data { get; init; }

    public string Out { get; init; } = Path.Combine("artifacts", "few-labels");

    public int? Epochs { get; init; }

    public int? Steps { get; init; }

    public string? Checkpoints { get; init; }

    public bool Quick { get; init; }

    public string? Predict { get; init; }

    public int Images { get; init; } = 100;

    public bool Help { get; init; }

    public static Options Parse(string[] args)
    {
        var options = new Options();
        for (int i = 0; i < args.Length; i++)
        {
            string name = args[i];
            string Value() => ++i < args.Length ? args[i] : throw new OptionException($"{name} needs a value.\n{Usage}");
            int Number() => int.TryParse(Value(), out int number) && number > 0 ? number : throw new OptionException($"{name} needs a number of at least 1, not {args[i]}.");
            options = name switch
            {
                "--data" => options with { Data = Value() },
                "--out" => options with { Out = Value() },
                "--epochs" => options with { Epochs = Number() },
                "--steps" => options with { Steps = Number() },
                "--checkpoints" => options with { Checkpoints = Value() },
                "--quick" => options with { Quick = true },
                "--predict" => options with { Predict = Value() },
                "--images" => options with { Images = Number() },
                "--help" or "-h" => options with { Help = true },
                _ => throw new OptionException($"Unknown option {name}.\n{Usage}"),
            };
        }

        return options;
    }
}
