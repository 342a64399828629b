namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

public sealed class KnownAnswerFilesTests : IDisposable
{
    private const string Good = """{ "cases": [ { "name": "a", "objective": "o", "expected": { "x": 1 }, "tolerance": 1e-6 } ] }""";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("known-answers-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_case_bears_the_names_of_its_file_and_its_own()
    {
        KnownAnswerRow row = Assert.Single(Rows(Good));
        Assert.Equal("file.json: a", row.DisplayName);
        Assert.Equal("o", row.Case!.Objective);
    }

    [Theory]
    [InlineData("""{ "cases": [ """)]
    [InlineData("""{ "case": [] }""")]
    [InlineData("""{ "cases": [] }""")]
    [InlineData("""[]""")]
    [InlineData("")]
    [InlineData("""{ "cases": [ 3 ] }""")]
    [InlineData("""{ "cases": [ { "name": "a", "expected": { "x": 1 } } ] }""")]
    [InlineData("""{ "cases": [ { "name": "a", "objective": "o", "expected": {} } ] }""")]
    [InlineData("""{ "cases": [ { "name": "a", "objective": "o" } ] }""")]
    public void A_malformed_file_or_case_is_a_failure_that_names_it(string json)
    {
        KnownAnswerRow row = Assert.Single(Rows(json));
        Assert.Null(row.Case);
        Assert.Contains("file.json", row.Problem, StringComparison.Ordinal);
        Assert.Contains("file.json", row.DisplayName, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_or_empty_folder_is_a_failure()
    {
        string missing = Path.Combine(_folder.FullName, "missing");
        Assert.Contains(missing, Assert.Single(KnownAnswerFiles.FromFolder(missing)).Problem, StringComparison.Ordinal);
        Assert.NotNull(Assert.Single(KnownAnswerFiles.FromFolder(_folder.FullName)).Problem);
        Assert.NotNull(Assert.Single(KnownAnswerFiles.Rows("own", null, only: true)).Problem);
    }

    [Fact]
    public void The_further_folder_comes_after_our_own_cases_or_alone()
    {
        string own = _folder.CreateSubdirectory("own").FullName, further = _folder.CreateSubdirectory("further").FullName;
        File.WriteAllText(Path.Combine(own, "own.json"), Good);
        File.WriteAllText(Path.Combine(further, "further.json"), Good);
        Assert.Equal(["own.json: a", "further.json: a"], KnownAnswerFiles.Rows(own, further, only: false).Select(row => row.DisplayName));
        Assert.Equal(["further.json: a"], KnownAnswerFiles.Rows(own, further, only: true).Select(row => row.DisplayName));
    }

    private IReadOnlyList<KnownAnswerRow> Rows(string json)
    {
        string path = Path.Combine(_folder.FullName, "file.json");
        File.WriteAllText(path, json);
        return KnownAnswerFiles.FromFile(path);
    }
}
