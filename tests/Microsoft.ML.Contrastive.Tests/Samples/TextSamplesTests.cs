using Microsoft.ML.Contrastive.Tests.Texts;

namespace Microsoft.ML.Contrastive.Tests.Samples;

/// <summary>The samples for texts, run as a user runs them, on a small made WordNet.</summary>
[Trait("speed", "slow")]
public sealed class TextSamplesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("text-samples-").FullName;

    public TextSamplesTests()
    {
        int[] files = [5, 21, 18]; // noun.animal, noun.possession, noun.person
        SmallCorpus.Row[] rows = SmallCorpus.Make(420, 1);
        File.WriteAllLines(Path.Combine(_folder, "data.noun"), rows.Select((row, i) => $"{i:d8} {files[i % 3]:d2} n 01 word 0 000 | {row.Text}; \"{row.Positive}\"").Prepend("  1 a licence"));
        foreach (string file in new[] { "data.verb", "data.adj", "data.adv" })
            File.WriteAllText(Path.Combine(_folder, file), "  1 a licence\n");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Few_labels_shows_both_figures()
    {
        (int exitCode, string output, string error) = BuiltProgram.Run(BuiltProgram.TextFewLabels, "--wordnet", _folder, "--steps", "4", "--labels", "10");
        Assert.True(exitCode == 0, output + error);
        Assert.Contains("3 classes with 10 labelled each", output, StringComparison.Ordinal);
        Assert.Matches(@"[\d.]+ ?%  learned without labels by SimCSE", output);
        Assert.Matches(@"[\d.]+ ?%  FeaturizeText\s", output);
    }

    [Fact]
    public void Search_finds_a_sentence_by_itself_and_keeps_its_encoder()
    {
        string zip = Path.Combine(_folder, "model.zip"), query = SmallCorpus.Make(420, 1)[10].Positive;
        string[] arguments = ["--wordnet", _folder, "--steps", "4", "--zip", zip, query];
        (int exitCode, string output, string error) = BuiltProgram.Run(BuiltProgram.SentenceSearch, arguments);
        Assert.True(exitCode == 0, output + error);
        Assert.Contains($"  1.000  {query}", output, StringComparison.Ordinal);
        Assert.Contains("Training on", output, StringComparison.Ordinal);
        (int again, string second, _) = BuiltProgram.Run(BuiltProgram.SentenceSearch, arguments);
        Assert.Equal(0, again);
        Assert.DoesNotContain("Training on", second, StringComparison.Ordinal);
        Assert.Contains($"  1.000  {query}", second, StringComparison.Ordinal);
        Assert.Equal(1, BuiltProgram.Run(BuiltProgram.SentenceSearch, "--wordnet", Path.Combine(_folder, "nowhere"), "x").ExitCode);
    }
}
