namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Every method of the library with its default settings, found by itself: a new one needs no line here.</summary>
internal static class AllMethods
{
    public static IReadOnlyDictionary<string, ContrastiveMethod> ByName { get; } = typeof(ContrastiveMethod).Assembly.GetExportedTypes()
        .Where(type => type.IsSubclassOf(typeof(ContrastiveMethod)) && !type.IsAbstract)
        .OrderBy(type => type.Name, StringComparer.Ordinal)
        .ToDictionary(type => type.Name, type => (ContrastiveMethod)Activator.CreateInstance(type)!);
}
