namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

internal static class VisionAnswers
{
    public static IReadOnlyDictionary<string, Answer> All { get; } = new Dictionary<string, Answer>();
}
