using System.Text.Encodings.Web;
using System.Text.Json;

namespace Microsoft.ML.Contrastive;

/// <summary>Writes what <see cref="TokenizerJson"/> reads: the same ids come back, here and in Hugging Face's code.</summary>
internal static class TokenizerJsonWriter
{
    private const string ClipPattern = @"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

    /// <summary>tokenizer.json.</summary>
    public static byte[] Json(Tokenizer tokenizer) => Write(json =>
    {
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        Part(json, "padding", tokenizer.Specials.Padding is { } padding ? new { strategy = "BatchLongest", direction = "Right", pad_to_multiple_of = (int?)null, pad_id = tokenizer.PaddingId, pad_type_id = 0, pad_token = padding } : null);
        Part(json, "added_tokens", NoText(tokenizer).Select(token => new { id = Id(tokenizer, token), content = token, single_word = false, lstrip = false, rstrip = false, normalized = false, special = true }));
        switch (tokenizer)
        {
            case WordPiece { Settings: var settings }:
                Part(json, "normalizer", new { type = "BertNormalizer", clean_text = settings.CleanText, handle_chinese_chars = settings.SplitChinese, strip_accents = settings.StripAccents, lowercase = settings.LowerCase });
                Part(json, "pre_tokenizer", new { type = "BertPreTokenizer" });
                Ends(json, tokenizer);
                Model(json, "WordPiece", tokenizer, new { unk_token = tokenizer.Specials.Unknown, continuing_subword_prefix = settings.ContinuingPrefix, max_input_chars_per_word = settings.MaxWordLength });
                break;
            case ByteLevelBpe bpe:
                Part(json, "normalizer", null);
                Part(json, "pre_tokenizer", new { type = "ByteLevel", add_prefix_space = bpe.AddsPrefixSpace, trim_offsets = true, use_regex = true });
                Ends(json, tokenizer);
                Model(json, "BPE", tokenizer, new { unk_token = bpe.Specials.Unknown, end_of_word_suffix = "", merges = bpe.Merges });
                break;
            case ClipBpe clip:
                object[] composing = clip.Composes ? [new { type = "NFC" }] : [];
                Part(json, "normalizer", new { type = "Sequence", normalizers = (object[])[.. composing, new { type = "Replace", pattern = new { Regex = @"\s+" }, content = " " }, new { type = "Lowercase" }] });
                Part(json, "pre_tokenizer", new
                {
                    type = "Sequence",
                    pretokenizers = (object[])[new { type = "Split", pattern = new { Regex = ClipPattern }, behavior = "Removed", invert = true }, new { type = "ByteLevel", add_prefix_space = false, trim_offsets = true, use_regex = true }],
                });
                Ends(json, tokenizer);
                Model(json, "BPE", tokenizer, new { unk_token = clip.Specials.Unknown, end_of_word_suffix = ClipBpe.EndOfWord, merges = clip.Merges });
                break;
            case SentencePiece pieces:
                Pieces(json, pieces);
                break;
        }
        Part(json, "decoder", tokenizer switch
        {
            WordPiece { Settings.ContinuingPrefix: var prefix } => new { type = "WordPiece", prefix, cleanup = true },
            SentencePiece { Settings.AddDummyPrefix: var isAdded } => new { type = "Metaspace", replacement = "▁", prepend_scheme = isAdded ? "always" : "never", split = true },
            _ => (object)new { type = "ByteLevel", add_prefix_space = true, trim_offsets = true, use_regex = true },
        });
    });

    /// <summary>tokenizer_config.json.</summary>
    public static byte[] Config(Tokenizer tokenizer) => Write(json =>
    {
        SpecialTokens specials = tokenizer.Specials;
        json.WriteString("tokenizer_class", tokenizer switch
        {
            WordPiece => "BertTokenizer",
            ClipBpe => "CLIPTokenizer",
            ByteLevelBpe { Specials.Opening: null } => "GPT2Tokenizer",
            ByteLevelBpe => "RobertaTokenizer",
            _ => "PreTrainedTokenizerFast",
        });
        (string, string?)[] roles = [("cls_token", specials.Opening), ("sep_token", specials.Closing), ("bos_token", specials.Opening), ("eos_token", specials.Closing),
            ("pad_token", specials.Padding), ("unk_token", specials.Unknown), ("mask_token", specials.Mask)];
        foreach ((string role, string? token) in roles)
            if (token is not null)
                json.WriteString(role, token);
        if (tokenizer is WordPiece { Settings: var settings })
        {
            json.WriteBoolean("do_lower_case", settings.LowerCase);
            json.WriteBoolean("tokenize_chinese_chars", settings.SplitChinese);
        }
        if (tokenizer is ClipBpe clip)
            json.WriteBoolean("unescape_html", clip.UnescapesHtml);
    });

