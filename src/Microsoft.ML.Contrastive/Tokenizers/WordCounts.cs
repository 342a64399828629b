namespace Microsoft.ML.Contrastive;

/// <summary>
/// How often each word of a corpus comes, in bounded memory: when there are too many words, the rarest are forgotten, those seen once first, and
/// a word that comes again begins anew. The words that a vocabulary is made of are far from that edge.
/// </summary>
/// <param name="mostWords">Different words that are kept at most, at least 2.</param>
internal sealed class WordCounts(int mostWords)
{
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
    private long _forgotten;

    /// <summary>The words and their counts, the commonest first, equal ones in ordinal order.</summary>
    public IEnumerable<(string Word, long Count)> Ordered
        => _counts.Select(pair => (pair.Key, pair.Value)).OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal);

    public void Add(string word)
    {
        System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_counts, word, out _)++;
        while (_counts.Count > mostWords)
        {
            _forgotten++;
            foreach (string rare in _counts.Where(pair => pair.Value <= _forgotten).Select(pair => pair.Key).ToList())
                _counts.Remove(rare);
        }
    }
}
