namespace Microsoft.ML.Contrastive;

/// <summary>A box of a picture, in pixels.</summary>
internal readonly record struct CropBox(int Top, int Left, int Height, int Width)
{
    /// <summary>After this many boxes that do not fit, the centre is taken.</summary>
    public const int MaxAttempts = 10;

    /// <summary>One try at a box's size, from two uniform numbers.</summary>
    internal readonly record struct Proposal(double TargetArea, double Aspect, int Height, int Width, bool Fits);

    /// <summary>
    /// Draws the box of a random resized crop as torchvision does. Order of the draws: area and logarithm of the ratio,
    /// up to ten times, then, for a box that fits, its top and its left edge. <paramref name="attempt"/> is the try that
    /// fitted, from 1; 0 for the centre crop after ten failures.
    /// </summary>
    public static CropBox Draw<TDraws>(int pictureHeight, int pictureWidth, RandomResizedCrop rule, ref TDraws draws, out int attempt)
        where TDraws : struct, IUniformDraws
    {
        for (attempt = 1; attempt <= MaxAttempts; attempt++)
        {
            double area = draws.NextDouble(), logRatio = draws.NextDouble();
            Proposal proposal = Propose(pictureHeight, pictureWidth, rule, area, logRatio);
            if (!proposal.Fits)
                continue;
            int top = (int)(draws.NextDouble() * (pictureHeight - proposal.Height + 1));
            int left = (int)(draws.NextDouble() * (pictureWidth - proposal.Width + 1));
            return new CropBox(top, left, proposal.Height, proposal.Width);
        }
        attempt = 0;
        return LargestCentred(pictureHeight, pictureWidth, rule);
    }

    /// <summary>The size that two uniform numbers stand for; sides are rounded half to even.</summary>
    public static Proposal Propose(int pictureHeight, int pictureWidth, RandomResizedCrop rule, double area, double logRatio)
    {
        double target = (double)pictureHeight * pictureWidth * (rule.MinArea + area * (rule.MaxArea - rule.MinArea));
        double low = Math.Log(rule.MinRatio), high = Math.Log(rule.MaxRatio);
        double aspect = Math.Exp(low + logRatio * (high - low));
        int height = Side(target / aspect), width = Side(target * aspect);
        return new Proposal(target, aspect, height, width, height > 0 && height <= pictureHeight && width > 0 && width <= pictureWidth);
    }

    /// <summary>The side of a square of the given area, rounded half to even.</summary>
    public static int Side(double area) => (int)Math.Round(Math.Sqrt(area), MidpointRounding.ToEven);

    private static CropBox LargestCentred(int pictureHeight, int pictureWidth, RandomResizedCrop rule)
    {
        int height = pictureHeight, width = pictureWidth;
        double ratio = (double)pictureWidth / pictureHeight;
        if (ratio < rule.MinRatio)
            height = (int)Math.Round(width / rule.MinRatio, MidpointRounding.ToEven);
        else if (ratio > rule.MaxRatio)
            width = (int)Math.Round(height * rule.MaxRatio, MidpointRounding.ToEven);

        // A picture one pixel wide or high can round to nothing: keep a pixel.
        height = Math.Clamp(height, 1, pictureHeight);
        width = Math.Clamp(width, 1, pictureWidth);
        return new CropBox((pictureHeight - height) / 2, (pictureWidth - width) / 2, height, width);
    }
}
