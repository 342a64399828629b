using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What the survey is asked for.</summary>
internal sealed record SurveyOptions
{
    public const string Raw = "raw", Untrained = "untrained", Frozen = "frozen";

    public const string Help = """
        Usage: dotnet run -c Release --project benchmarks -- survey --out FOLDER [options]
          --methods A,B             default: raw, untrained, frozen and every method of the library
          --epochs N                passes over the training pictures; the default is 10
          --minutes-per-method N    instead: as many steps as N minutes have, by 20 timed steps
          --seeds N                 runs of each method, with seeds 1 to N; the default is 1
          --precision P             single, the default, or bfloat16
          --images PATH             folder or zip of train/CLASS/PICTURE and test/CLASS/PICTURE; default: Fashion-MNIST
          --train ZIP --test ZIP    instead: two folders or zips of CLASS/PICTURE
          --size N                  larger pictures are shrunk to N pixels a side, and pictures of several sizes cut square; the default is 48
          --data FOLDER             where Fashion-MNIST's files lie
        Runs that FOLDER holds already are kept; it gets survey.md and survey.json.
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

    /// <exception cref="SurveyException">An option is unknown or wrong.</exception>
    public static SurveyOptions Parse(string[] args)
    {
        var given = new Dictionary<string, string>();
        for (int i = 0; i < args.Length; i += 2)
        {
            if (!s_names.Contains(args[i]))
                throw new SurveyException($"'{args[i]}' is no option of the survey.\n{Help}");
            given[args[i]] = i + 1 < args.Length ? args[i + 1] : throw new SurveyException($"{args[i]} needs a value.");
        }
        if (given.ContainsKey("--epochs") && given.ContainsKey("--minutes-per-method"))
            throw new SurveyException("Give --epochs or --minutes-per-method, not both.");
        if (given.ContainsKey("--train") != given.ContainsKey("--test") || (given.ContainsKey("--train") && given.ContainsKey("--images")))
            throw new SurveyException("--train and --test go together, and not with --images.");
        string[] known = [Raw, Untrained, Frozen, .. AllMethods.ByName.Keys];
        string[] methods = given.GetValueOrDefault("--methods")?.Split(',', StringSplitOptions.TrimEntries) ?? known;
        if (methods.FirstOrDefault(method => !known.Contains(method)) is { } unknown)
            throw new SurveyException($"--methods: '{unknown}' is none of {string.Join(", ", known)}.");
        return new SurveyOptions
        {
            Out = given.GetValueOrDefault("--out") ?? throw new SurveyException($"--out is missing.\n{Help}"),
            Methods = methods,
            Epochs = (int)Number("--epochs", 10, whole: true),
            Minutes = given.ContainsKey("--minutes-per-method") ? Number("--minutes-per-method", 0, whole: false) : null,
            Seeds = (int)Number("--seeds", 1, whole: true),
            Precision = PrecisionOption.Parse(given.GetValueOrDefault("--precision"), message => new SurveyException(message)),
            Images = given.GetValueOrDefault("--images"),
            Train = given.GetValueOrDefault("--train"),
            Test = given.GetValueOrDefault("--test"),
            Size = (int)Number("--size", 48, whole: true),
            Data = given.GetValueOrDefault("--data"),
        };

        double Number(string name, double otherwise, bool whole)
            => given.GetValueOrDefault(name) is not { } text ? otherwise
                : double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
                    && value > 0 && value <= 1e6 && !(whole && value % 1 != 0) ? value
                : throw new SurveyException($"{name} needs a {(whole ? "whole " : "")}number above 0, not '{text}'.");
    }
}

/// <summary>The survey can't do what it was asked for; the message says why.</summary>
internal sealed class SurveyException(string message) : Exception(message);
