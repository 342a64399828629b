namespace Microsoft.ML.Contrastive.Tests.Tokenizers;

public sealed class TokenizerTests
{
    public static TheoryData<string> Kinds => [.. ToyTokenizers.All.Keys];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_text_that_is_too_long_keeps_its_ends_and_is_counted(string kind)
    {
        Tokenizer tokenizer = ToyTokenizers.All[kind];
        string text = "the dog and the fox and the dog and the fox";
        int[] whole = tokenizer.Encode(text, 100);
        for (int length = tokenizer.SpecialsPerText + 1; length <= whole.Length; length++)
        {
            int[] cut = tokenizer.Encode(text, length);
            int closing = tokenizer.Specials.Closing is null ? 0 : 1;
            Assert.Equal([.. whole[..(length - closing)], .. whole[^closing..]], cut);
        }
        EncodedTexts all = tokenizer.EncodeAll([text, "the", "", text], whole.Length - 1);
        Assert.Equal(2, all.Truncated);
        Assert.Equal(0, tokenizer.EncodeAll([text, "the", "", text], whole.Length).Truncated);
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Encode(text, tokenizer.SpecialsPerText));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Ids_are_appended_and_the_same_whatever_came_before_and_on_many_threads(string kind)
    {
        Tokenizer tokenizer = ToyTokenizers.All[kind];
        int[][] alone = [.. ToyTokenizers.Hard.Select(text => tokenizer.Encode(text, 200))];
        var together = new List<int>();
        foreach (string text in ToyTokenizers.Hard)
            tokenizer.Encode(text, 200, together);
        Assert.Equal(alone.SelectMany(ids => ids), together);
        Parallel.For(0, 200, i => Assert.Equal(alone[i % alone.Length], tokenizer.Encode(ToyTokenizers.Hard[i % alone.Length], 200)));
        Assert.All(together, id => Assert.InRange(id, 0, tokenizer.Vocabulary.Count - 1));
    }

    [Fact]
    public void The_alphabet_of_words_is_whole_without_ICU()
    {
        // SHA-256 of the NFD and the NFC of every character, one after the other in UTF-8, by Python 3.13's unicodedata 15.1.
        Assert.Equal("E3C4BAA47152E83C55ACD38C0D54FD729AB84CA0EC4A24A5E3267E7A95344516", Digest(UnicodeForms.Decompose));
        Assert.Equal("1FFC8E6CE9E83DF8E49FD62D6ABB68F981775AED0B5101B88C213D4653E9B540", Digest(UnicodeForms.Compose));

        static string Digest(KnownAnswers.TokenizerAnswers.Step step)
        {
            using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
            for (int point = 0; point < 0x110000; point++)
                if (System.Text.Rune.IsValid(point))
                    hash.AppendData(System.Text.Encoding.UTF8.GetBytes(KnownAnswers.TokenizerAnswers.Change(char.ConvertFromUtf32(point), step)));
            return Convert.ToHexString(hash.GetHashAndReset());
        }
    }

    [Fact]
    public void A_word_of_a_hundred_characters_is_known_and_one_more_is_not()
    {
        var wordPiece = new WordPiece(new Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "x", "##x", "\U00020000", "𐐨", "##𐐨"]), new());
        Assert.Equal(102, wordPiece.Encode(new string('x', 100), 1000).Length);
        Assert.Equal([2, 1, 3], wordPiece.Encode(new string('x', 101), 1000));
        // Characters are counted, not halves of them; and 𐐀 is written small.
        Assert.Equal(102, wordPiece.Encode(string.Concat(Enumerable.Repeat("𐐀", 100)), 1000).Length);
        Assert.Equal([2, 7, 7, 3], wordPiece.Encode("\U00020000\U00020000", 1000));
    }

    [Fact]
    public void A_table_of_characters_is_followed_and_unknown_characters_are_one_or_bytes()
    {
        SentencePiece tokenizer = ToyTokenizers.Unigram();
        Assert.Equal([0, 5, 6, 2], tokenizer.Encode("the d\u200bog", 50));
        Assert.Equal([0, 10, 10, 2], tokenizer.Encode("Ａ\u3000\u3000a", 50));
        Assert.Equal([0, 4, 3, 9, 2], tokenizer.Encode("中🙂a", 50));
        Assert.Equal([0, 2], tokenizer.Encode("\u200b \u3000", 50));
        // "é" in its two bytes.
        Assert.Equal([0, 4, 12 + 0xC3, 12 + 0xA9, 9, 2], ToyTokenizers.Unigram(byteFallback: true).Encode("éa", 50));
    }

    [Theory]
    [InlineData("the dog")]
    [InlineData("a a a")]
    public void A_text_without_hard_characters_is_found_whole_in_a_unigram_model(string text)
        => Assert.DoesNotContain(3, ToyTokenizers.Unigram().Encode(text, 50));
}
