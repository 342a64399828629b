using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>
/// Holds an answer against what a case expects, leaf by leaf; walking the expectation, not the answer, is what makes
/// every expected field be compared. Keys that only the answer has are ignored.
/// </summary>
internal static class AnswerComparer
{
    /// <summary>One line for each place that differs, with its path; none when the answer is right.</summary>
    /// <param name="expected">An object.</param>
    /// <param name="tolerance">
    /// A number, or an object with one number for each key of <paramref name="expected"/>, relative to max(1, |expected|).
    /// Without one, numbers must be equal.
    /// </param>
    /// <param name="answer">What our code computed.</param>
    public static IReadOnlyList<string> Differences(JsonElement expected, JsonElement tolerance, JsonObject answer)
    {
        var differences = new List<string>();
        foreach (JsonProperty property in expected.EnumerateObject())
            CompareProperty(property, "", ToleranceOf(property.Name, tolerance), answer, differences);
        return differences;
    }

    private static double ToleranceOf(string key, JsonElement tolerance) => tolerance.ValueKind switch
    {
        JsonValueKind.Number => tolerance.GetDouble(),
        JsonValueKind.Object when tolerance.TryGetProperty(key, out JsonElement own) && own.ValueKind == JsonValueKind.Number => own.GetDouble(),
        _ => 0,
    };

    private static void CompareProperty(JsonProperty property, string path, double tolerance, JsonObject answer, List<string> differences)
    {
        path = path.Length == 0 ? property.Name : $"{path}.{property.Name}";
        if (answer.TryGetPropertyValue(property.Name, out JsonNode? node))
            Compare(property.Value, path, tolerance, node, differences);
        else
            differences.Add($"{path}: missing in the answer");
    }

    private static void Compare(JsonElement expected, string path, double tolerance, JsonNode? answer, List<string> differences)
    {
        switch (expected.ValueKind, answer)
        {
            case (JsonValueKind.Object, JsonObject given):
                foreach (JsonProperty property in expected.EnumerateObject())
                    CompareProperty(property, path, tolerance, given, differences);
                break;
            case (JsonValueKind.Array, JsonArray given):
                if (given.Count != expected.GetArrayLength())
                    differences.Add($"{path}: expected {expected.GetArrayLength()} items, got {given.Count}");
                else
                    foreach ((int index, JsonElement item) in expected.EnumerateArray().Index())
                        Compare(item, $"{path}[{index}]", tolerance, given[index], differences);
                break;
            default:
                if (!LeafIsRight(expected, tolerance, answer))
                    differences.Add($"{path}: expected {Shown(expected)}, got {Shown(answer)} (tolerance {tolerance.ToString(CultureInfo.InvariantCulture)})");
                break;
        }
    }

    private static bool LeafIsRight(JsonElement expected, double tolerance, JsonNode? answer) => expected.ValueKind switch
    {
        JsonValueKind.Null => answer is null,
        JsonValueKind.True or JsonValueKind.False => answer?.GetValueKind() == expected.ValueKind,
        // JSON has no number for these three; as an expectation they are written as text.
        JsonValueKind.String when Number(answer) is { } number && !double.IsFinite(number)
            => number.ToString(CultureInfo.InvariantCulture) == expected.GetString(),
        JsonValueKind.String => answer?.GetValueKind() == JsonValueKind.String && answer.GetValue<string>() == expected.GetString(),
        // NaN makes the comparison false.
        JsonValueKind.Number when Number(answer) is { } number
            => Math.Abs(number - expected.GetDouble()) <= tolerance * Math.Max(1, Math.Abs(expected.GetDouble())),
        _ => false,
    };

    private static double? Number(JsonNode? answer)
        => answer is JsonValue value && value.GetValueKind() == JsonValueKind.Number
            ? value.GetValue<object>() switch
            {
                JsonElement element => element.GetDouble(),
                IConvertible number => number.ToDouble(CultureInfo.InvariantCulture),
                _ => null,
            }
            : null;

    private static string Shown(JsonElement expected) => Shortened(expected.GetRawText());

    private static string Shown(JsonNode? answer)
        => Number(answer)?.ToString("R", CultureInfo.InvariantCulture)
            ?? answer switch { null => "null", JsonArray array => $"a list of {array.Count}", JsonObject => "an object", _ => Shortened(answer.ToJsonString()) };

    private static string Shortened(string text) => text.Length <= 80 ? text : text[..77] + "...";
}
