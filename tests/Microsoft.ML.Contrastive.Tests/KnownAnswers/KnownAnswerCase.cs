using System.Text.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>One case of a known-answers file; its <see cref="Objective"/> alone says who answers it.</summary>
public sealed record KnownAnswerCase(
    string File, string Name, string Objective, JsonElement Inputs, JsonElement Parameters, JsonElement Expected, JsonElement Tolerance);

/// <summary>
/// Computes, with the library's own code, every field of the case's <c>expected</c>, under the same names; null where no
/// code of ours answers this form of the objective yet (the case is then skipped, never passed).
/// </summary>
internal delegate JsonObject? Answer(KnownAnswerCase given);

/// <summary>Who answers which objective.</summary>
internal static class Answers
{
    public static IReadOnlyDictionary<string, Answer> All { get; } = new[] { ViewAnswers.All, VisionAnswers.All, TrajectoryAnswers.All, FormatAnswers.All, EvaluationAnswers.All, TextAnswers.All, ClipAnswers.All, TokenizerAnswers.All }
        .SelectMany(room => room).ToDictionary(entry => entry.Key, entry => entry.Value);
}