    /// <summary>Special tokens, and what else a SentencePiece model has that is no piece of text.</summary>
    private static IEnumerable<string> NoText(Tokenizer tokenizer)
        => tokenizer is not SentencePiece pieces ? tokenizer.Specials.All
            : pieces.Vocabulary.Tokens.Zip(pieces.Scores).Where(each => float.IsNaN(each.Second) && !SentencePiece.IsByte(each.First!)).Select(each => each.First!)
                .Union(pieces.Specials.All);

    private static byte[] Write(Action<Utf8JsonWriter> body)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            body(json);
            json.WriteEndObject();
        }
        return stream.ToArray();
    }

    private static void Pieces(Utf8JsonWriter json, SentencePiece pieces)
    {
        SentencePieceSettings settings = pieces.Settings;
        object[] map = settings.CharacterMap.IsEmpty ? [] : [new { type = "Precompiled", precompiled_charsmap = Convert.ToBase64String(settings.CharacterMap.Span) }];
        object[] blanks = settings.RemoveExtraBlanks ? [new { type = "Strip", strip_left = true, strip_right = true }, new { type = "Replace", pattern = new { Regex = " {2,}" }, content = " " }] : [];
        Part(json, "normalizer", new { type = "Sequence", normalizers = (object[])[.. map, .. blanks] });
        Part(json, "pre_tokenizer", new { type = "Metaspace", replacement = "▁", prepend_scheme = settings.AddDummyPrefix ? "always" : "never", split = true });
        Ends(json, pieces);
        json.WriteStartObject("model");
        json.WriteString("type", "Unigram");
        json.WriteNumber("unk_id", pieces.UnknownId!.Value);
        json.WriteBoolean("byte_fallback", settings.ByteFallback);
        json.WriteStartArray("vocab");
        foreach ((string? piece, float score) in pieces.Vocabulary.Tokens.Zip(pieces.Scores))
        {
            json.WriteStartArray();
            json.WriteStringValue(piece);
            json.WriteNumberValue(float.IsNaN(score) ? 0 : score);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Ends(Utf8JsonWriter json, Tokenizer tokenizer)
    {
        string[] before = tokenizer.Specials.Opening is { } opening ? [opening] : [], behind = tokenizer.Specials.Closing is { } closing ? [closing] : [];
        object[] single = [.. before.Select(Special), Text("A", 0), .. behind.Select(Special)];
        Part(json, "post_processor", new
        {
            type = "TemplateProcessing",
            single,
            pair = (object[])[.. single, Text("B", 1), .. behind.Select(Special)],
            special_tokens = before.Concat(behind).Distinct().ToDictionary(token => token, token => new { id = token, ids = new[] { Id(tokenizer, token) }, tokens = new[] { token } }),
        });

        static object Special(string token) => new { SpecialToken = new { id = token, type_id = 0 } };
        static object Text(string id, int type) => new { Sequence = new { id, type_id = type } };
    }

    private static void Model(Utf8JsonWriter json, string type, Tokenizer tokenizer, object settings)
    {
        json.WriteStartObject("model");
        json.WriteString("type", type);
        foreach (JsonProperty property in JsonSerializer.SerializeToElement(settings).EnumerateObject())
            property.WriteTo(json);
        json.WriteStartObject("vocab");
        foreach ((int id, string? token) in tokenizer.Vocabulary.Tokens.Index())
            if (token is not null && Id(tokenizer, token) == id)
                json.WriteNumber(token, id);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Part(Utf8JsonWriter json, string name, object? value)
    {
        json.WritePropertyName(name);
        JsonSerializer.Serialize(json, value);
    }

    private static int Id(Tokenizer tokenizer, string token) => tokenizer.Vocabulary.Find(token, "written");
}
