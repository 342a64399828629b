using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Which word belongs to a picture.</summary>
internal static class ZeroShotRanks
{
    /// <summary>The rank of each row's own class among all, from 1; classes that are equally near count against it.</summary>
    public static long[] Of(MLContext ml, CaptionedPictures pictures, ImageTextTransformer model, CaptionedRow[] rows, string[] classes, PromptTemplates prompts)
        => Of(ml, pictures, model, rows, classes, OwnClass(rows, classes), prompts);

    /// <summary>The place of each row's own class, which alone is right.</summary>
    public static int[][] OwnClass(CaptionedRow[] rows, string[] classes) => [.. rows.Select(row => new[] { Array.IndexOf(classes, row.Label) })];

    /// <inheritdoc cref="Of(MLContext, CaptionedPictures, ImageTextTransformer, CaptionedRow[], string[], PromptTemplates)"/>
    /// <param name="rights">The places in <paramref name="classes"/> of what is right for each row, one or more; the best of them counts.</param>
    public static long[] Of(MLContext ml, CaptionedPictures pictures, ImageTextTransformer model, CaptionedRow[] rows, string[] classes, int[][] rights, PromptTemplates prompts)
    {
        IDataView data = pictures.View(ml, rows);
        using ZeroShotClipTransformer classifier = ml.Transforms.ZeroShotClip("Image", classes, model, prompts).Fit(data);
        return [.. classifier.Transform(data).GetColumn<float[]>("Score").Zip(rights, (scores, right) => Rank(scores, right))];
    }

    /// <summary>One more than the wrong candidates that are at least as near as the best right one; the last where no right one has a number (a text without a known token has none).</summary>
    public static long Rank(float[] scores, int[] rights)
    {
        float best = rights.Max(right => float.IsNaN(scores[right]) ? float.NegativeInfinity : scores[right]);
        return 1 + scores.Index().Count(score => (score.Item >= best || float.IsNegativeInfinity(best)) && !rights.Contains(score.Index));
    }
}
