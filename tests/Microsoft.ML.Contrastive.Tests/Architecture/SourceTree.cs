using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Microsoft.ML.Contrastive.Tests.Architecture;

/// <summary>A source file of the library; its room is the folder under the project, "" for the root.</summary>
internal sealed record SourceFile(string RelativePath, string Text)
{
    public string Room => RelativePath.Contains('/') ? RelativePath[..RelativePath.IndexOf('/')] : "";

    public IEnumerable<string> Folders => RelativePath.Split('/').SkipLast(1);

    public override string ToString() => RelativePath;
}

/// <summary>The library's sources. Namespaces are flat, so only the folder of its file tells which room a type lives in.</summary>
internal static partial class SourceTree
{
    /// <summary>All files but those that the build writes.</summary>
    public static IReadOnlyList<SourceFile> Read()
    {
        string project = Path.Combine(RepositoryRoot(), "src", "Microsoft.ML.Contrastive");
        return [.. Directory.EnumerateFiles(project, "*.cs", SearchOption.AllDirectories)
            .Select(path => (Path: path, Relative: Path.GetRelativePath(project, path).Replace('\\', '/')))
            .Where(file => !file.Relative.StartsWith("obj/", StringComparison.Ordinal) && !file.Relative.StartsWith("bin/", StringComparison.Ordinal))
            .Select(file => new SourceFile(file.Relative, File.ReadAllText(file.Path)))];
    }

    /// <summary>Full names of the types that a file declares outside other types, as the compiler writes them: generic ones with `1 behind.</summary>
    public static IEnumerable<string> DeclaredTypes(SourceFile file)
    {
        string space = FileScopedNamespace().Match(file.Text).Groups[1].Value;
        return TopLevelType().Matches(file.Text).Select(match =>
            $"{space}.{match.Groups["name"].Value}{(match.Groups["parameters"] is { Success: true } parameters ? $"`{parameters.Value.Count(c => c == ',') + 1}" : "")}");
    }

    /// <summary>The folder with the solution, above this file or, where a deterministic build hides its path, above the program.</summary>
    private static string RepositoryRoot([CallerFilePath] string thisFile = "")
        => new[] { thisFile, AppContext.BaseDirectory }
            .SelectMany(start => Ancestors(new DirectoryInfo(start)))
            .First(folder => File.Exists(Path.Combine(folder, "ContrastiveML.sln")));

    private static IEnumerable<string> Ancestors(DirectoryInfo? folder)
    {
        for (; folder is not null; folder = folder.Parent)
            yield return folder.FullName;
    }

    [GeneratedRegex(@"^namespace\s+([\w.]+)\s*;", RegexOptions.Multiline)]
    private static partial Regex FileScopedNamespace();

    // At the start of a line: with file-scoped namespaces, which the build enforces, nested types are indented.
    [GeneratedRegex(
        @"^(?:\[[^\]]*\]\s*)*(?:(?:public|internal|static|sealed|abstract|partial|readonly|ref|unsafe)\s+)*"
        + @"(?:class|struct|interface|enum|record(?:\s+(?:class|struct))?|delegate\s[^(;]*?(?=\s\w+(?:<[^>(]*>)?\())\s+(?<name>\w+)(?:<(?<parameters>[^>]*)>)?",
        RegexOptions.Multiline)]
    private static partial Regex TopLevelType();
}
