namespace Microsoft.ML.Contrastive.Tests;

/// <summary>Every method that the library ships, as a user would write it.</summary>
public static class AllMethods
{
    /// <summary>Those that learn from pictures.</summary>
    public static TheoryData<ContrastiveMethod> Data => new(Benchmarks.AllMethods.ByName.Values);

    /// <summary>Those that learn from pictures with texts.</summary>
    public static TheoryData<ContrastiveMethod> OfPairs => new(Benchmarks.AllMethods.OfPairs.Values);

    /// <summary>Those that learn from texts.</summary>
    public static TheoryData<TextMethod> OfTexts => new(Benchmarks.AllMethods.OfTexts.Values.Cast<TextMethod>());
}
