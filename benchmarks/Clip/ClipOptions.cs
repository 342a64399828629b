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

    /// <exception cref="BenchmarkException">An option is unknown, wrong or missing.</exception>
    public static ClipOptions Parse(string[] args)
    {
        var given = new CommandLine(args, Help, s_names);
        (string, string)? train = Both("--pairs", "--images"), test = Both("--test-pairs", "--test-images");
        string? data = given.Text("--data"), classes = given.Text("--classes");
        string[] known = [NewDesign, NewConcept, Cifar, Unseen, Own];
        IReadOnlyList<string> tasks = given.Has("--tasks") ? given.Names("--tasks", known) : [.. known.Where(task => task == Own ? train is not null : data is not null)];
        if (tasks.Count == 0)
            throw new BenchmarkException($"Give --data for {string.Join(", ", known[..^1])}, --pairs and --images for {Own}.\n{Help}");
        if (tasks.Contains(Own) && (train is null || (test is null && classes is null)))
            throw new BenchmarkException("The task own needs --pairs and --images to train on, and --test-pairs with --test-images, or --classes, to measure.");
        if (tasks.Any(task => task != Own) && data is null)
            throw new BenchmarkException("--data is missing: the folder that holds emoji/ and cifar10/.");
        return new ClipOptions
        {
            Out = given.Out,
            Data = data,
            Tasks = tasks,
            Epochs = given.Whole("--epochs") ?? 30,
            Seed = given.Whole("--seed") ?? 1,
            Size = given.Whole("--size"),
            Train = train,
            Test = test,
            Classes = classes,
        };

        (string, string)? Both(string file, string images) => given.Together(file, images) ? (given.Text(file)!, given.Text(images)!) : null;
    }
}
