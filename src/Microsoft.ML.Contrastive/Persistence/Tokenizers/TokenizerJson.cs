using System.Text.Json;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Reads tokenizer.json of Hugging Face's tokenizers, in the forms that BERT, RoBERTa, CLIP and XLM-R and their kin have. A part that is
/// not one of these is refused by its name: left out, it would give other ids without a word.
/// </summary>
internal static class TokenizerJson
{
    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 32 };

    /// <param name="bytes">The file.</param>
    /// <param name="file">Its name, for messages.</param>
    /// <param name="kind">What it must be. The default value is an object.</param>
    /// <exception cref="InvalidDataException">Not JSON, or something else.</exception>
    public static JsonElement Parse(byte[] bytes, string file, JsonValueKind kind = JsonValueKind.Object)
    {
        try
        {
            ReadOnlyMemory<byte> text = bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes.AsMemory(3) : bytes;
            using JsonDocument document = JsonDocument.Parse(text, s_options);
            return document.RootElement.ValueKind == kind ? document.RootElement.Clone()
                : throw new InvalidDataException($"{file} is damaged: it is no JSON {(kind == JsonValueKind.Object ? "object" : "list")}.");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{file} is damaged: {Printable.Message(error.Message)}", error);
        }
    }

    /// <param name="root">Of tokenizer.json.</param>
    /// <param name="named">The special tokens that the files beside it name, by their keys such as "pad_token".</param>
    /// <param name="unescapesHtml">For CLIP; see <see cref="ClipBpe.UnescapesHtml"/>.</param>
    /// <param name="file">For messages.</param>
    /// <exception cref="InvalidDataException">Damaged, or a part is not known.</exception>
    /// <exception cref="ArgumentException">Vocabulary, merges and special tokens do not fit together.</exception>
    public static Tokenizer Read(JsonElement root, IReadOnlyDictionary<string, string> named, bool unescapesHtml, string file)
    {
        var json = new JsonPart(root, file, "");
        JsonPart model = json["model"];
        string type = model.Type ?? (model.Has("merges") ? "BPE" : throw json.Unknown("model without a type"));
        if (type is not ("WordPiece" or "BPE" or "Unigram"))
            throw model.Unknown($"model {type}");
        (string? opening, string? closing) = Ends(json["post_processor"]);
        (List<string?> tokens, float[] scores, string? unknown) = type == "Unigram" ? Unigram(model) : ([.. VocabularyText.ById(model["vocab"].Element, file)], [], model.Text("unk_token"));
        Add(json["added_tokens"], tokens, [.. named.Values.Append(opening).Append(closing).Append(unknown).OfType<string>()]);
        var vocabulary = VocabularyText.Make(tokens, file);
        var specials = new SpecialTokens(
            opening, closing,
            json["padding"].Text("pad_token") ?? named.GetValueOrDefault("pad_token") ?? Known("[PAD]", "<pad>"),
            unknown ?? named.GetValueOrDefault("unk_token"),
            named.GetValueOrDefault("mask_token") ?? Known("[MASK]", "<mask>"));
        return type switch
        {
            "WordPiece" => new WordPiece(vocabulary, WordPieceSettings(json, model), specials),
            "BPE" => Bpe(json, model, vocabulary, specials, unescapesHtml),
            _ => new SentencePiece(vocabulary, OfText(json["added_tokens"], tokens, scores, model.Flag("byte_fallback", false)), specials, UnigramSettings(json, model)),
        };

        string? Known(params string[] names) => names.FirstOrDefault(name => vocabulary.TryFind(name, out _));
    }

    private static void Add(JsonPart added, List<string?> tokens, HashSet<string> expected)
    {
        var places = tokens.Index().Where(each => each.Item is not null).ToDictionary(each => each.Item!, each => each.Index, StringComparer.Ordinal);
        foreach (JsonPart token in added.Items())
        {
            string content = token.Text("content") ?? throw token.Unknown("added token without content");
            int id = token.Whole("id");
            if (!token.Flag("special", false) && !expected.Contains(content))
                throw token.Unknown($"added token {Printable.Quote(content)} that is not special");
            if (id < 0 || id > tokens.Count || (places.TryGetValue(content, out int place) && place != id) || (id < tokens.Count && tokens[id] is { } other && other != content))
                throw new InvalidDataException($"{token.File} is damaged: the added token {Printable.Quote(content)} can't have the id {id}.");
            if (id == tokens.Count)
                tokens.Add(content);
            tokens[id] = content;
            places[content] = id;
        }
    }

    /// <summary>The one token in front and the one behind that the post-processor adds.</summary>
    private static (string? Opening, string? Closing) Ends(JsonPart processor)
    {
        switch (processor.Type)
        {
            case null when !processor.IsThere:
            case "ByteLevel": // moves offsets only
                return (null, null);
            case "BertProcessing" or "RobertaProcessing":
                return (Named("cls"), Named("sep"));
            case "TemplateProcessing":
                return Template(processor);
            case "Sequence":
                (string?, string?)[] each = [.. processor["processors"].Items().Select(Ends).Where(ends => ends != (null, null))];
                return each.Length <= 1 ? each.FirstOrDefault() : throw processor.Unknown("post-processor that adds tokens twice");
            default:
                throw processor.Unknown($"post-processor {processor.Type}");
        }

        string Named(string role) => processor[role].Items().Select(part => part.AsText()).FirstOrDefault() ?? throw processor.Unknown($"post-processor without {role}");
    }

    private static (string?, string?) Template(JsonPart processor)
    {
        string? opening = null, closing = null;
        bool isBehind = false;
        foreach (JsonPart part in processor["single"].Items())
        {
            if (part.Has("Sequence"))
                isBehind = true;
            else if (part["SpecialToken"].Text("id") is not { } token || (isBehind ? closing : opening) is not null)
                throw processor.Unknown("template of more than one token at an end");
            else if (isBehind)
                closing = token;
            else
                opening = token;
        }
        return isBehind ? (opening, closing) : throw processor.Unknown("template without the text");
    }

    private static WordPieceSettings WordPieceSettings(JsonPart json, JsonPart model)
    {
        JsonPart normalizer = json["normalizer"].Of("normalizer", "BertNormalizer");
        json["pre_tokenizer"].Of("pre-tokenizer", "BertPreTokenizer");
        return new()
        {
            LowerCase = normalizer.Flag("lowercase", true),
            StripAccents = normalizer.Has("strip_accents") ? normalizer.Flag("strip_accents", true) : null,
            CleanText = normalizer.Flag("clean_text", true),
            SplitChinese = normalizer.Flag("handle_chinese_chars", true),
            ContinuingPrefix = model.Text("continuing_subword_prefix") ?? "##",
            MaxWordLength = model.Has("max_input_chars_per_word") ? model.Whole("max_input_chars_per_word") : 100,
        };
    }

    private static Tokenizer Bpe(JsonPart json, JsonPart model, Vocabulary vocabulary, SpecialTokens specials, bool unescapesHtml)
    {
        foreach (string flag in (string[])["fuse_unk", "byte_fallback", "ignore_merges"])
            if (model.Flag(flag, false))
                throw model.Unknown($"BPE with {flag}");
        if (model.Has("dropout") || !string.IsNullOrEmpty(model.Text("continuing_subword_prefix")))
            throw model.Unknown("BPE with dropout or continuing_subword_prefix");
        string[] merges = [.. model["merges"].Items().Select(merge => merge.Element.ValueKind == JsonValueKind.Array
            ? string.Join(' ', merge.Items().Select(part => part.AsText())) : merge.AsText())];
        string suffix = model.Text("end_of_word_suffix") ?? "";
        JsonPart[] before = [.. json["pre_tokenizer"].Flattened("pretokenizers")], normalizers = [.. json["normalizer"].Flattened("normalizers")];
        if (suffix == ClipBpe.EndOfWord && before is [var split, var level] && split.Type == "Split" && level.Type == "ByteLevel")
        {
            // The words by themselves and CLIP's pattern for them: any other would be another tokenizer.
            // Its own tokens stand in it where OpenAI wrote the file; transformers' converter leaves them out, as they are cut out of the text before.
            string pattern = split["pattern"].Text("Regex") ?? "";
            if (!pattern.EndsWith(@"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", StringComparison.Ordinal))
                throw split.Unknown($"pattern {Printable.Quote(pattern)}");
            if (!normalizers.Any(each => each.Type == "Lowercase"))
                throw model.Unknown("CLIP tokenizer that keeps case");
            foreach (JsonPart each in normalizers)
                if (each.Type is not ("NFC" or "Lowercase") && !(each.Type == "Replace" && each["pattern"].Text("Regex") == @"\s+" && each.Text("content") == " "))
                    throw each.Unknown($"normalizer {each.Type}");
            return new ClipBpe(vocabulary, merges, specials, unescapesHtml, composes: normalizers.Any(each => each.Type == "NFC"));
        }
        if (suffix.Length > 0 || before is not [var only] || only.Type != "ByteLevel" || !only.Flag("use_regex", true))
            throw model.Unknown($"BPE with the pre-tokenizers {string.Join(", ", before.Select(each => each.Type))} and the suffix {Printable.Quote(suffix)}");
        if (normalizers.Length > 0)
            throw normalizers[0].Unknown($"normalizer {normalizers[0].Type}");
        return new ByteLevelBpe(vocabulary, merges, specials, only.Flag("add_prefix_space", true));
    }

    private static (List<string?> Tokens, float[] Scores, string? Unknown) Unigram(JsonPart model)
    {
        var tokens = new List<string?>();
        var scores = new List<float>();
        foreach (JsonPart entry in model["vocab"].Items())
        {
            JsonPart[] pair = [.. entry.Items()];
            if (pair.Length != 2 || pair[1].Element.ValueKind != JsonValueKind.Number || !pair[1].Element.TryGetSingle(out float score) || !float.IsFinite(score))
                throw new InvalidDataException($"{model.File} is damaged: entry {tokens.Count} of the vocabulary is no piece with its score.");
            tokens.Add(pair[0].AsText());
            scores.Add(score);
        }
        int unknown = model.Whole("unk_id");
        if (unknown < 0 || unknown >= tokens.Count)
            throw new InvalidDataException($"{model.File} is damaged: unk_id {unknown} is no piece of {tokens.Count}.");
        return (tokens, [.. scores], tokens[unknown]);
    }

    /// <summary>The scores, without those of special tokens and of bytes, which are no pieces of text.</summary>
    private static float[] OfText(JsonPart added, List<string?> tokens, float[] scores, bool hasBytes)
    {
        var special = added.Items().Where(token => token.Flag("special", false)).Select(token => token.Text("content")).ToHashSet();
        return [.. tokens.Select((token, id) => id >= scores.Length || special.Contains(token) || (hasBytes && SentencePiece.IsByte(token!)) ? float.NaN : scores[id])];
    }

    private static SentencePieceSettings UnigramSettings(JsonPart json, JsonPart model)
    {
        byte[] map = [];
        bool dropsBlanks = false;
        foreach (JsonPart each in json["normalizer"].Flattened("normalizers"))
            switch (each.Type)
            {
                case "Precompiled":
                    map = each["precompiled_charsmap"] is { IsThere: true } text && text.Element.ValueKind == JsonValueKind.String && text.Element.TryGetBytesFromBase64(out byte[]? bytes) ? bytes
                        : throw each.Unknown("table of characters that is not base64");
                    break;
                case "Strip":
                case "Replace" when each["pattern"].Text("Regex") == " {2,}" && each.Text("content") is " " or "▁":
                    dropsBlanks = true;
                    break;
                default:
                    throw each.Unknown($"normalizer {each.Type}");
            }
        bool addsPrefix = true;
        foreach (JsonPart each in json["pre_tokenizer"].Flattened("pretokenizers"))
            switch (each.Type)
            {
                case "WhitespaceSplit":
                    dropsBlanks = true;
                    break;
                case "Metaspace" when (each.Text("replacement") ?? "▁") == "▁":
                    addsPrefix = each.Has("prepend_scheme") ? each.Text("prepend_scheme") != "never" : each.Flag("add_prefix_space", true);
                    break;
                default:
                    throw each.Unknown($"pre-tokenizer {each.Type}");
            }
        return new() { CharacterMap = map, RemoveExtraBlanks = dropsBlanks, AddDummyPrefix = addsPrefix, ByteFallback = model.Flag("byte_fallback", false) };
    }
}
