using System.Text.RegularExpressions;

namespace Microsoft.ML.Contrastive.Tests.Docs;

public sealed partial class DocsTests
{
    public static TheoryData<string> Pages => new(
        Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md").Append(Path.Combine(Repository.Root, "README.md"))
            .Select(page => Path.GetRelativePath(Repository.Root, page)));

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_page_shows_only_code_that_compiles(string page)
    {
        string tests = Path.Combine(Repository.Root, "tests", "Microsoft.ML.Contrastive.Tests");
        HashSet<string> compiled =
        [
            .. new[] { Path.Combine("Docs", "Snippets.cs"), "OwnMethod.cs" }.SelectMany(file => File.ReadLines(Path.Combine(tests, file))).Select(Bare),
        ];
        foreach (Match block in CSharpBlock().Matches(File.ReadAllText(Path.Combine(Repository.Root, page))))
            Assert.All(
                block.Groups[1].Value.Split('\n').Select(Bare).Where(line => line.Length > 0 && !line.StartsWith("using ", StringComparison.Ordinal) && !line.Contains("...", StringComparison.Ordinal)),
                line => Assert.Contains(line, compiled));
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_page_links_only_to_what_is_there(string page)
    {
        string folder = Path.GetDirectoryName(Path.Combine(Repository.Root, page))!;
        foreach (Match link in RelativeLink().Matches(File.ReadAllText(Path.Combine(Repository.Root, page))))
            Assert.True(Path.Exists(Path.Combine(folder, link.Groups[1].Value)), $"{page} links to {link.Groups[1].Value}");
    }

    /// <summary>A line without indentation and comment.</summary>
    private static string Bare(string line) => Comment().Replace(line, "").Trim();

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CSharpBlock();

    [GeneratedRegex(@"\s*//.*$")]
    private static partial Regex Comment();

    [GeneratedRegex(@"\]\((?!https?:|#)([^)#]+)")]
    private static partial Regex RelativeLink();
}
