namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

internal static class FormatAnswers
{
    public static IReadOnlyDictionary<string, Answer> All { get; } = new Dictionary<string, Answer>();
}
