namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

internal static class ViewAnswers
{
    public static IReadOnlyDictionary<string, Answer> All { get; } = new Dictionary<string, Answer>();
}
