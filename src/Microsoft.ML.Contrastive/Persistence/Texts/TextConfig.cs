namespace Microsoft.ML.Contrastive;

/// <summary>Hugging Face's config.json of the BERT family, as our encoder's shape, and back.</summary>
internal static class TextConfig
{
    public const string File = "config.json";

    private static readonly (string Theirs, TextActivation Ours)[] s_activations =
    [
        ("gelu", TextActivation.Gelu), ("gelu_new", TextActivation.GeluTanh), ("gelu_pytorch_tanh", TextActivation.GeluTanh), ("gelu_fast", TextActivation.GeluTanh),
        ("quick_gelu", TextActivation.QuickGelu), ("relu", TextActivation.Relu), ("silu", TextActivation.Silu), ("swish", TextActivation.Silu),
    ];

    /// <summary>The kinds that are read.</summary>
    public static IReadOnlyList<string> ModelTypes { get; } = ["bert", "roberta", "xlm-roberta", "camembert", "distilbert", "mpnet"];

    /// <exception cref="InvalidDataException">A kind or setting that is not supported, named.</exception>
    public static (string ModelType, TextTransformer Shape) Read(JsonPart config)
    {
        string type = config.Text("model_type") ?? throw config.Unknown("model without model_type");
        if (!ModelTypes.Contains(type))
            throw config.Unknown($"model_type {Printable.Quote(type)}; supported are {string.Join(", ", ModelTypes)}: a model");
        if (config.Text("position_embedding_type") is { } positions && positions != "absolute")
            throw config.Unknown($"position_embedding_type {Printable.Quote(positions)}");
        foreach (string flag in new[] { "is_decoder", "add_cross_attention", "sinusoidal_pos_embds" }.Where(flag => config.Flag(flag, false)))
            throw config.Unknown($"{flag}, which is true,");
        bool distil = type == "distilbert";
        // Positions of RoBERTa and MPNet begin behind the padding id, which is 1 in all that is published.
        int offset = type is "bert" or "distilbert" ? 0 : (config.Has("pad_token_id") ? config.Whole("pad_token_id") : 1) + 1;
        int rows = config.Whole("max_position_embeddings");
        return (type, new TextTransformer
        {
            VocabularySize = config.Whole("vocab_size"),
            Width = config.Whole(distil ? "dim" : "hidden_size"),
            Depth = config.Whole(distil ? "n_layers" : "num_hidden_layers"),
            Heads = config.Whole(distil ? "n_heads" : "num_attention_heads"),
            HiddenSize = config.Whole(distil ? "hidden_dim" : "intermediate_size"),
            Activation = Activation(config[distil ? "activation" : "hidden_act"]),
            TokenLimit = rows - offset,
            PositionOffset = offset,
            PositionRows = rows,
            TokenTypes = type is "distilbert" or "mpnet" ? 0 : config.Has("type_vocab_size") ? config.Whole("type_vocab_size") : 2,
            RelativePositions = type == "mpnet",
            NormEpsilon = Number(config["layer_norm_eps"], 1e-12),
            Dropout = Number(config[distil ? "dropout" : "hidden_dropout_prob"], 0.1),
            AttentionDropout = Number(config[distil ? "attention_dropout" : "attention_probs_dropout_prob"], 0.1),
        });
    }

    /// <summary>What <see cref="Read"/> reads, with what Hugging Face's code asks for beside it.</summary>
    /// <param name="shape">Of BERT's kind, or with relative positions of MPNet's.</param>
    /// <param name="paddingId">The tokenizer's.</param>
    public static SortedDictionary<string, object> Write(TextTransformer shape, int paddingId) => new(StringComparer.Ordinal)
    {
        ["model_type"] = ModelType(shape),
        ["architectures"] = new[] { ModelType(shape) switch { "mpnet" => "MPNetModel", "roberta" => "RobertaModel", _ => "BertModel" } },
        ["vocab_size"] = shape.VocabularySize,
        ["hidden_size"] = shape.Width,
        ["num_hidden_layers"] = shape.Depth,
        ["num_attention_heads"] = shape.Heads,
        ["intermediate_size"] = shape.Middle,
        ["hidden_act"] = s_activations.First(pair => pair.Ours == shape.Activation).Theirs,
        ["max_position_embeddings"] = shape.Positions,
        ["type_vocab_size"] = Math.Max(1, shape.TokenTypes),
        ["layer_norm_eps"] = shape.NormEpsilon,
        ["hidden_dropout_prob"] = shape.Dropout,
        ["attention_probs_dropout_prob"] = shape.AttentionDropout,
        ["pad_token_id"] = shape.PositionOffset > 0 ? shape.PositionOffset - 1 : paddingId,
        ["relative_attention_num_buckets"] = TextTransformer.RelativeBuckets,
        ["torch_dtype"] = "float32",
    };

    /// <summary>The kind that has the shape's positions.</summary>
    public static string ModelType(TextTransformer shape) => shape.RelativePositions ? "mpnet" : shape.PositionOffset > 0 ? "roberta" : "bert";

    /// <summary>An activation by the name that configurations give it, or torch.nn's class.</summary>
    public static TextActivation Activation(JsonPart part)
    {
        string name = part.IsThere ? part.AsText() : "gelu";
        return s_activations.FirstOrDefault(pair => pair.Theirs == name) is { Theirs: not null } known ? known.Ours : throw part.Unknown($"activation {Printable.Quote(name)}");
    }

    private static double Number(JsonPart part, double standard)
        => !part.IsThere ? standard
            : part.Element.ValueKind == System.Text.Json.JsonValueKind.Number ? part.Element.GetDouble() : throw part.Unknown("value that is no number");
}
