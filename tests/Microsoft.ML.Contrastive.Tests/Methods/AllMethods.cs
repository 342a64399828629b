namespace Microsoft.ML.Contrastive.Tests;

/// <summary>Every method that the library ships, as a user would write it.</summary>
public static class AllMethods
{
    public static TheoryData<ContrastiveMethod> Data => new(Benchmarks.AllMethods.ByName.Values);
}
