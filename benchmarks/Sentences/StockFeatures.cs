using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>ML.NET's own FeaturizeText.</summary>
internal static class StockFeatures
{
    public static Embed Prepare(SentenceData data)
    {
        var ml = new MLContext(1);
        ITransformer features = ml.Transforms.Text.FeaturizeText("Features", nameof(TextExample.Text)).Fit(View(data.AllTexts));
        return texts =>
        {
            // It has hundreds of thousands of places; those that no text of the call fills are left out.
            var places = new Dictionary<int, int>();
            List<(int, float)>[] rows = [.. features.Transform(View(texts)).GetColumn<VBuffer<float>>("Features").Select(vector => vector.Items().Where(item => item.Value != 0).Select(item =>
            {
                places.TryAdd(item.Key, places.Count);
                return (places[item.Key], item.Value);
            }).ToList())];
            return SparseRows.Dense(rows, places.Count);
        };

        IDataView View(IEnumerable<string> texts) => ml.Data.LoadFromEnumerable(texts.Select(text => new TextExample { Text = text }));
    }
}
