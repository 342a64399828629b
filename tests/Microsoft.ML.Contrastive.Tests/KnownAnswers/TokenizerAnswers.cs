using System.Text.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>Texts to ids, and the steps on the way.</summary>
internal static class TokenizerAnswers
{
    private const int Long = 1000;

    public static IReadOnlyDictionary<string, Answer> All { get; } = new Dictionary<string, Answer>
    {
        ["bert_wordpiece_golden"] = Bert,
        ["clip_bpe_golden"] = given => new JsonObject { ["ids"] = Ids(ClipBpe.Published(), given, ClipBpe.PublishedLength) },
        ["byte_level_bpe"] = given => new JsonObject
        {
            ["ids"] = Ids(new ByteLevelBpe(new Vocabulary(Strings(given.Inputs.GetProperty("vocab"))), Strings(given.Inputs.GetProperty("merges"))), given),
        },
        ["unigram"] = Unigram,
        ["byte_to_unicode"] = _ => new JsonObject
        {
            ["space"] = (int)ByteSymbols.OfByte[' '], ["nul"] = (int)ByteSymbols.OfByte[0], ["newline"] = (int)ByteSymbols.OfByte['\n'], ["del_"] = (int)ByteSymbols.OfByte[127],
            ["nbsp"] = (int)ByteSymbols.OfByte[160], ["soft_hyphen"] = (int)ByteSymbols.OfByte[173], ["A"] = (int)ByteSymbols.OfByte['A'],
            ["count"] = ByteSymbols.InVocabularyOrder.Distinct().Count(), ["shifted"] = ByteSymbols.OfByte.Count(symbol => symbol >= 0x100),
        },
        ["clip_vocab_arithmetic"] = _ => new JsonObject
        {
            ["base"] = ByteSymbols.InVocabularyOrder.Count(), ["base_end_of_word"] = ClipBpe.Published().Vocabulary.Tokens.Skip(256).TakeWhile(token => token!.EndsWith("</w>", StringComparison.Ordinal) && token.Length == 5).Count(),
            ["merges"] = ClipBpe.Published().Merges.Count, ["special"] = ClipBpe.Published().Specials.All.Count(), ["total"] = ClipBpe.Published().Vocabulary.Count,
        },
        ["lower"] = given => Texts(given, "lower", UnicodeForms.Lower),
        ["unicode_forms"] = given => new JsonObject
        {
            ["nfd"] = new JsonArray([.. Strings(given.Inputs.GetProperty("texts")).Select(text => Change(text, UnicodeForms.Decompose))]),
            ["nfc"] = new JsonArray([.. Strings(given.Inputs.GetProperty("texts")).Select(text => Change(text, UnicodeForms.Compose))]),
        },
        ["html_unescape"] = given => Texts(given, "texts", HtmlText.Unescape),
        ["gpt2_words"] = given => new JsonObject
        {
            ["words"] = new JsonArray([.. Strings(given.Inputs.GetProperty("texts")).Select(text => new JsonArray([.. ByteLevelBpe.Words(text, addsPrefixSpace: false)]))]),
        },
    };

    internal delegate void Step(ReadOnlySpan<char> text, ref CharBuffer result);

    internal static string Change(string text, Step step)
    {
        var result = new CharBuffer(4);
        step(text, ref result);
        string changed = result.Written.ToString();
        result.Dispose();
        return changed;
    }

    private static JsonObject Bert(KnownAnswerCase given)
    {
        var vocabulary = new Vocabulary(Strings(given.Inputs.GetProperty("vocab")));
        return new JsonObject
        {
            ["uncased"] = Ids(new WordPiece(vocabulary, new()), given),
            ["cased"] = Ids(new WordPiece(vocabulary, new() { LowerCase = false }), given),
        };
    }

    private static JsonObject Unigram(KnownAnswerCase given)
    {
        JsonElement pieces = given.Inputs.GetProperty("pieces");
        var vocabulary = new Vocabulary([.. pieces.EnumerateArray().Select(piece => piece[0].GetString())]);
        var specials = new SpecialTokens(null, null, null, given.Parameters.GetProperty("unknown").GetString(), null);
        float[] scores = [.. pieces.EnumerateArray().Select(piece => piece[0].GetString() is "<unk>" or "<s>" or "</s>" ? float.NaN : piece[1].GetSingle())];
        return new JsonObject { ["ids"] = Ids(new SentencePiece(vocabulary, scores, specials, new()), given) };
    }

    private static JsonArray Ids(Tokenizer tokenizer, KnownAnswerCase given, int maxLength = Long)
        => [.. Strings(given.Inputs.GetProperty("texts")).Select(text => new JsonArray([.. tokenizer.Encode(text, maxLength)]))];

    private static JsonObject Texts(KnownAnswerCase given, string key, Step step)
        => new() { [key] = new JsonArray([.. Strings(given.Inputs.GetProperty("texts")).Select(text => Change(text, step))]) };

    private static string[] Strings(JsonElement list) => [.. list.EnumerateArray().Select(value => value.GetString()!)];
}
