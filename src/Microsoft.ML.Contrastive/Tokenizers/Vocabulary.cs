namespace Microsoft.ML.Contrastive;

/// <summary>Tokens and their ids, both ways; found by a span, without a string.</summary>
internal sealed class Vocabulary
{
    /// <summary>Most ids that a vocabulary may have: four times XLM-R's.</summary>
    public const int MaxSize = 1 << 20;

    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _bySpan;

    /// <param name="tokens">In the order of their ids; null for an id that no token has. Of equal tokens the last is found.</param>
    /// <exception cref="ArgumentException">None, or too many.</exception>
    public Vocabulary(IReadOnlyList<string?> tokens)
    {
        if (tokens.Count is 0 or > MaxSize)
            throw new ArgumentException($"A vocabulary has from 1 to {MaxSize} tokens, not {tokens.Count}.", nameof(tokens));
        Tokens = tokens;
        _ids = new Dictionary<string, int>(tokens.Count, StringComparer.Ordinal);
        foreach ((int id, string? token) in tokens.Index())
            if (token is not null)
            {
                _ids[token] = id;
                Longest = Math.Max(Longest, token.Length);
            }
        _bySpan = _ids.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>In the order of their ids; null for an id that no token has.</summary>
    public IReadOnlyList<string?> Tokens { get; }

    /// <summary>Ids, with those that no token has.</summary>
    public int Count => Tokens.Count;

    /// <summary>Characters of the longest token.</summary>
    public int Longest { get; }

    public bool TryFind(ReadOnlySpan<char> token, out int id) => _bySpan.TryGetValue(token, out id);

    /// <exception cref="ArgumentException">There is no such token.</exception>
    public int Find(string token, string role)
        => _ids.TryGetValue(token, out int id) ? id : throw new ArgumentException($"The vocabulary lacks the {role} token '{token}'.", nameof(token));
}
