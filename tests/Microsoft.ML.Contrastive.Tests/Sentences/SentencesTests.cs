using System.Globalization;
using System.Text.Json;
using Microsoft.ML.Contrastive.Tests.Texts;

namespace Microsoft.ML.Contrastive.Tests.Sentences;

/// <summary>The command as it is run: as a program, on files of made sentences.</summary>
public sealed class SentencesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sentences-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    [Trait("speed", "slow")]
    public void Every_method_makes_its_row_and_a_second_run_keeps_it()
    {
        string[] files = [.. Files(), "--vectors", Write("vectors.json", VectorsJson())], all = [.. files, "--steps", "2"];
        (int exitCode, string text) = Run(all);
        Assert.True(exitCode == 0, text);
        Assert.DoesNotContain("no result", text, StringComparison.Ordinal);
        JsonElement[] rows = Rows();
        Assert.Equal(
            ["consert", "esimcse", "featurize-text", "glove-mean", "glove-sif", "glove-supervised", "hashed-supervised", "overlap", "simcse", "simcse-supervised", "tfidf-trigrams", "tfidf-words", "untrained"],
            rows.Select(row => row.GetProperty("method").GetString()).Order(StringComparer.Ordinal));
        Assert.All(rows, row =>
        {
            Assert.InRange(row.GetProperty("sts").GetDouble(), -100, 100);
            Assert.InRange(row.GetProperty("alignment").GetDouble(), 0, 4);
            Assert.InRange(row.GetProperty("uniformity").GetDouble(), -8, 0.001);
            Assert.InRange(row.GetProperty("accuracy").GetDouble(), 0, 1);
        });
        // Kinds have words of their own, and pairs of a kind the higher scores: counting words must see both.
        Assert.InRange(Row(rows, "tfidf-words").GetProperty("sts").GetDouble(), 60, 100);
        Assert.InRange(Row(rows, "tfidf-words").GetProperty("accuracy").GetDouble(), 0.9, 1);
        Assert.Equal(Row(rows, "untrained").GetProperty("sts").GetDouble(), Row(rows, "simcse").GetProperty("start").GetDouble(), 6);
        Assert.NotEqual(Row(rows, "simcse").GetProperty("start").GetDouble(), Row(rows, "simcse").GetProperty("sts").GetDouble());
        Assert.All(["| overlap |", "beats its start", "Better than counting trigrams"], part => Assert.Contains(part, File.ReadAllText(Out("sentences.md")), StringComparison.Ordinal));
        string page = File.ReadAllText(Out("sentences.html"));
        Assert.Contains("<svg", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http", page, StringComparison.Ordinal); // it stands alone

        DateTime written = File.GetLastWriteTimeUtc(Out("runs/simcse-1.json"));
        (exitCode, text) = Run([.. all, "--methods", "simcse"]);
        Assert.True(exitCode == 0, text);
        Assert.Contains("simcse, seed 1: kept", text, StringComparison.Ordinal);
        Assert.Equal(written, File.GetLastWriteTimeUtc(Out("runs/simcse-1.json")));

        (exitCode, text) = Run([.. files, "--quick", "--methods", "simcse"]);
        Assert.Equal(2, exitCode);
        Assert.Contains("another --out", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_row_whose_file_is_missing_says_so_and_is_made_when_the_file_comes()
    {
        string[] files = [.. Files(), "--methods", "overlap,glove-mean"];
        (int exitCode, string text) = Run(files);
        Assert.True(exitCode == 0, text);
        Assert.Contains("glove-mean, seed 1: no result: Needs word vectors: name a file with --vectors", text, StringComparison.Ordinal);
        Assert.Contains("--vectors", Row(Rows(), "glove-mean").GetProperty("notApplicable").GetString(), StringComparison.Ordinal);

        (exitCode, text) = Run([.. files, "--vectors", Write("vectors.txt", VectorsText())]);
        Assert.True(exitCode == 0, text);
        Assert.Contains("overlap, seed 1: kept", text, StringComparison.Ordinal);
        Assert.InRange(Row(Rows(), "glove-mean").GetProperty("sts").GetDouble(), 20, 100);
    }

    [Fact]
    public void Two_layouts_of_pairs_give_the_same_figures()
    {
        string[] plain = Files(), others = ["--corpus", plain[1], "--classify", plain[5], "--data", _folder, "--methods", "overlap"];
        Assert.Equal(0, Run([.. others, "--sts", plain[3]]).ExitCode);
        double sts = Rows()[0].GetProperty("sts").GetDouble();
        string wide = Write("wide.csv", File.ReadLines(plain[3]).Select(line => $"main\tmade\t2026\t1\t{line}\tsource"));
        Directory.Delete(Out(""), recursive: true);
        Assert.Equal(0, Run([.. others, "--sts", wide]).ExitCode);
        Assert.Equal(sts, Rows()[0].GetProperty("sts").GetDouble());
    }

    [Theory]
    [InlineData("'nothing' is none of overlap, tfidf-words", "--methods", "nothing")]
    [InlineData("--seeds needs a whole number", "--seeds", "0")]
    [InlineData("--steps needs a value", "--steps")]
    [InlineData("'--stes' is no option", "--stes", "1")]
    [InlineData("--corpus: there is no file 'nowhere'", "--corpus", "nowhere")]
    [InlineData("--quick or --steps", "--quick", "--steps", "3")]
    [InlineData("name one with --sts", "--data", "nowhere")]
    public void A_wrong_option_is_named(string expected, params string[] options)
    {
        (int exitCode, string text) = Run(options);
        Assert.Equal(2, exitCode);
        Assert.Contains(expected, text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("line 2 is no scored pair", "--sts", "1\ta\tb\n2\tc\n")]
    [InlineData("no two pairs of different scores", "--sts", "1\ta\tb\n1\tc\td\n")]
    [InlineData("line 1 is not LABEL<TAB>SENTENCE", "--classify", "only a sentence\n")]
    [InlineData("no two lines of text", "--corpus", "one\n\n")]
    public void A_wrong_file_is_named_with_its_line(string expected, string option, string content)
    {
        string file = Path.Combine(_folder, "wrong.txt");
        File.WriteAllText(file, content);
        string[] files = Files();
        files[Array.IndexOf(files, option) + 1] = file;
        (int exitCode, string text) = Run([.. files, "--methods", "tfidf-words"]);
        Assert.Equal(2, exitCode);
        Assert.Contains(expected, text, StringComparison.Ordinal);
    }

    /// <summary>Options with a corpus, pairs and labels, and a data folder that has triplets.</summary>
    private string[] Files()
    {
        SmallCorpus.Row[] rows = SmallCorpus.Make(90, seed: 1);
        Write("snli-dev-triplets.tsv", rows[..45].Select(Triplet).Prepend("anchor\tpositive\tnegative"));
        Write("cad-nli-triplets.tsv", rows[45..].Select(Triplet).Prepend("anchor\tpositive\tnegative"));
        return
        [
            "--corpus", Write("corpus.txt", rows.Select(row => row.Text)),
            "--sts", Write("pairs.tsv", rows[..30].SelectMany(row => new[] { $"4.5\t{row.Text}\t{row.Positive}", $"1.0\t{row.Text}\t{row.Negative}" })),
            "--classify", Write("labels.tsv", rows.Select(row => $"{row.Kind}\t{row.Text}")),
            "--data", _folder,
        ];

        static string Triplet(SmallCorpus.Row row) => $"{row.Text}\t{row.Positive}\t{row.Negative}";
    }

    private static IEnumerable<(string Word, double[] Numbers)> Vectors()
    {
        var random = new Random(1);
        return SmallCorpus.Make(90, seed: 1).SelectMany(row => row.Text.Split(' ', ',', '.')).Where(word => word.Length > 0).Distinct()
            .Select(word => (word, Enumerable.Range(0, 16).Select(_ => Math.Round(random.NextDouble() - 0.5, 4)).ToArray()));
    }

    private static IEnumerable<string> VectorsText() => Vectors().Select(vector => $"{vector.Word} {string.Join(' ', vector.Numbers.Select(number => number.ToString(CultureInfo.InvariantCulture)))}");

    /// <summary>As the npm package has it: behind the numbers of a word stand its length and its place.</summary>
    private static IEnumerable<string> VectorsJson()
    {
        (string Word, double[] Numbers)[] vectors = [.. Vectors()];
        yield return JsonSerializer.Serialize(new
        {
            dimensions = 16, words = vectors.Select(vector => vector.Word), vectors = vectors.Index().ToDictionary(vector => vector.Item.Word, vector => vector.Item.Numbers.Append(1).Append(vector.Index)),
        });
    }

    private string Write(string name, IEnumerable<string> lines)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllLines(path, lines);
        return path;
    }

    private string Out(string name) => Path.Combine(_folder, "out", name);

    private JsonElement[] Rows() => [.. JsonElement.Parse(File.ReadAllText(Out("sentences.json"))).EnumerateArray()];

    private static JsonElement Row(JsonElement[] rows, string method) => rows.First(row => row.GetProperty("method").GetString() == method);

    private (int ExitCode, string Text) Run(string[] options)
    {
        (int exitCode, string output, string error) = BuiltProgram.Run(BuiltProgram.Benchmarks, ["sentences", "--out", Path.Combine(_folder, "out"), .. options]);
        return (exitCode, output + error);
    }
}
