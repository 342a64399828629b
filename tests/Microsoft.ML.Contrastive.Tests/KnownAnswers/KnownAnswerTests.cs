using System.Text.Json.Nodes;
using TorchSharp;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>
/// Every case of the JSON files in Cases/ and in the folder that CONTRASTIVE_KNOWN_ANSWERS names (with
/// CONTRASTIVE_KNOWN_ANSWERS_ONLY=1 of the latter alone) is a test. It passes only if each expected field was compared.
/// </summary>
public sealed class KnownAnswerTests
{
    private const int ShownDifferences = 10;

    public static IEnumerable<ITheoryDataRow> Cases()
        => KnownAnswerFiles.Rows(
                Path.Combine(AppContext.BaseDirectory, "KnownAnswers", "Cases"),
                Environment.GetEnvironmentVariable(KnownAnswerFiles.FolderVariable),
                only: Environment.GetEnvironmentVariable(KnownAnswerFiles.OnlyVariable) == "1")
            .Select(row => new TheoryDataRow<KnownAnswerCase?, string?>(row.Case, row.Problem) { TestDisplayName = row.DisplayName, Label = "" });

    [Theory]
    [MemberData(nameof(Cases), DisableDiscoveryEnumeration = true)]
    public void Answer_is_the_known_one(KnownAnswerCase? given, string? problem)
    {
        if (given is null)
            Assert.Fail(problem ?? "No case.");
        using DisposeScope scope = torch.NewDisposeScope();
        JsonObject? answer = Answers.All.TryGetValue(given.Objective, out Answer? compute) ? compute(given) : null;
        Assert.SkipWhen(answer is null, $"No code of ours answers {(compute is null ? "" : "this form of ")}the objective '{given.Objective}' yet.");
        IReadOnlyList<string> differences = AnswerComparer.Differences(given.Expected, given.Tolerance, answer!);
        if (differences.Count > 0)
            Assert.Fail(string.Join(Environment.NewLine, differences.Take(ShownDifferences).Prepend($"{differences.Count} differences from the known answer; the first:")));
    }
}
