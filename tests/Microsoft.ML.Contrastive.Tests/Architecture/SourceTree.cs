using System.Text.RegularExpressions;
using System.Xml.Linq;

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
    /// <summary>All files of the folder but those that the build writes, and those that the project file links into a room.</summary>
    public static IReadOnlyList<SourceFile> Read()
    {
        string project = Path.Combine(Repository.Root, "src", "Microsoft.ML.Contrastive");
        IEnumerable<SourceFile> own = Directory.EnumerateFiles(project, "*.cs", SearchOption.AllDirectories)
            .Select(path => (Path: path, Relative: Path.GetRelativePath(project, path).Replace('\\', '/')))
            .Where(file => file.Relative.Split('/')[0] is not ("obj" or "bin"))
            .Select(file => new SourceFile(file.Relative, File.ReadAllText(file.Path)));
        IEnumerable<SourceFile> linked = XDocument.Load(Path.Combine(project, "Microsoft.ML.Contrastive.csproj")).Descendants("Compile")
            .Select(item => (Path: item.Attribute("Include")?.Value, Room: item.Attribute("LinkBase")?.Value))
            .Where(item => item is { Path: not null, Room: not null })
            .Select(item => new SourceFile($"{item.Room}/{Path.GetFileName(item.Path)}", File.ReadAllText(Path.Combine(project, item.Path!))));
        return [.. own, .. linked];
    }

    /// <summary>Full names of the types that a file declares outside other types, as the compiler writes them: generic ones with `1 behind.</summary>
    public static IEnumerable<string> DeclaredTypes(SourceFile file)
    {
        string space = FileScopedNamespace().Match(file.Text).Groups[1].Value;
        return TopLevelType().Matches(file.Text).Select(match =>
            $"{space}.{match.Groups["name"].Value}{(match.Groups["parameters"] is { Success: true } parameters ? $"`{parameters.Value.Count(c => c == ',') + 1}" : "")}");
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
