using System.Buffers.Binary;
using System.Text;

namespace Microsoft.ML.Contrastive.Tests.Tokenizers;

/// <summary>A small tokenizer of each kind, and texts that are hard on tokenizers.</summary>
internal static class ToyTokenizers
{
    public static IReadOnlyList<string> Corpus { get; } =
    [
        "The quick brown fox jumps over the lazy dog.", "the dog and the fox, the fox and the dog", "A dog's life isn't the fox's life.",
        "naïve café déjà vu, naïve café", "quick quick quick brown brown", "日本語 中文 日本 日本", "numbers 1234 1234 99",
    ];

    public static IReadOnlyList<string> Hard { get; } =
    [
        "", " ", "the dog", "  The\tDOG\r\n\nruns ", "naïve NAI\u0308VE", "a\U00020000b 日本語", "🙂👍🏽 x", "don't we'll I'D", "zero\u200bwidth\u00ad\u0000\u0001 \ufffd", "İstanbul ΟΔΟΣ",
        "tom &amp;amp; jerry &lt;3", "<s>[CLS]<|endoftext|>", "\ud800 lone", new('x', 250), "١٢٣ ½ ⅷ", "▁ ▁▁", "--- ... !!!",
    ];

    public static IReadOnlyDictionary<string, Tokenizer> All { get; } = new Dictionary<string, Tokenizer>
    {
        ["wordpiece"] = VocabularyLearning.WordPiece(Corpus, new() { Size = 300, MinFrequency = 1 }),
        ["wordpiece-cased"] = VocabularyLearning.WordPiece(Corpus, new() { Size = 300 }, new() { LowerCase = false, StripAccents = true, SplitChinese = false, MaxWordLength = 20 }),
        ["roberta"] = VocabularyLearning.ByteLevelBpe(Corpus, new() { Size = 320 }, addsPrefixSpace: true),
        ["gpt2"] = VocabularyLearning.ByteLevelBpe(Corpus, new() { Size = 320 }, new SpecialTokens(null, null, null, "<|endoftext|>", null)),
        ["clip"] = VocabularyLearning.ClipBpe(Corpus, new() { Size = 580 }),
        ["clip-html"] = ClipBpe.FromMerges([.. VocabularyLearning.ClipBpe(Corpus, new() { Size = 600 }).Merges]),
        ["unigram"] = Unigram(),
    };

    /// <summary>A unigram model of few pieces that writes Ａ as a and drops U+200B.</summary>
    public static SentencePiece Unigram(bool byteFallback = false)
    {
        (string, float)[] pieces =
        [
            ("<s>", float.NaN), ("<pad>", float.NaN), ("</s>", float.NaN), ("<unk>", float.NaN), ("▁", -2), ("▁the", -3.5f), ("▁dog", -4.25f), ("do", -5), ("g", -4.5f), ("a", -3), ("▁a", -3.25f), ("日本", -6),
            .. byteFallback ? Enumerable.Range(0, 256).Select(value => ($"<0x{value:X2}>", float.NaN)) : [],
            ("<mask>", float.NaN),
        ];
        return new(
            new Vocabulary([.. pieces.Select(piece => piece.Item1)]), [.. pieces.Select(piece => piece.Item2)], SpecialTokens.Roberta,
            new() { CharacterMap = CharacterMapOf(("Ａ", "a"), ("\u200b", ""), ("\u3000", " ")), ByteFallback = byteFallback });
    }

    /// <summary>SentencePiece's table: a double-array trie over UTF-8 in which every node has a block of 256 places of its own.</summary>
    public static byte[] CharacterMapOf(params (string From, string To)[] rules)
    {
        var nodes = new Dictionary<string, int> { [""] = 0 };
        var units = new Dictionary<int, uint>();
        var texts = new MemoryStream();
        int blocks = 1;
        var blockOf = new Dictionary<string, int>();
        foreach ((string from, string to) in rules)
        {
            string path = "";
            foreach (byte value in Encoding.UTF8.GetBytes(from))
            {
                int block = Block(path);
                path += (char)value;
                nodes.TryAdd(path, block * 256 ^ value);
                units.TryAdd(nodes[path], value);
            }
            units[nodes[path]] |= 1u << 8;
            units[Block(path) * 256] = 1u << 31 | (uint)texts.Position;
            texts.Write([.. Encoding.UTF8.GetBytes(to), 0]);
        }
        foreach ((string path, int block) in blockOf)
            units[nodes[path]] = units.GetValueOrDefault(nodes[path]) | (uint)(nodes[path] ^ block * 256) << 10;
        byte[] map = new byte[4 + blocks * 1024 + (int)texts.Length];
        BinaryPrimitives.WriteInt32LittleEndian(map, blocks * 1024);
        foreach ((int place, uint unit) in units)
            BinaryPrimitives.WriteUInt32LittleEndian(map.AsSpan(4 + 4 * place), unit);
        texts.ToArray().CopyTo(map, 4 + blocks * 1024);
        return map;

        int Block(string path) => blockOf.TryGetValue(path, out int known) ? known : blockOf[path] = blocks++;
    }
}
