using System.Runtime.InteropServices;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Learns pieces from counted words (Sennrich, Haddow, Birch 2016, algorithm 1): the two neighbours that come together most often become
/// one piece, again and again. Of pairs that come equally often the one whose first piece is older goes first, then the one whose
/// second piece is older; so the result depends on the counts alone.
/// </summary>
internal sealed class PairMerges
{
    private readonly List<string> _pieces = [];
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly List<(int[] Pieces, long Count)> _words = [];
    private readonly Dictionary<(int, int), (long Count, List<int> Words)> _pairs = [];
    private readonly PriorityQueue<(int, int), (long, int, int)> _queue = new();

    /// <param name="first">Pieces that there are, oldest first; each piece of a word is one of them.</param>
    public PairMerges(IEnumerable<string> first)
    {
        foreach (string piece in first)
            Id(piece);
    }

    /// <summary>All pieces, oldest first.</summary>
    public IReadOnlyList<string> Pieces => _pieces;

    /// <summary>What was joined, in order.</summary>
    public List<(string First, string Second)> Merges { get; } = [];

    public void AddWord(IEnumerable<string> pieces, long count)
    {
        _words.Add(([.. pieces.Select(piece => _ids[piece])], count));
        Count(_words.Count - 1, 1);
    }

    /// <summary>Joins until there are so many pieces, or no pair comes often enough.</summary>
    /// <param name="size">Pieces, with those that were there.</param>
    /// <param name="minFrequency">Times that a pair must come.</param>
    /// <param name="join">The piece that two make.</param>
    public void Learn(int size, long minFrequency, Func<string, string, string> join)
    {
        foreach (((int, int) pair, (long count, _)) in _pairs)
            Offer(pair, count);
        while (_pieces.Count < size && _queue.TryDequeue(out (int First, int Second) pair, out (long Count, int, int) priority))
        {
            (long count, List<int> words) = _pairs[pair];
            if (count < minFrequency)
                continue;
            if (count != -priority.Count)
            {
                Offer(pair, count); // it was rarer meanwhile; where it is commoner, another entry says so
                continue;
            }
            int joined = Id(join(_pieces[pair.First], _pieces[pair.Second]));
            Merges.Add((_pieces[pair.First], _pieces[pair.Second]));
            _pairs[pair] = (0, []);
            var changed = new HashSet<(int, int)>();
            foreach (int word in words.Distinct())
                Join(word, pair, joined, changed);
            foreach ((int, int) each in changed)
                Offer(each, _pairs[each].Count);
        }
    }

    private void Join(int word, (int First, int Second) pair, int joined, HashSet<(int, int)> changed)
    {
        (int[] pieces, long count) = _words[word];
        var left = new List<int>(pieces.Length);
        for (int i = 0; i < pieces.Length; i++)
            if (i + 1 < pieces.Length && (pieces[i], pieces[i + 1]) == pair)
            {
                left.Add(joined);
                i++;
            }
            else
                left.Add(pieces[i]);
        if (left.Count == pieces.Length)
            return; // an earlier merge took the pair out of this word
        Count(word, -1);
        _words[word] = ([.. left], count);
        Count(word, 1);
        for (int i = 0; i + 1 < left.Count; i++)
            if (left[i] == joined || left[i + 1] == joined)
                changed.Add((left[i], left[i + 1]));
    }

    /// <summary>Adds the word's pairs to the counts, or takes them out.</summary>
    private void Count(int word, int sign)
    {
        (int[] pieces, long count) = _words[word];
        for (int i = 0; i + 1 < pieces.Length; i++)
        {
            ref (long Count, List<int> Words) pair = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, (pieces[i], pieces[i + 1]), out bool known);
            if (!known)
                pair.Words = [];
            pair.Count += sign * count;
            if (sign > 0 && (pair.Words.Count == 0 || pair.Words[^1] != word))
                pair.Words.Add(word);
        }
    }

    private void Offer((int First, int Second) pair, long count) => _queue.Enqueue(pair, (-count, pair.First, pair.Second));

    private int Id(string piece)
    {
        ref int id = ref CollectionsMarshal.GetValueRefOrAddDefault(_ids, piece, out bool known);
        if (!known)
        {
            id = _pieces.Count;
            _pieces.Add(piece);
        }
        return id;
    }
}
