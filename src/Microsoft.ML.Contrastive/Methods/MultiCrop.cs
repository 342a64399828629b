namespace Microsoft.ML.Contrastive;

/// <summary>
/// Multi-crop (Caron et al. 2020, "Unsupervised learning of visual features by contrasting cluster assignments", section 3.3): beside two
/// views of large parts of a picture, several of small parts at a lower resolution, which are cheap. All are predicted, only
/// the large ones say what is to be predicted.
/// </summary>
internal static class MultiCrop
{
    /// <summary>Views of large parts: from them the targets are made.</summary>
    public const int GlobalViews = 2;

    private const double PublishedShare = 96.0 / 224;

    /// <summary>
    /// Two global views and <paramref name="count"/> local ones. Under 64 pixels the two alone, as papers on CIFAR-10 have it: less
    /// than half of such a side is too few pixels for most networks.
    /// </summary>
    public static ImageAugmentation[] Recipes(RunFacts facts, ImageAugmentation first, ImageAugmentation second, ImageAugmentation local, int count)
    {
        ImageAugmentation[] global = [facts.AtThisSize(first), facts.AtThisSize(second)];
        if (facts.SmallImages)
            return global;
        int side = LocalSide(facts);
        return [.. global, .. Enumerable.Repeat(local with { Size = side, Blur = side < 64 ? null : local.Blur }, count)];
    }

    /// <summary>96 / 224 of the shorter side, as published, in whole patches, and not below the encoder's minimum.</summary>
    public static int LocalSide(RunFacts facts)
    {
        var encoder = facts.Encoder as ImageEncoder;
        int multiple = encoder?.SideMultiple ?? 1, least = encoder?.MinImageSize ?? 1;
        int share = (int)Math.Round(PublishedShare * Math.Min(facts.ImageHeight, facts.ImageWidth) / multiple) * multiple;
        return Math.Max(share, least);
    }

    /// <summary>Throws unless the recipes, where they are given, are two of one size and any number behind them.</summary>
    public static void Check(ContrastiveMethod method)
    {
        if (method.Augmentations is not { } given)
            return;
        if (given.Count < GlobalViews)
            throw new ArgumentException($"{method.GetType().Name} needs {GlobalViews} views or more, but Augmentations has {given.Count}.", nameof(method.Augmentations));
        if (given[0].Size != given[1].Size)
            throw new ArgumentException($"The first two Augmentations of {method.GetType().Name} must have the same Size: only those behind them may be smaller.", nameof(method.Augmentations));
    }
}
