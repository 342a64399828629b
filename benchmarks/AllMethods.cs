namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Every method of the library with its default settings, found by itself: a new one needs no line here.</summary>
internal static class AllMethods
{
    /// <summary>Those that learn from pictures.</summary>
    public static IReadOnlyDictionary<string, ContrastiveMethod> ByName { get; } = Find(type => !type.IsSubclassOf(typeof(TextMethod)) && type != typeof(Clip));

    /// <summary>Those that learn from texts.</summary>
    public static IReadOnlyDictionary<string, ContrastiveMethod> OfTexts { get; } = Find(type => type.IsSubclassOf(typeof(TextMethod)));

    /// <summary>Those that learn from pictures with texts.</summary>
    public static IReadOnlyDictionary<string, ContrastiveMethod> OfPairs { get; } = Find(type => type == typeof(Clip));

    private static Dictionary<string, ContrastiveMethod> Find(Func<Type, bool> belongs) => typeof(ContrastiveMethod).Assembly.GetExportedTypes()
        .Where(type => type.IsSubclassOf(typeof(ContrastiveMethod)) && !type.IsAbstract && belongs(type))
        .OrderBy(type => type.Name, StringComparer.Ordinal)
        .ToDictionary(type => type.Name, type => (ContrastiveMethod)Activator.CreateInstance(type)!);
}
