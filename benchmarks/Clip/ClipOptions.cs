using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What the benchmark of pictures and words is asked for.</summary>
internal sealed record ClipOptions
{
    public const string NewDesign = "design", NewConcept = "concept", Cifar = "cifar", Unseen = "unseen", Own = "own";

    public const string Help = """
        Usage: dotnet run -c Release --project benchmarks -- clip --out FOLDER [options]
          --data FOLDER             holds emoji/ and cifar10/ with their TSV files; default: ../shared/data
          --tasks A,B               design (one vendor's emoji, tested on the other's), concept (a fifth of the emoji held out),
                                    cifar (CIFAR-10 by its nouns), unseen (the same, two classes held out), own; default: own where --pairs are given, all others where not
          --epochs N                passes over the training pairs; default: 180 for design, 30 for concept, 10 for CIFAR-10, for own pairs 10 or as many as make 400 steps
          --seed N                  the default is 1
          --pairs FILE --images PATH            own pairs to train on: a TSV with columns file and caption, and a folder or zip of pictures
          --test-pairs FILE --test-images PATH  retrieval is measured on these; a picture may have several captions, and several pictures one
          --classes PATH                        zero-shot on a folder or zip of CLASS/PICTURE, by the folders' names
                                    (both by the model of the own pairs; without --pairs by each model that is trained)
          --size N                  pixels a side; the default is 36, for emoji 24, and 32 for CIFAR-10
        FOLDER gets clip.md, clip.json and clip.html.
        """;

    private static readonly string[] s_names =
        ["--out", "--data", "--tasks", "--epochs", "--seed", "--pairs", "--images", "--test-pairs", "--test-images", "--classes", "--size"];

    public required string Out { get; init; }

    public required string Data { get; init; }

    public required IReadOnlyList<string> Tasks { get; init; }

    /// <summary>Null where each task has its own.</summary>
    public int? Epochs { get; init; }

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
        string? classes = given.Text("--classes");
        string[] known = [NewDesign, NewConcept, Cifar, Unseen, Own];
        IReadOnlyList<string> tasks = given.Has("--tasks") ? given.Names("--tasks", known) : [.. known.Where(task => task == Own ? train is not null : train is null || given.Has("--data"))];
        if (tasks.Contains(Own) && (train is null || (test is null && classes is null)))
            throw new BenchmarkException("The task own needs --pairs and --images to train on, and --test-pairs with --test-images, or --classes, to measure.");
        if (train is not null && !tasks.Contains(Own))
            throw new BenchmarkException($"--pairs are for the task {Own}, which --tasks leaves out.");
        return new ClipOptions
        {
            Out = given.Out,
            Data = given.Text("--data") ?? Path.Combine("..", "shared", "data"),
            Tasks = tasks,
            Epochs = given.Whole("--epochs"),
            Seed = given.Whole("--seed") ?? 1,
            Size = given.Whole("--size"),
            Train = train,
            Test = test,
            Classes = classes,
        };

        (string, string)? Both(string file, string images) => given.Together(file, images) ? (given.Text(file)!, given.Text(images)!) : null;
    }
}
