using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>What a SentencePiece model says besides its pieces.</summary>
internal sealed record SentencePieceSettings
{
    /// <summary>A text gets a blank in front. The default value is true.</summary>
    public bool AddDummyPrefix { get; init; } = true;

    /// <summary>Blanks at the ends are dropped, and several are one. The default value is true.</summary>
    public bool RemoveExtraBlanks { get; init; } = true;

    /// <summary>What the vocabulary lacks is spelled out in bytes, whose pieces are "&lt;0x00&gt;" to "&lt;0xFF&gt;". The default value is false.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Which characters are written how, in SentencePiece's own format; empty where text stays as it is. The default value is empty.</summary>
    public ReadOnlyMemory<byte> CharacterMap { get; init; }
}

/// <summary>
/// SentencePiece's unigram model (Kudo 2018, "Subword regularization"), as XLM-R has it: of all ways to cut the text into pieces the one whose
/// scores, logarithms of probabilities, have the largest sum.
/// </summary>
/// <remarks>
/// Not by Microsoft.ML.Tokenizers, whose SentencePieceTokenizer 2.0.1 keeps characters that the model's table drops, and gives an id to each
/// of several unknown neighbours, which are one here as in the original. Scores are added in single precision, as there, so that equal sums
/// are equal here too.
/// </remarks>
internal sealed class SentencePiece : Tokenizer
{
    /// <summary>Stands for a blank in pieces: where a word begins.</summary>
    public const char Blank = '▁';

    // What an unknown character costs below the worst piece, from the original.
    private const float UnknownPenalty = 10;

    private readonly CharacterMap? _map;
    private readonly Dictionary<long, int> _children = [];
    private readonly List<int> _pieceOf = [-1];
    private readonly float _unknownScore;
    private readonly int[]? _bytes;

    /// <param name="vocabulary">Pieces in the order of their ids, with "▁" for a blank.</param>
    /// <param name="scores">One for each id; not a number where the token is no piece of text.</param>
    /// <param name="specials">Its unknown token must be there.</param>
    /// <param name="settings">The model's own.</param>
    /// <exception cref="ArgumentException">Scores, pieces and special tokens do not fit together, or a table is damaged.</exception>
    public SentencePiece(Vocabulary vocabulary, IReadOnlyList<float> scores, SpecialTokens specials, SentencePieceSettings settings)
        : base(vocabulary, specials)
    {
        if (scores.Count != vocabulary.Count)
            throw new ArgumentException($"There are {scores.Count} scores for {vocabulary.Count} pieces.", nameof(scores));
        _ = UnknownId ?? throw new ArgumentException("SentencePiece needs a token for what is unknown.", nameof(specials));
        (Scores, Settings) = (scores, settings);
        _map = settings.CharacterMap.IsEmpty ? null : new CharacterMap(settings.CharacterMap);
        float worst = float.MaxValue;
        foreach ((int id, string? piece) in vocabulary.Tokens.Index())
            if (piece is { Length: > 0 } && !float.IsNaN(scores[id]) && !IsSpecial(id))
            {
                AddPiece(piece, id);
                worst = Math.Min(worst, scores[id]);
            }
        if (_pieceOf.Count == 1)
            throw new ArgumentException("The vocabulary has no pieces of text.", nameof(vocabulary));
        _unknownScore = worst - UnknownPenalty;
        if (settings.ByteFallback)
            _bytes = [.. Enumerable.Range(0, 256).Select(value => vocabulary.Find($"<0x{value:X2}>", "byte"))];
    }

    public IReadOnlyList<float> Scores { get; }

    public SentencePieceSettings Settings { get; }

    /// <summary>True for the name of a byte's piece, such as "&lt;0x0A&gt;".</summary>
    internal static bool IsByte(string piece) => piece is ['<', '0', 'x', var high, var low, '>'] && char.IsAsciiHexDigit(high) && char.IsAsciiHexDigit(low);

    private protected override void AddWords(ReadOnlySpan<char> text, List<int> ids, int most)
    {
        var normal = new CharBuffer(text.Length + 16);
        try
        {
            Normalize(text, ref normal);
            AddBest(normal.Written, ids);
        }
        finally
        {
            normal.Dispose();
        }
    }

