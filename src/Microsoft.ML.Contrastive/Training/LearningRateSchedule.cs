namespace Microsoft.ML.Contrastive;

/// <summary>
/// The rate of each step: linear from 0 to the peak over the warm-up, then half a cosine down to the end
/// (Loshchilov and Hutter 2017; Goyal et al. 2017).
/// </summary>
internal static class LearningRateSchedule
{
    /// <summary>The rate at <paramref name="step"/>, 0 .. <paramref name="total"/>.</summary>
    public static double WarmupCosine(double peak, double warmupSteps, long total, long step, double final = 0)
    {
        if (step < warmupSteps)
            return peak * step / warmupSteps;
        double done = total > warmupSteps ? (step - warmupSteps) / (total - warmupSteps) : 1;
        return final + (peak - final) * (1 + Math.Cos(Math.PI * done)) / 2;
    }
}
