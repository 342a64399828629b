using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.Contrastive.Tests.Tokenizers;

namespace Microsoft.ML.Contrastive.Tests;

public sealed class TokenizerFilesTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tokenizer-");

    public static TheoryData<string> Kinds => [.. ToyTokenizers.All.Keys];

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_is_written_comes_back_with_the_same_ids(string kind)
    {
        Tokenizer tokenizer = ToyTokenizers.All[kind];
        TokenizerFiles.Write(tokenizer, (name, bytes) => File.WriteAllBytes(Path.Combine(_folder.FullName, name), bytes));
        Tokenizer back = TokenizerFiles.ReadFolder(_folder.FullName);
        Assert.IsType(tokenizer.GetType(), back);
        Assert.Equal(tokenizer.Specials, back.Specials);
        Assert.Equal(tokenizer.Vocabulary.Tokens, back.Vocabulary.Tokens);
        foreach (string text in ToyTokenizers.Hard)
            Assert.Equal(tokenizer.Encode(text, 300), back.Encode(text, 300));
        var again = new Dictionary<string, byte[]>();
        TokenizerFiles.Write(back, again.Add);
        Assert.All(again, file => Assert.Equal(File.ReadAllText(Path.Combine(_folder.FullName, file.Key)), Encoding.UTF8.GetString(file.Value)));
    }

    [Fact]
    public void Bytes_of_a_unigram_model_come_back()
    {
        SentencePiece tokenizer = ToyTokenizers.Unigram(byteFallback: true);
        TokenizerFiles.Write(tokenizer, (name, bytes) => File.WriteAllBytes(Path.Combine(_folder.FullName, name), bytes));
        foreach (string text in ToyTokenizers.Hard.Append("<0x41> <s>"))
            Assert.Equal(tokenizer.Encode(text, 300), TokenizerFiles.ReadFolder(_folder.FullName).Encode(text, 300));
    }

    [Fact]
    public void BERTs_vocabulary_is_read_and_its_settings_decide()
    {
        Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nThe\ncafe\ncafé\n中\n");
        Assert.Equal([2, 5, 7, 9, 3], Read().Encode("The CAFÉ中", 20));
        Write("tokenizer_config.json", """{ "do_lower_case": false, "tokenize_chinese_chars": false, "tokenizer_class": "BertTokenizerFast" }""");
        Assert.Equal([2, 6, 8, 1, 3], Read().Encode("The café 中中", 20));
        Write("tokenizer_config.json", """{ "do_lower_case": true, "strip_accents": false }""");
        Assert.Equal([2, 5, 8, 3], Read().Encode("THE CAFÉ", 20));
        Write("tokenizer_config.json", """{ "tokenizer_class": "MPNetTokenizer", "cls_token": { "content": "the" }, "sep_token": "cafe", "mask_token": "[MASK]", "pad_token": "[PAD]" }""");
        Assert.Equal([5, 9, 7], Read().Encode("中", 20));
    }

    [Fact]
    public void Windows_line_ends_and_a_byte_order_mark_change_nothing()
    {
        File.WriteAllBytes(Path.Combine(_folder.FullName, "vocab.txt"), [0xEF, 0xBB, 0xBF, .. "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\nthe\r\n"u8]);
        Tokenizer tokenizer = Read();
        Assert.Equal([2, 4, 3], tokenizer.Encode("the", 20));
        Assert.Null(tokenizer.MaskId);
    }

    [Fact]
    public void Vocabulary_and_merges_are_RoBERTas_CLIPs_or_GPT2s()
    {
        foreach ((string kind, Type type) in (ReadOnlySpan<(string, Type)>)[("roberta", typeof(ByteLevelBpe)), ("gpt2", typeof(ByteLevelBpe)), ("clip-html", typeof(ClipBpe))])
        {
            Tokenizer tokenizer = ToyTokenizers.All[kind];
            IReadOnlyList<string> merges = tokenizer is ClipBpe clip ? clip.Merges : ((ByteLevelBpe)tokenizer).Merges;
            Write("vocab.json", new JsonObject(tokenizer.Vocabulary.Tokens.Index().Select(each => KeyValuePair.Create(each.Item!, (JsonNode?)each.Index))).ToJsonString());
            Write("merges.txt", "#version: 0.2\n" + string.Join('\n', merges) + "\n");
            Write("tokenizer_config.json", kind == "roberta" ? """{ "add_prefix_space": true }""" : "{}");
            Tokenizer back = Read();
            Assert.IsType(type, back);
            foreach (string text in ToyTokenizers.Hard)
                Assert.Equal(tokenizer.Encode(text, 300), back.Encode(text, 300));
        }
    }

    [Fact]
    public void XLM_Rs_ids_are_moved_and_T5s_are_not()
    {
        File.WriteAllBytes(Path.Combine(_folder.FullName, "sentencepiece.bpe.model"), SentencePieceBytes.Toy());
        Tokenizer xlmr = Read();
        Assert.Equal([0, 5, 6, 2], xlmr.Encode("the dog", 20));
        Assert.Equal(3, xlmr.UnknownId);
        Assert.Equal("<mask>", xlmr.Vocabulary.Tokens[xlmr.MaskId!.Value]);
        Write("tokenizer_config.json", """{ "tokenizer_class": "T5Tokenizer" }""");
        Assert.Equal([4, 5, 2], Read().Encode("the dog", 20));
    }

    [Theory]
    [InlineData("WordPiece", "normalizer", """{ "type": "NFKC" }""", "NFKC")]
    [InlineData("WordPiece", "normalizer", "null", "normalizer null")]
    [InlineData("WordPiece", "pre_tokenizer", """{ "type": "Whitespace" }""", "Whitespace")]
    [InlineData("WordPiece", "post_processor", """{ "type": "Odd" }""", "Odd")]
    [InlineData("WordPiece", "model", """{ "type": "WordLevel", "vocab": { "[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "[MASK]": 4 } }""", "WordLevel")]
    [InlineData("WordPiece", "added_tokens", """[{ "id": 5, "content": "newword", "special": false }]""", "newword")]
    [InlineData("WordPiece", "post_processor", """{ "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "[CLS]" } }, { "SpecialToken": { "id": "[CLS]" } }, { "Sequence": { "id": "A" } }] }""", "more than one")]
    [InlineData("roberta", "normalizer", """{ "type": "NFC" }""", "NFC")]
    [InlineData("roberta", "pre_tokenizer", """{ "type": "Sequence", "pretokenizers": [{ "type": "Digits" }, { "type": "ByteLevel" }] }""", "Digits")]
    [InlineData("clip", "normalizer", """{ "type": "NFC" }""", "case")]
    [InlineData("unigram", "pre_tokenizer", """{ "type": "Punctuation" }""", "Punctuation")]
    [InlineData("unigram", "normalizer", """{ "type": "Nmt" }""", "Nmt")]
    public void A_part_that_is_not_known_is_refused_by_its_name(string kind, string part, string json, string named)
    {
        TokenizerFiles.Write(ToyTokenizers.All[kind.ToLowerInvariant()], (name, bytes) => File.WriteAllBytes(Path.Combine(_folder.FullName, name), bytes));
        string path = Path.Combine(_folder.FullName, "tokenizer.json");
        JsonObject root = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        root[part] = JsonNode.Parse(json);
        File.WriteAllText(path, root.ToJsonString());
        InvalidDataException error = Assert.Throws<InvalidDataException>(Read);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.Contains("tokenizer.json", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("other.txt", "x", "has no tokenizer")]
    [InlineData("vocab.json", """{ "a": 0 }""", "merges.txt")]
    [InlineData("vocab.json", """{ "a": 0, "b": 0 }""", "comes twice")]
    [InlineData("vocab.json", """{ "a": 0, "b": 2000000000 }""", "whole number")]
    [InlineData("vocab.json", """{ "a": 0, "a": 1 }""", "comes twice")]
    [InlineData("vocab.json", "[]", "no JSON object")]
    [InlineData("vocab.txt", "", "0 tokens")]
    [InlineData("vocab.txt", "a\nb\n", "[CLS]")]
    [InlineData("tokenizer.json", "{", "damaged")]
    [InlineData("tokenizer.json", "{}", "model")]
    [InlineData("spiece.model", "\u0003\u0004", "not a SentencePiece model")]
    public void A_folder_without_a_whole_tokenizer_says_what_is_wrong(string file, string content, string message)
    {
        Write(file, content);
        Assert.Contains(message, Assert.Throws<InvalidDataException>(Read).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tokenizer_class_that_is_not_known_is_named()
    {
        Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n");
        Write("tokenizer_config.json", """{ "tokenizer_class": "BertJapaneseTokenizer" }""");
        Assert.Contains("BertJapaneseTokenizer", Assert.Throws<InvalidDataException>(Read).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_SentencePiece_model_of_another_kind_is_named()
    {
        File.WriteAllBytes(Path.Combine(_folder.FullName, "tokenizer.model"), SentencePieceBytes.Toy(kind: 2));
        Assert.Contains("BPE", Assert.Throws<InvalidDataException>(Read).Message, StringComparison.Ordinal);
    }

    private Tokenizer Read() => TokenizerFiles.ReadFolder(_folder.FullName);

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder.FullName, name), text);
}
