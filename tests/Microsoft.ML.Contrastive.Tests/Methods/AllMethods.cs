namespace Microsoft.ML.Contrastive.Tests;

/// <summary>Every method that the library ships, as a user would write it: a new one is one more line here.</summary>
public static class AllMethods
{
    public static TheoryData<ContrastiveMethod> Data =>
    [
        new SimClrV1(),
        new MoCoV1(),
        new MoCoV2(),
        new MoCoV3(),
        new Byol(),
        new SimSiam(),
        new InvaSpread(),
    ];
}
