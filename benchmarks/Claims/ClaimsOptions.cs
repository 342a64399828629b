using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What <c>claims</c> is asked for.</summary>
internal sealed record ClaimsOptions
{
    public const string Help = """
        Usage: dotnet run -c Release --project benchmarks -- claims --out FOLDER [options]
          --list                    names and statements of all claims, and nothing else
          --only A,B                these claims; default: all
          --seeds N                 runs of each arm, with seeds 1 to N; the default is 3, and 1 with --quick
          --quick                   the cheapest form of each claim: fewer arms, shorter runs
          --steps N                 instead of either length: so many steps of a standard arm; others in proportion
          --workers N               runs side by side, each in a process with its share of the processors; default: as many as there are processors, 4 at most.
                                    Other commands on the same FOLDER share the work too
          --page                    trains nothing: writes the page again from the runs that are there
        Pictures, as survey has them:
          --images PATH             folder or zip of train/CLASS/PICTURE and test/CLASS/PICTURE, for all claims about pictures; default: Fashion-MNIST, CIFAR-10 where colour is needed
          --train ZIP --test ZIP    instead: two folders or zips of CLASS/PICTURE
          --size N                  larger pictures are shrunk to N pixels a side; the default is 48
          --fashion FOLDER          where Fashion-MNIST's files lie (survey's --data)
        Texts, as sentences has them:
          --corpus FILE, --sts FILE, --wordnet FOLDER
        Pictures with words, as clip has them:
          --pairs FILE              a TSV with columns file and caption, instead of CIFAR-10's nouns
          --pair-images PATH        their folder or zip (clip's --images)
          --classes PATH            a folder or zip of CLASS/PICTURE to tell by words; goes with --pairs
        For all:
          --data FOLDER             holds text/, cifar10/ and tokenizers/; default: ../shared/data
          --survey FOLDER, --sentences FOLDER, --clip FOLDER   where these commands' results lie: their figures go into the page
        Runs that FOLDER holds already are kept; it gets claims.md, claims.json, claims.html and map.svg.
        """;

    private const int MostWorkers = 4;
    private static readonly string[] s_flags = ["--list", "--quick", "--page"];
    private static readonly string[] s_named =
    [
        "--out", "--only", "--seeds", "--steps", "--images", "--train", "--test", "--size", "--fashion", "--corpus", "--sts", "--wordnet", "--pairs", "--pair-images", "--classes",
        "--data", "--survey", "--sentences", "--clip", "--workers",
    ];

    public required string Out { get; init; }

    public required IReadOnlyList<Claim> Claims { get; init; }

    public int Seeds { get; init; } = 3;

    public bool List { get; init; }

    public bool Quick { get; init; }

    public bool PageOnly { get; init; }

    /// <summary>Processes that make runs side by side.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Null where the length is the full or the quick one.</summary>
    public int? Steps { get; init; }

    public string? Images { get; init; }

    public string? Train { get; init; }

    public string? Test { get; init; }

    public int Size { get; init; } = 48;

    public string? Fashion { get; init; }

    public string? Corpus { get; init; }

    public string? Sts { get; init; }

    public string? WordNet { get; init; }

    public (string Pairs, string Images, string Classes)? OwnPairs { get; init; }

    public string Data { get; init; } = Path.Combine("..", "shared", "data");

    public string? Survey { get; init; }

    public string? Sentences { get; init; }

    public string? Clip { get; init; }

    /// <summary>Pictures to learn from at most: five epochs of a standard arm, long or quick.</summary>
    public int TrainPictures => Quick ? 5_000 : 20_000;

    /// <summary>Of these, labelled ones that measures use.</summary>
    public int Labelled => Quick ? 5_000 : 10_000;

    /// <summary>What all runs have in common, in words.</summary>
    public string Budget => string.Create(CultureInfo.InvariantCulture, $"{(Steps is { } steps ? $"{steps} steps" : Quick ? "the quick form" : "the full form")}: standard arms see {PictureSteps(1, PictureArm.StandardBatch)} batches of {PictureArm.StandardBatch} pictures, {TextSteps(1)} batches of {TextArm.BatchSize} texts or {PairSteps(1)} batches of {PairArm.BatchSize} pictures with words{OwnData}");

    /// <summary>What of the user's stands in the place of the data that claims speak of.</summary>
    private string OwnData => string.Concat(new[]
    {
        Images is null && Train is null ? null : $"; pictures: {PicturesName(colour: false)}, which is what to read for Fashion-MNIST and CIFAR-10 below",
        Corpus is null ? null : $"; texts: {Corpus}", Sts is null ? null : $"; scored pairs: {Sts}", OwnPairs is null ? null : $"; pictures with words: {OwnPairs.Value.Pairs}, in the place of CIFAR-10's nouns",
    });

    /// <summary>Steps in which an arm sees the pictures that it should, whatever its batch.</summary>
    public long PictureSteps(double length, int batch) => Share(length * PictureArm.StandardBatch / batch, full: 400, quick: 100);

    public long TextSteps(double length) => Share(length, full: 240, quick: 80);

    public long PairSteps(double length) => Share(length, full: 780, quick: 240);

    public string PicturesName(bool colour) => Images is null && Train is null ? colour ? "CIFAR-10" : "Fashion-MNIST"
        : string.Create(CultureInfo.InvariantCulture, $"{Images ?? $"{Train} and {Test}"}, up to {Size} pixels");

    /// <exception cref="BenchmarkException">An option is unknown or wrong.</exception>
    public static ClaimsOptions Parse(string[] args)
    {
        var given = new CommandLine(args, Help, s_named, s_flags);
        bool quick = given.Has("--quick"), list = given.Has("--list");
        if (given.Together("--train", "--test") && given.Has("--images"))
            throw new BenchmarkException("Give --images, or --train and --test, not both.");
        IReadOnlyList<Claim> all = AllClaims.List;
        IReadOnlyList<string> only = given.Names("--only", all.Select(claim => claim.Name));
        return new ClaimsOptions
        {
            Out = list ? "" : given.Out,
            Claims = [.. all.Where(claim => only.Contains(claim.Name))],
            Seeds = given.Whole("--seeds") ?? (quick ? 1 : 3),
            List = list,
            Quick = quick,
            PageOnly = given.Has("--page"),
            Steps = given.Whole("--steps"),
            Workers = given.Whole("--workers") ?? Math.Min(Environment.ProcessorCount, MostWorkers),
            Images = given.Text("--images"),
            Train = given.Text("--train"),
            Test = given.Text("--test"),
            Size = given.Whole("--size") ?? 48,
            Fashion = given.Text("--fashion"),
            Corpus = given.File("--corpus"),
            Sts = given.File("--sts"),
            WordNet = given.Text("--wordnet"),
            OwnPairs = given.Together("--pairs", "--pair-images", "--classes") ? (given.File("--pairs")!, given.Text("--pair-images")!, given.Text("--classes")!) : null,
            Data = given.Text("--data") ?? Path.Combine("..", "shared", "data"),
            Survey = given.Text("--survey"),
            Sentences = given.Text("--sentences"),
            Clip = given.Text("--clip"),
        };
    }

    /// <summary>0 for an arm that is not trained, otherwise at least 1.</summary>
    private long Share(double length, int full, int quick) => length == 0 ? 0 : Math.Max(1, (long)Math.Round(length * (Steps ?? (Quick ? quick : full))));
}
