using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Which word belongs to a picture.</summary>
internal static class ZeroShotRanks
{
    /// <summary>The rank of each row's own class among all, from 1; classes that are equally near count against it.</summary>
    public static long[] Of(MLContext ml, CaptionedPictures pictures, ImageTextTransformer model, CaptionedRow[] rows, string[] classes, PromptTemplates prompts)
    {
        IDataView data = pictures.View(ml, rows);
        using ZeroShotClipTransformer classifier = ml.Transforms.ZeroShotClip("Image", classes, model, prompts).Fit(data);
        return [.. classifier.Transform(data).GetColumn<float[]>("Score").Zip(rows, (scores, row) =>
        {
            float own = scores[Array.IndexOf(classes, row.Label)];
            return (long)scores.Count(score => score >= own);
        })];
    }
}