    private static long Key(int node, char next) => (long)node << 16 | next;

    private void AddPiece(string piece, int id)
    {
        int node = 0;
        foreach (char c in piece)
        {
            ref int next = ref CollectionsMarshal.GetValueRefOrAddDefault(_children, Key(node, c), out bool known);
            if (!known)
            {
                next = _pieceOf.Count;
                _pieceOf.Add(-1);
            }
            node = next;
        }
        _pieceOf[node] = id;
    }

    private void Normalize(ReadOnlySpan<char> text, ref CharBuffer normal)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        try
        {
            ReadOnlySpan<byte> rest = bytes.AsSpan(0, Encoding.UTF8.GetBytes(text, bytes));
            bool wasBlank = Settings.RemoveExtraBlanks, isFirst = true;
            Span<char> characters = stackalloc char[2];
            while (!rest.IsEmpty)
            {
                scoped ReadOnlySpan<char> shown;
                int taken = 0;
                if (_map is not null && _map.TryMap(rest, out taken, out string written))
                    shown = written;
                else
                {
                    _ = Rune.DecodeFromUtf8(rest, out Rune rune, out taken);
                    shown = characters[..rune.EncodeToUtf16(characters)];
                }
                rest = rest[taken..];
                if (wasBlank)
                    shown = shown.TrimStart(' ');
                if (shown.IsEmpty)
                    continue;
                if (isFirst && Settings.AddDummyPrefix)
                    normal.Append(Blank);
                isFirst = false;
                foreach (char c in shown)
                    normal.Append(c == ' ' ? Blank : c);
                wasBlank = Settings.RemoveExtraBlanks && shown[^1] == ' ';
            }
            if (Settings.RemoveExtraBlanks)
                while (normal.Length > 0 && normal.Written[^1] == Blank)
                    normal.Cut(normal.Length - 1);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>The best way to every place, from those to the places before it (Viterbi); then back from the end.</summary>
    private void AddBest(ReadOnlySpan<char> text, List<int> ids)
    {
        if (text.IsEmpty)
            return;
        (float Score, int Start, int Id)[] best = ArrayPool<(float, int, int)>.Shared.Rent(text.Length + 1);
        try
        {
            best.AsSpan(0, text.Length + 1).Fill((0, -1, 0));
            int length;
            for (int start = 0; start < text.Length; start += length)
            {
                length = char.IsHighSurrogate(text[start]) && start + 1 < text.Length && char.IsLowSurrogate(text[start + 1]) ? 2 : 1;
                float before = best[start].Score;
                bool isKnown = false;
                int node = 0;
                for (int end = start; end < text.Length && _children.TryGetValue(Key(node, text[end]), out node); end++)
                    if (_pieceOf[node] is >= 0 and var id)
                    {
                        Offer(end + 1, before + Scores[id], id);
                        isKnown |= end + 1 == start + length;
                    }
                if (!isKnown)
                    Offer(start + length, before + _unknownScore, UnknownId!.Value);

                void Offer(int end, float score, int id)
                {
                    if (best[end].Start < 0 || score > best[end].Score)
                        best[end] = (score, start, id);
                }
            }
            AddPath(text, best, ids);
        }
        finally
        {
            ArrayPool<(float, int, int)>.Shared.Return(best);
        }
    }

    private void AddPath(ReadOnlySpan<char> text, (float Score, int Start, int Id)[] best, List<int> ids)
    {
        // Turned round in place: every place of the path learns where its piece ends.
        int end = text.Length;
        for (int place = text.Length; place > 0;)
        {
            int start = best[place].Start;
            best[place].Start = end;
            end = place;
            place = start;
        }
        bool wasUnknown = false;
        Span<byte> bytes = stackalloc byte[4];
        for (int start = 0, place = end; ; place = best[place].Start)
        {
            bool isUnknown = best[place].Id == UnknownId;
            if (isUnknown && _bytes is not null)
                foreach (byte value in bytes[..Encoding.UTF8.GetBytes(text[start..place], bytes)])
                    ids.Add(_bytes[value]);
            else if (!isUnknown || !wasUnknown) // neighbours that are unknown are one
                ids.Add(best[place].Id);
            wasUnknown = isUnknown;
            if (place == text.Length)
                return;
            start = place;
        }
    }
}
