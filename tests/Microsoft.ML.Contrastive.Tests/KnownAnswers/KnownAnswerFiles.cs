using System.Text.Json;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>A test to run: a case, or the problem that kept it from being read, which must fail and not vanish.</summary>
internal sealed record KnownAnswerRow(string DisplayName, KnownAnswerCase? Case, string? Problem);

/// <summary>Reads the cases from the folder of the tests and from the one that the environment names.</summary>
internal static class KnownAnswerFiles
{
    public const string FolderVariable = "CONTRASTIVE_KNOWN_ANSWERS";
    public const string OnlyVariable = "CONTRASTIVE_KNOWN_ANSWERS_ONLY";

    /// <summary>Every case of the tests' own files and of the <paramref name="further"/> folder, or of the latter <paramref name="only"/>.</summary>
    public static IEnumerable<KnownAnswerRow> Rows(string own, string? further, bool only)
    {
        IEnumerable<KnownAnswerRow> rows = only ? [] : FromFolder(own);
        if (!string.IsNullOrEmpty(further))
            return rows.Concat(FromFolder(further));
        return only ? [Broken(OnlyVariable, $"{OnlyVariable} is set, but {FolderVariable} names no folder.")] : rows;
    }

    public static IEnumerable<KnownAnswerRow> FromFolder(string folder)
    {
        if (!Directory.Exists(folder))
            return [Broken(folder, $"The folder {folder} does not exist.")];
        string[] files = [.. Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal)];
        return files.Length > 0 ? files.SelectMany(FromFile) : [Broken(folder, $"The folder {folder} holds no .json file.")];
    }

    public static IReadOnlyList<KnownAnswerRow> FromFile(string path)
    {
        string file = Path.GetFileName(path);
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("cases", out JsonElement cases) || cases.ValueKind != JsonValueKind.Array)
                return [Broken(file, $"{path} has no list named 'cases'.")];
            KnownAnswerRow[] rows = [.. cases.EnumerateArray().Select((element, index) => FromElement(file, index, element))];
            return rows.Length > 0 ? rows : [Broken(file, $"{path} has no cases.")];
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or JsonException)
        {
            return [Broken(file, $"{path} cannot be read: {problem.Message}")];
        }
    }

    private static KnownAnswerRow FromElement(string file, int index, JsonElement element)
    {
        string place = $"case number {index}";
        if (element.ValueKind != JsonValueKind.Object)
            return Broken($"{file}: {place}", $"{file}: {place} is no object.");
        string name = Text("name") ?? place;
        string display = $"{file}: {name}";
        if (Text("objective") is not { Length: > 0 } objective)
            return Broken(display, $"{display} has no objective.");
        // An empty list of expectations would pass without a comparison.
        if (Object("expected") is not { } expected || !expected.EnumerateObject().Any())
            return Broken(display, $"{display} expects nothing.");
        JsonElement tolerance = element.TryGetProperty("tolerance", out JsonElement given) ? given.Clone() : default;
        return new(display, new(file, name, objective, Object("inputs") ?? Empty, Object("parameters") ?? Empty, expected, tolerance), null);

        string? Text(string key) => element.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        JsonElement? Object(string key) => element.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Object ? value.Clone() : null;
    }

    private static JsonElement Empty => JsonElement.Parse("{}");

    private static KnownAnswerRow Broken(string displayName, string problem) => new(displayName, null, problem);
}
