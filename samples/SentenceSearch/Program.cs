using System.Globalization;
using FewLabels;
using Microsoft.ML;
using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using TextFewLabels;

// Search by meaning. Some thousands of real sentences are turned into vectors once; a query is compared with all of them. The encoder is a published one (--model FOLDER), or is
// trained here from nothing on all sentences and kept as an ML.NET model zip, which the next run loads.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args.Contains("--help"))
{
    Console.WriteLine("""
        usage: SentenceSearch [--model FOLDER] [--texts FILE] [--zip FILE] [--steps N] [--wordnet FOLDER] [QUERY ...]
          --model FOLDER    a model of sentence-transformers or Hugging Face, such as all-MiniLM-L6-v2; without one a small encoder is trained here
          --texts FILE      what is searched, a sentence a line (default: 5,000 of WordNet's example sentences)
          --zip FILE        where the trained encoder is kept (default sentence-search.zip)
          --steps N         training steps of 128 sentences (default 600)
          QUERY             what is looked for; without one, queries are read from the keyboard, an empty line ends
        """);
    return 0;
}
try
{
    var options = new Dictionary<string, string>();
    var queries = new List<string>();
    for (int i = 0; i < args.Length; i++)
        if (args[i].StartsWith("--", StringComparison.Ordinal))
            options[args[i]] = ++i < args.Length ? args[i] : throw new FormatException($"{args[^1]} needs a value.");
        else
            queries.Add(args[i]);

    var ml = new MLContext(seed: 1);
    string[] sentences = options.TryGetValue("--texts", out string? file) ? File.ReadAllLines(file)
        : [.. WordNet.Open(options.GetValueOrDefault("--wordnet"), Console.Error.WriteLine).Examples];
    string[] searched = options.ContainsKey("--texts") ? sentences : [.. sentences.Where((_, place) => place % Math.Max(1, sentences.Length / 5000) == 0).Take(5000)];
    using SentenceEmbeddingTransformer encoder = Open();
    IDataView library = encoder.Transform(View(searched));
    library = ml.Data.Cache(library, "Vector");
    Console.WriteLine($"{searched.Length} sentences, vectors of {encoder.FeatureSize} numbers");

    foreach (string query in queries.Count > 0 ? queries : Keyboard())
    {
        Console.WriteLine($"{query}");
        foreach (SearchHit hit in ml.Representation().Search(library, encoder.Transform(View([query])), "Vector", k: 5)[0])
            Console.WriteLine($"  {hit.Cosine:f3}  {searched[hit.Row]}");
    }
    return 0;

    SentenceEmbeddingTransformer Open()
    {
        if (options.TryGetValue("--model", out string? folder))
            return ml.Transforms.SentenceEmbedding("Vector", "Text", TextEncoder.FromFolder(folder)).Fit(View(searched));
        string zip = options.GetValueOrDefault("--zip", "sentence-search.zip");
        if (File.Exists(zip))
            return ml.Model.Load(zip, out _) switch
            {
                SentenceEmbeddingTransformer alone => alone,
                IEnumerable<ITransformer> chain => chain.OfType<SentenceEmbeddingTransformer>().First(),
                _ => throw new InvalidDataException($"{zip} holds no sentence encoder: delete it, or name another with --zip."),
            };
        Console.WriteLine($"Training on {sentences.Length} sentences, to be kept in {zip} ...");
        var training = new TrainingOptions { Steps = int.Parse(options.GetValueOrDefault("--steps", "600"), CultureInfo.InvariantCulture), BatchSize = 128, KeepFreedMemory = true };
        IDataView texts = View(sentences);
        SentenceEmbeddingTransformer trained = ml.Transforms.SentenceEmbedding("Vector", "Text", TextEncoder.Small() with { TokenLimit = 32 }, new SimCse(), training).Fit(texts);
        ml.Model.Save(trained, texts.Schema, zip);
        return trained;
    }

    IDataView View(IEnumerable<string> texts) => ml.Data.LoadFromEnumerable(texts.Select(text => new Sentence { Text = text }));

    static IEnumerable<string> Keyboard()
    {
        Console.Write("> ");
        while (Console.ReadLine() is { Length: > 0 } line)
        {
            yield return line;
            Console.Write("> ");
        }
    }
}
catch (Exception e) when (e is DataException or IOException or InvalidDataException or FormatException or ArgumentException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}

internal sealed class Sentence
{
    public string Text { get; set; } = "";
}
