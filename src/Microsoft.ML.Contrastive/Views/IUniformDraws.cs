namespace Microsoft.ML.Contrastive;

/// <summary>Where a rule takes its random numbers from: a seeded stream, or given numbers in a test.</summary>
internal interface IUniformDraws
{
    /// <summary>The next number, uniform in [0, 1).</summary>
    double NextDouble();
}
