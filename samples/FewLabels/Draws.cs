namespace FewLabels;

/// <summary>
/// Which training images play which part. A draw is random but has the same number of images of each class; the draws
/// share no image with each other nor with the validation part, the smaller size is the first part of the larger one,
/// and all inputs see the same draws, so that their accuracies can be compared pair by pair.
/// </summary>
/// <param name="Validation">Labelled images for choosing settings, in no draw.</param>
/// <param name="Draws">One array of image numbers for each draw.</param>
internal sealed record Draws(int[] Validation, int[][] All)
{
    public int[][] OfSize(int labels) => [.. All.Select(draw => draw[..labels])];

    public static Draws Take(byte[] labels, int validation, int draws, int labelsPerDraw, int seed)
    {
        var random = new Random(seed);
        var classes = Enumerable.Range(0, labels.Length).GroupBy(i => labels[i]).OrderBy(g => g.Key).Select(g =>
        {
            int[] images = [.. g];
            random.Shuffle(images);
            return images;
        }).ToArray();

        // Class after class in turn, so that every part of the list holds as many of each.
        int[] turns = [.. Enumerable.Range(0, classes.Min(c => c.Length)).SelectMany(turn => classes.Select(c => c[turn]))];
        return new(turns[..validation], [.. Enumerable.Range(0, draws).Select(d => turns[(validation + (d * labelsPerDraw))..(validation + ((d + 1) * labelsPerDraw))])]);
    }
}
