namespace Microsoft.ML.Contrastive.Tests;

/// <summary>Where the sources of these tests lie: found from the program, since a build for CI hides its source paths.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "ContrastiveML.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests must lie inside the repository: no folder above them holds ContrastiveML.sln.");
    }
}
