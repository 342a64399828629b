namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What claims are tried on, each read when it is first asked for, and the same for all arms and seeds.</summary>
internal sealed class ClaimsData(ClaimsOptions options)
{
    private const int TestPictures = 5_000, PairSide = 32;
    private readonly Dictionary<string, SurveyPictures> _pictures = [];
    private readonly Dictionary<(bool Sentences, bool HoldsOut), ClaimPairs> _pairs = [];
    private SentenceData? _texts;

    public ClaimsOptions Options => options;

    /// <summary>A fixed draw of both parts, in a fixed order.</summary>
    /// <param name="colour">Whether CIFAR-10 is meant, where the user named no pictures.</param>
    /// <exception cref="BenchmarkException">They are not there.</exception>
    public SurveyPictures Pictures(bool colour)
    {
        string name = options.PicturesName(colour);
        if (_pictures.TryGetValue(name, out SurveyPictures? read))
            return read;
        bool cifar = colour && options.Images is null && options.Train is null;
        SurveyPictures pictures = SurveyPictures.Read(new SurveyOptions
        {
            Out = options.Out,
            Methods = [],
            Images = options.Images,
            Train = cifar ? Cifar("train") : options.Train,
            Test = cifar ? Cifar("test") : options.Test,
            Size = options.Size,
            Data = options.Fashion,
        });
        return _pictures[name] = pictures with { Train = Draw(pictures.Train, options.TrainPictures), Test = Draw(pictures.Test, TestPictures) };

        string Cifar(string part) => InCifar($"cifar10-{part}.zip");
    }

    /// <exception cref="BenchmarkException">There are no pairs to measure on.</exception>
    public SentenceData Texts() => _texts ??= new SentenceData(new SentencesOptions
    {
        Out = options.Out, Methods = [], Data = Path.Combine(options.Data, "text"), Corpus = options.Corpus, Sts = options.Sts, WordNet = options.WordNet,
    });

    /// <summary>CIFAR-10 by its nouns, or the user's.</summary>
    /// <param name="sentences">Whether captions are sentences with the noun, a template of <see cref="PromptTemplates.Photos"/> for each row in turn, not the noun alone; the user's captions stay as they are.</param>
    /// <param name="holdsOut">Whether two classes are left out of the training.</param>
    /// <exception cref="BenchmarkException">They are not there.</exception>
    public ClaimPairs Pairs(bool sentences, bool holdsOut)
    {
        if (_pairs.TryGetValue((sentences, holdsOut), out ClaimPairs? read))
            return read;
        var pictures = new CaptionedPictures(PairSide);
        (CaptionedRow[] train, CaptionedRow[] test) = options.OwnPairs is var (file, images, classes)
            ? (pictures.Read(file, images, cell => new CaptionedRow { Caption = cell("caption") }), pictures.ReadClasses(classes))
            : (pictures.ReadCifar(options.Data, "train"), pictures.ReadCifar(options.Data, "test"));
        if (holdsOut && options.OwnPairs is not null)
            throw new BenchmarkException("Held-out classes are CIFAR-10's: leave --pairs out for this claim.");
        string[] unseen = holdsOut ? ["deer", "truck"] : [];
        if (sentences && options.OwnPairs is null)
            foreach ((int index, CaptionedRow row) in train.Index())
                row.Caption = PromptTemplates.Photos.Templates[index % PromptTemplates.Photos.Templates.Count].Replace(PromptTemplates.Placeholder, row.Caption, StringComparison.Ordinal);
        return _pairs[(sentences, holdsOut)] = new ClaimPairs(pictures, [.. train.Where(row => !unseen.Contains(row.Label))], Draw(test, TestPictures), unseen);
    }

    private string InCifar(string name)
    {
        string path = Path.Combine(options.Data, "cifar10", name);
        return File.Exists(path) ? path : throw new BenchmarkException($"CIFAR-10 is missing: there is no {path}. Name the folder that holds cifar10/ with --data, or pictures of yours with --images.");
    }

    private static T[] Draw<T>(T[] rows, int most)
    {
        T[] drawn = [.. rows];
        new Random(1).Shuffle(drawn);
        return drawn.Length > most ? drawn[..most] : drawn;
    }
}

/// <summary>Pictures with words to learn from, and pictures of classes to be told by words.</summary>
internal sealed record ClaimPairs(CaptionedPictures Pictures, CaptionedRow[] Train, CaptionedRow[] Test, IReadOnlyList<string> Unseen);
