using Microsoft.ML.Data;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>See <see cref="SentenceEmbeddingTransformer.MineHardNegatives"/>.</summary>
internal static class HardNegatives
{
    /// <summary>Nearest positives of a text that are looked at, beside those that are skipped.</summary>
    private const int Candidates = 100;

    public static IReadOnlyList<string> Mine(PretrainedEncoder network, IDataView pairs, string positiveColumn, int skip, double mostShare)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentOutOfRangeException.ThrowIfNegative(skip);
        if (!(mostShare > 0 && mostShare <= 1))
            throw new ArgumentOutOfRangeException(nameof(mostShare), mostShare, "mostShare must be above 0 and at most 1.");
        string[] texts = Read(network.Manifest.InputColumn), positives = Read(positiveColumn);
        string[] distinct = [.. positives.Distinct(StringComparer.Ordinal)];
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        float[][] asked = TextVectors.Of(network, texts), known = TextVectors.Of(network, distinct);
        Dictionary<string, int> places = distinct.Index().ToDictionary(entry => entry.Item, entry => entry.Index, StringComparer.Ordinal);
        Tensor queries = Matrix(asked), candidates = Matrix(known);
        Tensor own = nn.functional.cosine_similarity(queries, candidates.index_select(0, tensor(Array.ConvertAll(positives, text => (long)places[text]))), dim: 1, eps: 1e-12);
        float[] ofPositive = own.data<float>().ToArray();
        SearchHit[][] nearest = Neighbours.Nearest(queries, candidates, Candidates + skip + 2);
        return [.. nearest.Select((hits, row) =>
        {
            SearchHit[] others = [.. hits.Where(hit => distinct[hit.Row] != positives[row] && distinct[hit.Row] != texts[row])];
            if (others.Length == 0)
                throw new ArgumentException($"Column '{positiveColumn}' has no text that could be a negative of row {row}: all read the same.", nameof(pairs));
            SearchHit[] left = others[Math.Min(skip, others.Length - 1)..];
            int found = Array.FindIndex(left, hit => hit.Cosine <= mostShare * ofPositive[row]);
            return distinct[left[found < 0 ? left.Length - 1 : found].Row];
        })];

        string[] Read(string column)
        {
            var reader = new TextColumn(pairs.Schema, column);
            using DataViewRowCursor cursor = pairs.GetRowCursor([pairs.Schema[reader.Index]]);
            Func<long, ReadOnlyMemory<char>> read = reader.CreateReader(cursor, ((TextInput)network.Manifest.Input).EmptyTexts);
            var all = new List<string>();
            while (cursor.MoveNext())
                all.Add(read(all.Count).ToString());
            return all.Count >= 2 ? [.. all] : throw new ArgumentException($"Column '{column}' has {all.Count} row(s): two are needed, for the one's negative to be the other's positive.", nameof(pairs));
        }

        Tensor Matrix(float[][] rows) => tensor([.. rows.SelectMany(row => row)], rows.Length, rows[0].Length).to(network.Device);
    }
}
