namespace Microsoft.ML.Contrastive;

/// <summary>What a CLIP checkpoint says beside its weights, as far as it says it: what shapes can't tell.</summary>
internal sealed record ClipConfig
{
    public const string HuggingFaceFile = "config.json", OpenClipFile = "open_clip_config.json";

    /// <summary>OpenAI's mean and deviation of each channel, of pixels from 0 to 1.</summary>
    public static Normalization Published { get; } = new([0.48145466f, 0.4578275f, 0.40821073f], [0.26862954f, 0.26130258f, 0.27577711f]);

    /// <summary>Where it was read, for messages; null where there was no file.</summary>
    public string? Source { get; init; }

    /// <summary>Null: one for each 64 numbers of the width, OpenAI's rule.</summary>
    public int? ImageHeads { get; init; }

    /// <summary>The same of the text network.</summary>
    public int? TextHeads { get; init; }

    /// <summary>Null: OpenAI's, true.</summary>
    public bool? ImageQuickGelu { get; init; }

    public bool? TextQuickGelu { get; init; }

    public int? ImageSize { get; init; }

    /// <summary>Whether texts are cut by CLIP's published tokenizer whatever else lies in the folder: open_clip's rule.</summary>
    public bool HasPublishedTokenizer { get; init; }

    public Normalization Normalization { get; init; } = Published;

    /// <summary>config.json of Hugging Face's CLIPModel, and its preprocessor_config.json where there is one.</summary>
    /// <exception cref="InvalidDataException">Damaged, of another kind of model, or with a setting that is not supported.</exception>
    public static ClipConfig OfHuggingFace(JsonPart config, JsonPart? preprocessor)
    {
        if (config.Text("model_type") is var type && type != "clip")
            throw config.Unknown($"model_type {Printable.Quote(type ?? "null")}, where \"clip\" is expected");
        JsonPart image = config["vision_config"], text = config["text_config"];
        foreach (JsonPart tower in new[] { image, text })
            if (tower.Number("layer_norm_eps", ClipTransformer.NormEpsilon) != ClipTransformer.NormEpsilon)
                throw tower["layer_norm_eps"].Unknown("layer norm's epsilon other than 1e-5");
        // Old files say 2, which Hugging Face's code takes as the vocabulary's last; that is where the library reads a text's vector.
        if (text.Has("eos_token_id") && text.Has("vocab_size") && text.Whole("eos_token_id") is var closing && closing != 2 && closing != text.Whole("vocab_size") - 1)
            throw text.Unknown($"closing token {closing}, which is not the vocabulary's last");
        int? size = image.Has("image_size") ? image.Whole("image_size") : null;
        if (preprocessor is { } pictures)
            CheckPictures(pictures, size ?? 224);
        return new()
        {
            Source = config.File,
            ImageHeads = image.Has("num_attention_heads") ? image.Whole("num_attention_heads") : 12,
            TextHeads = text.Has("num_attention_heads") ? text.Whole("num_attention_heads") : 8,
            ImageQuickGelu = IsQuick(image),
            TextQuickGelu = IsQuick(text),
            ImageSize = size,
            Normalization = Channels(preprocessor?["image_mean"], preprocessor?["image_std"]),
        };

        static bool IsQuick(JsonPart tower) => tower.Text("hidden_act") switch
        {
            null or "quick_gelu" => true,
            "gelu" => false,
            { } other => throw tower.Unknown($"hidden_act {Printable.Quote(other)}"),
        };
    }

