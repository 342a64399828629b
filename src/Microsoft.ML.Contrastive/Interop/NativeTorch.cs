namespace Microsoft.ML.Contrastive;

internal static class NativeTorch
{
    public static void EnsureLoaded()
    {
    }
}
