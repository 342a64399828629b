using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What the benchmark of pictures and words is asked for.</summary>
internal sealed record ClipOptions
{
    public const string NewDesign = "design", NewConcept = "concept", Cifar = "cifar", Unseen = "unseen", Own = "own";

    public const string Help = """
        Usage: dotnet run -c Release --project benchmarks -- clip --out FOLDER [options]
          --data FOLDER             holds emoji/ and cifar10/ with their TSV files; needed by all tasks but own
          --tasks A,B               design (one vendor's emoji, tested on the other's), concept (a fifth of the emoji held out),
                                    cifar (CIFAR-10 by its nouns), unseen (the same, two classes held out), own; default: those that the other options allow
          --epochs N                passes over the training pairs; the default is 30 for emoji, and a third of it for others
          --seed N                  the default is 1
          --pairs FILE --images PATH            own pairs to train on: a TSV with columns file and caption, and a folder or zip of pictures
          --test-pairs FILE --test-images PATH  retrieval is measured on these
          --classes PATH                        zero-shot on a folder or zip of CLASS/PICTURE, by the folders' names
          --size N                  pixels a side; the default is 36, and 32 for CIFAR-10
        FOLDER gets clip.md, clip.json and clip.html.
        """;

    private static readonly string[] s_names =
        ["--out", "--data", "--tasks", "--epochs", "--seed", "--pairs", "--images", "--test-pairs", "--test-images", "--classes", "--size"];

    public required string Out { get; init; }

    public string? Data { get; init; }

    public required IReadOnlyList<string> Tasks { get; init; }

    public int Epochs { get; init; }

    public int Seed { get; init; }

    public int? Size { get; init; }

    public (string Pairs, string Images)? Train { get; init; }

    public (string Pairs, string Images)? Test { get; init; }

    public string? Classes { get; init; }

    /// <exception cref="SurveyException">An option is unknown, wrong or missing.</exception>
    public static ClipOptions Parse(string[] args)
    {
        var given = new Dictionary<string, string>();
        for (int i = 0; i < args.Length; i += 2)
        {
            if (!s_names.Contains(args[i]))
                throw new SurveyException($"'{args[i]}' is no option of the benchmark.\n{Help}");
            given[args[i]] = i + 1 < args.Length ? args[i + 1] : throw new SurveyException($"{args[i]} needs a value.");
        }
        (string, string)? train = Both("--pairs", "--images"), test = Both("--test-pairs", "--test-images");
        string? data = given.GetValueOrDefault("--data"), classes = given.GetValueOrDefault("--classes");
        string[] known = [NewDesign, NewConcept, Cifar, Unseen, Own];
        string[] tasks = given.GetValueOrDefault("--tasks")?.Split(',', StringSplitOptions.TrimEntries)
            ?? [.. known.Where(task => task == Own ? train is not null : data is not null)];
        if (tasks.Length == 0 || tasks.FirstOrDefault(task => !known.Contains(task)) is not null)
            throw new SurveyException($"--tasks takes {string.Join(", ", known)}; give --data for the first four, --pairs and --images for the last.\n{Help}");
        if (tasks.Contains(Own) && (train is null || (test is null && classes is null)))
            throw new SurveyException("The task own needs --pairs and --images to train on, and --test-pairs with --test-images, or --classes, to measure.");
        if (tasks.Any(task => task != Own) && data is null)
            throw new SurveyException("--data is missing: the folder that holds emoji/ and cifar10/.");
        return new ClipOptions
        {
            Out = given.GetValueOrDefault("--out") ?? throw new SurveyException($"--out is missing.\n{Help}"),
            Data = data,
            Tasks = tasks,
            Epochs = Number("--epochs") ?? 30,
            Seed = Number("--seed") ?? 1,
            Size = Number("--size"),
            Train = train,
            Test = test,
            Classes = classes,
        };

        int? Number(string name) => given.GetValueOrDefault(name) is not { } text ? null
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value > 0 ? value
            : throw new SurveyException($"{name} needs a whole number above 0, not '{text}'.");

        (string, string)? Both(string file, string images) => (given.GetValueOrDefault(file), given.GetValueOrDefault(images)) switch
        {
            ({ } a, { } b) => (a, b),
            (null, null) => null,
            _ => throw new SurveyException($"{file} and {images} go together."),
        };
    }
}
