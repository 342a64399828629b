using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What the survey is asked for.</summary>
internal sealed record SurveyOptions
{
    public const string Raw = "raw", Untrained = "untrained", Frozen = "frozen";

    public const string Help = """
        Usage: dotnet run -c Release --project benchmarks -- survey --out FOLDER [options]
          --methods A,B             default: raw, untrained, frozen and every method of the library
          --epochs N                passes over the training pictures, twice as many for BYOL and InstDisc, three times for SimSiam, a quarter for CPC; the default is 10
          --minutes-per-method N    instead: as many steps as N minutes have, by 20 timed steps
          --seeds N                 runs of each method, with seeds 1 to N; the default is 1
          --precision P             single, the default, or bfloat16
          --images PATH             folder or zip of train/CLASS/PICTURE and test/CLASS/PICTURE; default: Fashion-MNIST
          --train ZIP --test ZIP    instead: two folders or zips of CLASS/PICTURE
          --size N                  larger pictures are shrunk to N pixels a side, and pictures of several sizes cut square; the default is 48
          --data FOLDER             where Fashion-MNIST's files lie
        Runs that FOLDER holds already are kept; it gets survey.md and survey.json, of all of them.
        """;

    private static readonly string[] s_names = ["--out", "--methods", "--epochs", "--minutes-per-method", "--seeds", "--precision", "--images", "--train", "--test", "--size", "--data"];

    public required string Out { get; init; }

    public required IReadOnlyList<string> Methods { get; init; }

    public int Epochs { get; init; } = 10;

    /// <summary>Null where epochs count.</summary>
    public double? Minutes { get; init; }

    public int Seeds { get; init; } = 1;

    public Precision Precision { get; init; }

    public string? Images { get; init; }

    public string? Train { get; init; }

    public string? Test { get; init; }

    /// <summary>The longest that the shorter side of a picture may be, in pixels. Fashion-MNIST's have 28.</summary>
    public int Size { get; init; } = 48;

    public string? Data { get; init; }

    /// <summary>What all runs of one folder have in common.</summary>
    public string Budget => string.Create(
        CultureInfo.InvariantCulture,
        $"{(Minutes is { } minutes ? $"{minutes} minutes a method" : $"{Epochs} epochs")}{(Precision == Precision.Single ? "" : $", {Precision}")}; pictures: {(Images is null && Train is null ? "Fashion-MNIST" : $"{Images ?? $"{Train} and {Test}"}, up to {Size} pixels")}");

    public KeptRuns<SurveyRow> Runs => new(Out, Budget, "the survey");

    /// <exception cref="BenchmarkException">An option is unknown or wrong.</exception>
    public static SurveyOptions Parse(string[] args)
    {
        var given = new CommandLine(args, Help, s_names);
        if (given.Has("--epochs") && given.Has("--minutes-per-method"))
            throw new BenchmarkException("Give --epochs or --minutes-per-method, not both.");
        if (given.Together("--train", "--test") && given.Has("--images"))
            throw new BenchmarkException("Give --images, or --train and --test, not both.");
        return new SurveyOptions
        {
            Out = given.Out,
            Methods = given.Names("--methods", [Raw, Untrained, Frozen, .. AllMethods.ByName.Keys]),
            Epochs = given.Whole("--epochs") ?? 10,
            Minutes = given.Number("--minutes-per-method"),
            Seeds = given.Whole("--seeds") ?? 1,
            Precision = given.Precision,
            Images = given.Text("--images"),
            Train = given.Text("--train"),
            Test = given.Text("--test"),
            Size = given.Whole("--size") ?? 48,
            Data = given.Text("--data"),
        };
    }
}
