using System.Text.Json;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A tokenizer as files: read from whichever a published folder has, and written as two that Hugging Face's code opens too. In a model
/// zip it is the same two.
/// </summary>
internal static class TokenizerFiles
{
    public const string Json = "tokenizer.json", Config = "tokenizer_config.json";

    /// <summary>XLM-R's tokenizer.json has 17 million bytes.</summary>
    public const long MaxBytes = 1L << 28;

    private const string SpecialMap = "special_tokens_map.json", Lines = "vocab.txt", ById = "vocab.json", Merges = "merges.txt";
    private static readonly string[] s_models = ["sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "sentencepiece.model"];
    private static readonly string[] s_roles = ["cls_token", "sep_token", "bos_token", "eos_token", "pad_token", "unk_token", "mask_token"];
    private static readonly SpecialTokens s_mpnet = SpecialTokens.Roberta with { Unknown = "[UNK]" };
    private static readonly SpecialTokens s_gpt2 = new(null, null, null, "<|endoftext|>", null);
    private static readonly SpecialTokens s_t5 = SpecialTokens.Roberta with { Opening = null, Mask = null };

    /// <summary>The tokenizer of a folder as published: tokenizer.json, or else vocab.txt, vocab.json with merges.txt, or a SentencePiece model.</summary>
    /// <exception cref="InvalidDataException">There is none, a file is damaged, or it is of a kind that is not known.</exception>
    public static Tokenizer ReadFolder(string folder)
    {
        if (!Directory.Exists(folder))
            throw new InvalidDataException($"The folder {folder} does not exist.");
        return Read(name =>
        {
            var file = new FileInfo(Path.Combine(folder, name));
            if (!file.Exists)
                return null;
            return file.Length <= MaxBytes ? File.ReadAllBytes(file.FullName)
                : throw new InvalidDataException($"{file.FullName} has {file.Length} bytes; a tokenizer's file has at most {MaxBytes}.");
        }, folder);
    }

    /// <param name="open">A file's bytes by its name; null where there is none.</param>
    /// <param name="place">Where the files lie, for messages.</param>
    /// <inheritdoc cref="ReadFolder"/>
    public static Tokenizer Read(Func<string, byte[]?> open, string place)
    {
        JsonPart? config = null;
        var named = new Dictionary<string, string>();
        string? kind = null;
        string now = place;
        try
        {
            config = Optional(Config);
            foreach (JsonPart source in new[] { Optional(SpecialMap), config }.OfType<JsonPart>())
                foreach (string role in s_roles.Where(source.Has))
                    named[role] = source[role].Element.ValueKind == JsonValueKind.Object ? source[role].Text("content") ?? throw source.Unknown($"{role} without content") : source.Text(role)!;
            kind = config?.Text("tokenizer_class") is { } full ? (full.EndsWith("Fast", StringComparison.Ordinal) ? full[..^4] : full) : null;
            if (Bytes(Json) is { } json)
                return TokenizerJson.Read(TokenizerJson.Parse(json, now), named, config?.Flag("unescape_html", false) ?? false, now);
            if (Bytes(Lines) is { } lines)
                return FromLines(VocabularyText.Lines(lines, now));
            if (Bytes(ById) is { } byId)
            {
                Vocabulary vocabulary = VocabularyText.Make(VocabularyText.ById(TokenizerJson.Parse(byId, now), now), now);
                return FromMerges(vocabulary, Bytes(Merges) is { } merges ? VocabularyText.Merges(merges, now) : throw new InvalidDataException($"{place} has {ById} but lacks {Merges}, which belongs to it."));
            }
            foreach (string name in s_models)
                if (Bytes(name) is { } model)
                    return FromPieces(SentencePieceFile.Read(model, now), name);
        }
        catch (Exception error) when (error is ArgumentException or InvalidOperationException) // of what was read; and half a character in a JSON name
        {
            throw new InvalidDataException($"{now} is damaged, or not of one piece with the files beside it: {Printable.Message(error.Message)}", error);
        }
        throw new InvalidDataException($"{place} has no tokenizer: it needs {Json}, or {Lines}, or {ById} with {Merges}, or one of {string.Join(", ", s_models)}.");

        byte[]? Bytes(string name)
        {
            byte[]? bytes = open(name);
            if (bytes is not null)
                now = Path.Combine(place, name);
            return bytes;
        }

        JsonPart? Optional(string name) => Bytes(name) is { } bytes ? new JsonPart(TokenizerJson.Parse(bytes, now), now, "") : null;

        WordPiece FromLines(Vocabulary vocabulary)
        {
            if (kind is not (null or "BertTokenizer" or "DistilBertTokenizer" or "ElectraTokenizer" or "MPNetTokenizer"))
                throw UnknownClass(Lines);
            var settings = new WordPieceSettings
            {
                LowerCase = config?.Flag("do_lower_case", true) ?? true,
                StripAccents = config is { } given && given.Has("strip_accents") ? given.Flag("strip_accents", true) : null,
                SplitChinese = config?.Flag("tokenize_chinese_chars", true) ?? true,
            };
            return new(vocabulary, settings, Specials(vocabulary, kind == "MPNetTokenizer" ? s_mpnet : SpecialTokens.Bert, "cls_token", "sep_token"));
        }

        Tokenizer FromMerges(Vocabulary vocabulary, string[] merges)
        {
            string like = kind ?? (Has(SpecialTokens.Clip) ? "CLIPTokenizer" : Has(SpecialTokens.Roberta) ? "RobertaTokenizer" : "GPT2Tokenizer");
            bool addsSpace = config?.Flag("add_prefix_space", false) ?? false;
            return like switch
            {
                "CLIPTokenizer" => new ClipBpe(vocabulary, merges, Specials(vocabulary, SpecialTokens.Clip, "bos_token", "eos_token")),
                "RobertaTokenizer" => new ByteLevelBpe(vocabulary, merges, Specials(vocabulary, SpecialTokens.Roberta, "cls_token", "sep_token"), addsSpace),
                "GPT2Tokenizer" => new ByteLevelBpe(vocabulary, merges, Specials(vocabulary, s_gpt2, null, null), addsSpace),
                _ => throw UnknownClass(ById),
            };

            bool Has(SpecialTokens specials) => vocabulary.TryFind(specials.Opening, out _);
        }

        SentencePiece FromPieces(SentencePieceFile model, string name)
        {
            if (kind is "XLMRobertaTokenizer" || (kind is null && name == s_models[0]))
            {
                // XLM-R's ids come from fairseq, which has its own four in front of the model's pieces, without the model's three.
                if (model.Pieces is not ["<unk>", "<s>", "</s>", ..])
                    throw new InvalidDataException($"{now} does not begin with <unk>, <s>, </s> as XLM-R's model does.");
                float[] none = [float.NaN, float.NaN, float.NaN, float.NaN];
                var fairseq = new Vocabulary(["<s>", "<pad>", "</s>", "<unk>", .. model.Pieces[3..], "<mask>"]);
                return new(fairseq, [.. none, .. model.Scores[3..], float.NaN], SpecialTokens.Roberta, model.Settings);
            }
            if (kind is not (null or "T5Tokenizer"))
                throw UnknownClass(name);
            var vocabulary = new Vocabulary(model.Pieces);
            return new(vocabulary, model.Scores, Specials(vocabulary, s_t5 with { Unknown = model.Unknown }, null, "eos_token"), model.Settings);
        }

        InvalidDataException UnknownClass(string name)
            => new($"{Path.Combine(place, Config)} names the tokenizer {Printable.Quote(kind!)}, which is not supported with {name}.");

        // What no file names and the vocabulary lacks, a tokenizer may do without, but for the ends and the unknown.
        SpecialTokens Specials(Vocabulary vocabulary, SpecialTokens standard, string? opening, string? closing) => new(
            standard.Opening is null || opening is null ? null : named.GetValueOrDefault(opening, standard.Opening),
            standard.Closing is null || closing is null ? null : named.GetValueOrDefault(closing, standard.Closing),
            named.GetValueOrDefault("pad_token") ?? InVocabulary(vocabulary, standard.Padding),
            named.GetValueOrDefault("unk_token") ?? standard.Unknown,
            named.GetValueOrDefault("mask_token") ?? InVocabulary(vocabulary, standard.Mask));
    }

    /// <summary>Writes the two files of a tokenizer.</summary>
    /// <param name="tokenizer">Of any kind.</param>
    /// <param name="write">Takes a name and its bytes.</param>
    public static void Write(Tokenizer tokenizer, Action<string, byte[]> write)
    {
        write(Json, TokenizerJsonWriter.Json(tokenizer));
        write(Config, TokenizerJsonWriter.Config(tokenizer));
    }

    private static string? InVocabulary(Vocabulary vocabulary, string? token) => token is not null && vocabulary.TryFind(token, out _) ? token : null;
}
