using System.Runtime.InteropServices;
using System.Text;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Texts as counts of their terms, each weighed: what a learned embedding has to beat.</summary>
internal sealed class CountedTerms(Func<string, IEnumerable<string>> split, Func<string, int, double> weight)
{
    /// <summary>1 for each word that is there: the cosine is the number of common words by the geometric mean of both texts' words.</summary>
    public static CountedTerms WordOverlap() => new(Words, (_, _) => 1);

    /// <summary>Counts times ln((1 + N) / (1 + n)), n of the N <paramref name="texts"/> having the term.</summary>
    public static CountedTerms TfIdf(Func<string, IEnumerable<string>> split, IEnumerable<string> texts)
    {
        var frequencies = new Dictionary<string, int>();
        int count = 0;
        foreach (string text in texts)
        {
            count++;
            foreach (string term in split(text).Distinct())
                CollectionsMarshal.GetValueRefOrAddDefault(frequencies, term, out _)++;
        }
        return new CountedTerms(split, (term, times) => times * Math.Log((1.0 + count) / (1 + frequencies.GetValueOrDefault(term))));
    }

    /// <summary>Runs of letters and digits, in lower case.</summary>
    public static IEnumerable<string> Words(string text)
    {
        var word = new StringBuilder();
        foreach (char each in text)
        {
            if (char.IsLetterOrDigit(each))
                word.Append(char.ToLowerInvariant(each));
            else if (word.Length > 0)
            {
                yield return word.ToString();
                word.Clear();
            }
        }
        if (word.Length > 0)
            yield return word.ToString();
    }

    /// <summary>Three characters behind each other of each word with a blank before and behind it.</summary>
    public static IEnumerable<string> Trigrams(string text)
        => Words(text).Select(word => $" {word} ").SelectMany(word => Enumerable.Range(0, word.Length - 2).Select(start => word.Substring(start, 3)));

    /// <summary>[N, T] for the T terms that these texts have.</summary>
    public Tensor Embed(IReadOnlyList<string> texts)
    {
        var places = new Dictionary<string, int>();
        List<(int, float)>[] rows = [.. texts.Select(text => split(text).CountBy(term => term).Select(term =>
        {
            ref int place = ref CollectionsMarshal.GetValueRefOrAddDefault(places, term.Key, out bool isKnown);
            if (!isKnown)
                place = places.Count - 1;
            return (place, (float)weight(term.Key, term.Value));
        }).ToList())];
        return SparseRows.Dense(rows, places.Count);
    }
}

/// <summary>Rows that are mostly zeros.</summary>
internal static class SparseRows
{
    /// <param name="rows">Places and numbers of each row.</param>
    /// <param name="width">Places in all.</param>
    public static Tensor Dense(IReadOnlyCollection<IReadOnlyList<(int Place, float Value)>> rows, int width)
    {
        Tensor dense = zeros(rows.Count, Math.Max(1, width));
        Span<float> numbers = MemoryMarshal.Cast<byte, float>(dense.bytes);
        foreach ((int row, IReadOnlyList<(int Place, float Value)> values) in rows.Index())
            foreach ((int place, float value) in values)
                numbers[row * width + place] = value;
        return dense;
    }
}
