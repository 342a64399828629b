using System.Text.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

public sealed class AnswerComparerTests
{
    private const string Expected = """{ "loss": 200.0, "rows": [[1.0, 2.0], [3.0, 4.0]], "final": { "queue": [0.5], "pointer": 1 }, "text": "ln K", "flag": true, "none": null }""";

    [Theory]
    [InlineData("200.0", "200.1", null)]
    [InlineData("4.0", "4.0009", null)]
    [InlineData("\"pointer\": 1", "\"pointer\": 1, \"more\": 7", null)]
    [InlineData("200.0", "200.3", "loss")]
    [InlineData("\"loss\"", "\"Loss\"", "loss")]
    [InlineData("200.0", "\"200.0\"", "loss")]
    [InlineData("200.0", "[200.0]", "loss")]
    [InlineData("200.0", "null", "loss")]
    [InlineData("200.0", "true", "loss")]
    [InlineData("4.0", "4.1", "rows[1][1]")]
    [InlineData("3.0, 4.0", "3.0", "rows[1]")]
    [InlineData("[3.0, 4.0]", "3.0", "rows[1]")]
    [InlineData("[3.0, 4.0]", "[3.0, 4.0], []", "rows")]
    [InlineData("[[1.0, 2.0], [3.0, 4.0]]", "[[[1.0, 2.0], [3.0, 4.0]]]", "rows")]
    [InlineData(", \"pointer\": 1", "", "final.pointer")]
    [InlineData("{ \"queue\": [0.5], \"pointer\": 1 }", "[0.5, 1]", "final")]
    [InlineData("ln K", "ln N", "text")]
    [InlineData("\"ln K\"", "1", "text")]
    [InlineData("true", "false", "flag")]
    [InlineData("true", "1", "flag")]
    [InlineData("null", "0", "none")]
    [InlineData(", \"none\": null", "", "none")]
    public void Every_expected_field_is_compared_and_the_wrong_one_named(string expected, string answered, string? wrong)
    {
        string answer = Expected.Replace(expected, answered, StringComparison.Ordinal);
        Assert.NotEqual(Expected, answer);
        IReadOnlyList<string> differences = Differences(Expected, "1e-3", JsonNode.Parse(answer)!.AsObject());
        if (wrong is null)
            Assert.Empty(differences);
        else
            Assert.StartsWith(wrong + ":", Assert.Single(differences), StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_may_have_a_tolerance_of_its_own_and_without_one_numbers_must_be_equal()
    {
        var answer = new JsonObject { ["near"] = new JsonArray(1.05f), ["exact"] = 2L };
        Assert.Empty(Differences("""{ "near": [1.0], "exact": 2 }""", """{ "near": 0.1 }""", answer));
        Assert.Single(Differences("""{ "near": [1.0], "exact": 2.0000001 }""", """{ "near": 0.1 }""", answer));
        Assert.Single(Differences("""{ "near": [1.0], "exact": 2 }""", """{ "near": 0.01 }""", answer));
    }

    [Fact]
    public void NaN_and_infinity_pass_only_where_expected()
    {
        var answer = new JsonObject { ["value"] = double.NaN };
        Assert.Single(Differences("""{ "value": 1.0 }""", "1e9", answer));
        Assert.Single(Differences("""{ "value": "Infinity" }""", "1e9", answer));
        Assert.Empty(Differences("""{ "value": "NaN" }""", "1e9", answer));
        Assert.Single(Differences("""{ "value": 1.0 }""", "1e9", new JsonObject { ["value"] = double.PositiveInfinity }));
    }

    private static IReadOnlyList<string> Differences(string expected, string tolerance, JsonObject answer)
        => AnswerComparer.Differences(JsonElement.Parse(expected), JsonElement.Parse(tolerance), answer);
}