    /// <summary>open_clip_config.json.</summary>
    /// <inheritdoc cref="OfHuggingFace"/>
    public static ClipConfig OfOpenClip(JsonPart config)
    {
        JsonPart model = config["model_cfg"], image = model["vision_cfg"], text = model["text_cfg"], pictures = config["preprocess_cfg"];
        foreach ((JsonPart part, string setting) in new[]
        {
            (image, "timm_model_name"), (image, "attentional_pool"), (image, "ls_init_value"), (image, "no_ln_pre"), (image, "final_ln_after_pool"), (image, "act_kwargs"), (image, "norm_kwargs"),
            (text, "hf_model_name"), (text, "no_causal_mask"), (text, "embed_cls"), (text, "ls_init_value"), (text, "act_kwargs"), (text, "norm_kwargs"), (text, "proj_bias"),
        })
            if (part[setting] is { IsThere: true } given && given.Element.ValueKind != System.Text.Json.JsonValueKind.False)
                throw given.Unknown($"{setting}, which is set");
        Only(image, "pool_type", "tok");
        Only(text, "pool_type", "argmax");
        Only(text, "proj_type", "linear");
        Only(pictures, "resize_mode", "shortest");
        Only(pictures, "interpolation", "bicubic");
        bool quick = model.Flag("quick_gelu", false);
        int headWidth = image.Has("head_width") ? image.Whole("head_width") : 64;
        bool isResidual = image["layers"].Element.ValueKind == System.Text.Json.JsonValueKind.Array;
        int? width = image.Has("width") ? image.Whole("width") * (isResidual ? 32 : 1) : null;
        if (headWidth < 1)
            throw image["head_width"].Unknown($"head width of {headWidth}");
        return new()
        {
            Source = config.File,
            ImageHeads = width / headWidth,
            TextHeads = text.Has("heads") ? text.Whole("heads") : 8,
            ImageQuickGelu = quick,
            TextQuickGelu = quick,
            ImageSize = image.Has("image_size") ? image.Whole("image_size") : null,
            HasPublishedTokenizer = !text.Has("hf_tokenizer_name"),
            Normalization = Channels(pictures["mean"], pictures["std"]),
        };

        static void Only(JsonPart part, string setting, string expected)
        {
            if (part.Text(setting) is { } given && given != expected)
                throw part.Unknown($"{setting} {Printable.Quote(given)}, where \"{expected}\" is expected");
        }
    }

    /// <summary>CLIP's way: the short side resized, bicubic, and the middle cut out. Any other would be silently worse.</summary>
    private static void CheckPictures(JsonPart pictures, int size)
    {
        if (pictures.Has("resample") && pictures.Whole("resample") != 3)
            throw pictures.Unknown($"resample {pictures.Whole("resample")}, where 3, bicubic, is expected");
        foreach (string step in (string[])["do_resize", "do_center_crop", "do_rescale", "do_normalize"])
            if (!pictures.Flag(step, true))
                throw pictures.Unknown($"{step} of false, where CLIP's own preprocessing is expected,");
        foreach (string name in (string[])["size", "crop_size"])
        {
            JsonPart given = pictures[name];
            if (!given.IsThere)
                continue;
            bool isNumber = given.Element.ValueKind == System.Text.Json.JsonValueKind.Number;
            int[] sides = isNumber ? [pictures.Whole(name)] : [.. new[] { "shortest_edge", "height", "width" }.Where(given.Has).Select(given.Whole)];
            if (sides.Any(side => side != size) || (name == "size" && !isNumber && !given.Has("shortest_edge")))
                throw given.Unknown($"{name} other than the model's {size} pixels{(name == "size" ? " of the short side" : "")}");
        }
    }

    private static Normalization Channels(JsonPart? mean, JsonPart? deviation)
    {
        return new(Three(mean, Published.Mean, _ => true), Three(deviation, Published.Deviation, value => value > 0));

        static float[] Three(JsonPart? part, float[] published, Func<float, bool> isGood)
        {
            if (part is not { IsThere: true } given)
                return published;
            float[] numbers = [.. given.Items().Select(item => item.Element.ValueKind == System.Text.Json.JsonValueKind.Number ? item.Element.GetSingle() : float.NaN)];
            return numbers.Length == 3 && numbers.All(value => float.IsFinite(value) && isGood(value)) ? numbers : throw given.Unknown("list that is not of three numbers in their range,");
        }
    }
}
